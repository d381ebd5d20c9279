"""What the councils know of the month's families, with their own ids and their own mistakes.

Involvement follows NSPCC 2009 table 34 and its levels (s6.4); table 32 says how many families are not
known at all and how many files cannot be found (people are there, what was done for them is not).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from waymark.simulate.deck import chance, deal, draw, pick
from waymark.simulate.events import LOCAL
from waymark.simulate.families import Family, Person
from waymark.simulate.names import draw_address, sites
from waymark.simulate.profile import Profile
from waymark.simulate.report import moment, said
from waymark.simulate.slips import spoil

_TEAMS = (
    "Assessment Team 1",
    "Assessment Team 2",
    "Family Support East",
    "Safeguarding Team North",
    "Children Looked After",
)
_DONE = ("completed", "family_did_not_engage", "parents_separated", "concerns_reduced")


def set_moves(rng: Random, profile: Profile, families: Sequence[Family]) -> None:
    """Some families moved lately: the council has the earlier address, and so has the first incident of
    a family that comes again."""
    for family in pick(rng, families, profile.number("errors", "moved") * len(families)):
        family.earlier_address = draw_address(rng, family.site)


def keep_records(
    rng: Random, profile: Profile, families: Sequence[Family], month: date
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """One document per council, as of the start of the month, and the truth about each known family."""
    as_of = month.replace(day=1)
    documents: dict[str, dict[str, Any]] = {
        site.council: {
            "schema": "waymark.records/1",
            "source": site.council,
            "as_of": moment(datetime.combine(as_of, time(2, 0), tzinfo=LOCAL)),
            "whole": True,
            "people": [],
            "relationships": [],
            "involvement": [],
            "removed": [],
        }
        for site in sites().values()
    }
    known = _known(rng, profile, families)
    levels = _levels(rng, profile, known)
    kinds = _discrepant(rng, profile, known)
    numbers = {council: 40000 + rng.randint(0, 999) for council in documents}
    truth = []
    for family in known:
        council = family.site.council
        listed = [person for person in family.people if person.born <= as_of and _would_know(family, person)]
        people: list[tuple[Person, dict[str, Any]]] = []
        for person in listed:
            numbers[council] += rng.randint(1, 9)
            people.append((person, _entry(family, person, f"css-{numbers[council]}")))
        errors = _go_wrong(rng, kinds.get(id(family)), family, people, as_of)
        if family.earlier_address:
            errors.append(
                {"error": "moved", "at": "address", "was": family.address, "said": family.earlier_address}
            )
        level = levels[id(family)]
        documents[council]["people"] += [entry for _, entry in people]
        documents[council]["relationships"] += _relationships(family, people)
        if level is not None:
            documents[council]["involvement"] += _involvement(rng, family, people, level, as_of)
        truth.append(
            {
                "kind": "council",
                "source": council,
                "family": family.id,
                "people": {entry["id"]: person.id for person, entry in people},
                "involvement": level,
                "errors": errors,
            }
        )
    return documents, truth


def _known(rng: Random, profile: Profile, families: Sequence[Family]) -> list[Family]:
    unknown = profile.per_incident("tracking", "family_not_known") * len(families)
    strangers = {id(family) for family in pick(rng, families, unknown)}
    return [family for family in families if id(family) not in strangers]


def _levels(rng: Random, profile: Profile, known: list[Family]) -> dict[int, str | None]:
    """Level of involvement by family; None where the file cannot be found (table 32: the south)."""
    shares = profile.shares("tracking")
    files = shares["file_not_found"] + shares["file_unavailable"]
    traced = profile.number("cohort", "incidents") - shares["family_not_known"]
    south = [family for family in known if family.site.id == "south"]
    lost = {id(family) for family in pick(rng, south, files / traced * len(known))}
    found = [family for family in known if id(family) not in lost]
    table = profile.shares("involvement")
    table.pop("missing")
    levels: dict[int, str | None] = dict.fromkeys(lost)
    for family, level in zip(found, deal(rng, table, len(found)), strict=True):
        levels[id(family)] = level
    return levels


def _discrepant(rng: Random, profile: Profile, known: list[Family]) -> dict[int, str]:
    """Families in which the council's own record is wrong, and how. Together with what the police get
    wrong, two families in five differ (s6.2.3)."""
    errors = profile.shares("errors")
    by_police = 1 - (1 - errors["demographic"]) * (1 - errors["child_left_out"])
    by_council = 1 - (1 - errors["discrepant_families"]) / (1 - by_police)
    wrong = pick(rng, known, by_council * len(known))
    kinds = deal(rng, profile.shares("errors", "council_kinds"), len(wrong))
    return {id(family): kind for family, kind in zip(wrong, kinds, strict=True)}


def _would_know(family: Family, person: Person) -> bool:
    """A man who is nobody's father there and lives elsewhere is not in the children's record."""
    if person.part != "man":
        return True
    return family.lives_together or any(child.mans_child for child in family.children)


def _entry(family: Family, person: Person, council_id: str) -> dict[str, Any]:
    address = family.earlier_address or family.address
    if person.part == "man" and not family.lives_together:
        address = family.man_address
    return said(
        {
            "id": council_id,
            "role": "adult" if person.part in ("woman", "man") else "child",
            "name": {"given": person.given, "family": person.family},
            "born": person.born.isoformat(),
            "sex": person.sex,
            "address": dict(address),
            "area": family.site.area,
            "school": dict(person.school) if person.school else None,
        }
    )


def _go_wrong(
    rng: Random,
    kind: str | None,
    family: Family,
    people: list[tuple[Person, dict[str, Any]]],
    as_of: date,
) -> list[dict[str, Any]]:
    if kind is None:
        return []
    if kind == "person_missing" and len(people) > 1:
        # Not the mother: a record is filed under somebody.
        place = rng.randrange(1, len(people))
        person, entry = people.pop(place)
        return [{"error": kind, "person": person.id, "was": entry["id"], "said": None}]
    person, entry = rng.choice(people)
    other = family.woman.family if person.part == "man" else family.man.family
    return [
        {"error": made, "at": f"{entry['id']}{pointer}", "person": person.id, "was": was, "said": now}
        for pointer, was, now, made in spoil(rng, kind, entry, other, person.ethnicity, as_of)
    ]


def _relationships(family: Family, people: list[tuple[Person, dict[str, Any]]]) -> list[dict[str, Any]]:
    ids = {person.part: entry["id"] for person, entry in people}
    found = []
    kind = "spouse" if family.married else "partner"
    if "woman" in ids and "man" in ids:
        found.append({"from": ids["man"], "to": ids["woman"], "kind": kind if family.current else f"ex_{kind}"})
    for person, entry in people:
        if person.part in ("woman", "man"):
            continue
        found.append({"from": ids["woman"], "to": entry["id"], "kind": "parent"})
        if "man" in ids:
            his = "parent" if person.mans_child else "parents_partner"
            found.append({"from": ids["man"], "to": entry["id"], "kind": his})
    return found


def _involvement(
    rng: Random, family: Family, people: list[tuple[Person, dict[str, Any]]], level: str, as_of: date
) -> list[dict[str, Any]]:
    """One history for the family; a child born after it ended has none of it."""
    children = [(person, entry) for person, entry in people if person.part not in ("woman", "man")]
    if not children:
        return []
    eldest = min(person.born for person, _ in children)
    ended = as_of - timedelta(days=rng.randint(20, 1500))
    ended = max(ended, min(eldest + timedelta(days=14), as_of - timedelta(days=1)))
    began = ended - timedelta(days=rng.randint(25, 300))
    worker = rng.choice(_TEAMS) if level == "open" else None
    pathways, plans = _pathways(rng, level, began, ended)
    again = 0 if level == "none" else rng.choice((0, 0, 1, 2, 4) if level == "low" else (0, 1, 1, 2, 5))
    involved = []
    for person, entry in children:
        concerned = level == "open" or (level != "none" and person.born <= ended)
        involved.append(
            {
                "child": entry["id"],
                "level": level if concerned else "none",
                "open": level == "open",
                "worker": worker,
                "pathways": [dict(step) for step in pathways] if concerned else [],
                "plans": list(plans) if concerned else [],
                "re_referrals": again if concerned else 0,
            }
        )
    return involved


def _pathways(rng: Random, level: str, began: date, ended: date) -> tuple[list[dict[str, Any]], list[str]]:
    """s6.4: low is notifications closed without action; medium an assessment; high a plan or care; open now."""

    def step(pathway: str, start: date, end: date | None, reason: str | None) -> dict[str, Any]:
        return {
            "pathway": pathway,
            "from": start.isoformat(),
            "to": end.isoformat() if end else None,
            "reason_closed": reason,
        }

    if level == "none":
        return [], []
    if level == "low":
        kind = draw(rng, {"none": 6, "letter": 3, "contact_record": 2})
        return [step(kind, ended, ended, "no_further_action")], []
    if level == "medium":
        return [step(draw(rng, {"section_17": 3, "early_help": 2}), began, ended, rng.choice(_DONE))], []
    if level == "high":
        return [step("section_47", began, ended, rng.choice(_DONE))], ["child_protection"]
    # Table 35: of 19 open families 14 were safeguarding cases and 5 had family support.
    safeguarding = chance(rng, 14 / 19)
    path = step("section_47" if safeguarding else "section_17", began, None, None)
    return [path], ["child_protection"] if safeguarding else ["child_in_need"]
