"""A pair as it is shown: two people side by side, field by field, with what each field weighs and why."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from services.enrichment.domain import explain_tie
from services.enrichment.domain.linkage import Person
from services.enrichment.links_read import Pair, Ruled, Side
from services.enrichment.register import family_name
from shared.contracts.base import write_exact_moment, write_moment
from shared.contracts.incident import Address, Adult, Child

FIELDS: Final = (
    "given", "family", "also_known_as", "born", "sex", "street", "town", "postcode", "area", "phone", "pnc_id",
    "school", "role",
)  # fmt: skip


def show_pair(pair: Pair, one: Side, other: Side) -> dict[str, Any]:
    """All there is to a pair. `fields`: in order, what each side says and what it weighs, in bits (the log to
    base 2 of how much likelier it is of one person than of two); with `prior` and `rule` they add up."""
    weights = explain_tie(one.person, other.person)
    mine, theirs = _said(one), _said(other)
    fields = []
    for name in FIELDS:
        weight = weights.get(name, {})
        fields.append(
            {
                "field": name,
                "one": mine.get(name) or None,
                "other": theirs.get(name) or None,
                "level": weight.get("level", "not_weighed"),
                "bits": weight.get("bits", 0.0),
            }
        )
    rule = weights.get("rule")
    return {
        "id": pair.name,
        "decision": pair.decision or "new",
        "bits": pair.bits,
        "since": None if pair.since is None else write_moment(pair.since),
        "one": _who(one),
        "other": _who(other),
        "fields": fields,
        "prior": weights["prior"]["bits"],
        "rule": None
        if rule is None
        else {"name": rule["level"], "bits": rule["bits"], "because": rule["because"]},
        "ruling": None if pair.ruled is None else _ruled(pair.ruled),
        "rulings": [_ruled(one) for one in pair.rulings],
        "stands": pair.stands,
    }


def _ruled(ruled: Ruled) -> dict[str, Any]:
    return {
        "ruling": ruled.ruling,
        "who": ruled.who,
        "agency": ruled.agency,
        "why": ruled.why,
        "at": write_exact_moment(ruled.at),
        "undone_at": None if ruled.undone_at is None else write_exact_moment(ruled.undone_at),
        "undone_by": ruled.undone_by,
    }


def _who(side: Side) -> dict[str, Any]:
    incident = side.incident
    return {
        "of": "record" if incident is None else "incident",
        "case": None if incident is None else incident.case,
        "occurred_at": None if incident is None else write_moment(incident.occurred_at),
        "source": side.source,
        "id": side.own_id,
        "family": family_name(side.family),
    }


def _said(side: Side) -> dict[str, str]:
    """What a side says, by field: of an incident as it was written, of a council's record as it is compared."""
    told = _compared(side.person)
    return told if side.named is None else {**told, **_written(side.named)}


def _compared(person: Person) -> dict[str, str]:
    return {
        "given": " ".join(person.name.given_words).title(),
        "family": " ".join(person.name.family_words).title(),
        "also_known_as": ", ".join(
            " ".join((*one.given_words, *one.family_words)).title() for one in person.others
        ),
        "born": "-".join(part for part in (person.born[:4], person.born[4:6], person.born[6:]) if part),
        "sex": person.sex,
        "street": person.street.title(),
        "town": person.town.title(),
        "postcode": _parted(person.postcode.upper()),
        "area": person.area,
        "phone": ", ".join(sorted(f"0{phone}" for phone in person.phones)),
        "pnc_id": person.pnc_id.upper(),
        "school": person.school.title(),
        "role": "" if person.child is None else "child" if person.child else "adult",
    }


def _parted(postcode: str) -> str:
    return f"{postcode[:-3]} {postcode[-3:]}" if len(postcode) > 4 else postcode


def _written(person: Adult | Child) -> dict[str, str]:
    name, home = person.name, person.address or Address()
    told: dict[str, str | None] = {"sex": person.sex, "area": person.area, "postcode": home.postcode}
    told |= {"street": ", ".join(filter(None, (home.line1, home.line2))), "town": home.town}
    if name is not None:
        told |= {"given": name.given, "family": name.family}
        told["also_known_as"] = ", ".join(name.also_known_as or ())
    if isinstance(person.born, date):
        told["born"] = person.born.isoformat()
    if isinstance(person, Adult):
        told["phone"] = ", ".join(filter(None, (phone.number for phone in person.phones or ())))
        told |= {"pnc_id": person.pnc_id, "role": person.role or "adult"}
    elif person.school is not None:
        told["school"] = " ".join(filter(None, (person.school.name, person.school.urn)))
    return {key: value for key, value in told.items() if value}
