"""Builders of people, incidents, decisions and answers as enrichment gets them. Everybody is made up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.enrichment import domain
from shared.contracts.decision import Decision
from shared.contracts.events import Answer, CaseAnswered, CaseDecided, IncidentAccepted
from shared.contracts.history import UNAVAILABLE, History, Involvement
from shared.contracts.incident import Adult, Child, Happened, Incident, Name, Risk
from shared.contracts.records import KnownPerson

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)

Who = Adult | Child


def victim(name: str = "Sian Hughes", born: str | None = "1994-03-07", id: str = "a1", **more: Any) -> Adult:
    """An adult victim; `name` is given and family name."""
    return adult(name, born, id, role="victim", **more)


def suspect(name: str = "Mark Doyle", born: str | None = "1991-11-30", id: str = "a2", **more: Any) -> Adult:
    """A suspected adult."""
    return adult(name, born, id, role="suspect", **more)


_GIVEN = ("Ann", "Beth", "Chloe", "Dilys", "Edith", "Farah", "Grace", "Hilda", "Iris", "Joan")
_FAMILY = ("Abbot", "Brook", "Carver", "Dixon", "Ellis", "Fisher", "Gower", "Hanson", "Ingram", "Jarvis")


def stranger(number: int) -> tuple[str, str]:
    """Name and birth date of somebody whom nobody takes for another number's."""
    name = f"{_GIVEN[number % 10]} {_FAMILY[number // 10 % 10]}"
    return name, (date(1950, 1, 1) + timedelta(days=number * 17)).isoformat()


def adult(
    name: str | None, born: str | None, id: str, *, known_as: list[str] | None = None, **more: Any
) -> Adult:
    """An adult of any role."""
    return Adult(id=id, name=named(name, known_as), born=day(born), **more)


def child(
    name: str | None = "Owen Hughes", born: str | None = "2017-05-16", id: str = "c1", **more: Any
) -> Child:
    """A child."""
    return Child(id=id, name=named(name, None), born=day(born), **more)


def named(name: str | None, known_as: list[str] | None) -> Name | None:
    """`Sian Hughes` as a name."""
    if name is None and known_as is None:
        return None
    given, _, family = (name or "").strip().partition(" ")
    return Name(given=given or None, family=family or None, also_known_as=known_as)


def day(said: str | None) -> date | None:
    """A day from ISO text."""
    return None if said is None else date.fromisoformat(said)


def accepted(reference: str, *people: Who, at: float = 0, revision: int = 1, **fields: Any) -> IncidentAccepted:
    """An incident accepted so many minutes after noon; lists of people nobody is given are unknown."""
    adults = [one for one in people if isinstance(one, Adult)]
    children = [one for one in people if isinstance(one, Child)]
    moment = NOON + timedelta(minutes=at)
    incident = Incident(
        **{
            "force": "northshire",
            "reference": reference,
            "revision": revision,
            "occurred_at": moment - timedelta(hours=2),
            "adults": adults or None,
            "children": children or None,
            **fields,
        }
    )
    return IncidentAccepted(
        incident=incident,
        revision=revision,
        accepted_at=moment,
        revision_accepted_at=moment + timedelta(minutes=revision - 1),
        gaps=[],
    )


def case(reference: str, *people: Who, at: float = 0, **more: Any) -> domain.Case:
    """The same as a case; `decided` and `taken` among `more` are what was learnt of it."""
    learnt = {name: more.pop(name) for name in ("decided", "taken") if name in more}
    return domain.Case(domain.account_of(accepted(reference, *people, at=at, **more)), **learnt)


def decided(
    level: int | None = 2, css: bool = True, marac: str | None = None, about: tuple[str, ...] = ()
) -> Any:
    """What a decision adds to history."""
    return domain.Decided(level, css, day(marac), about)


def happened(**fields: Any) -> Happened:
    """What happened."""
    return Happened(**fields)


def risk(level: Any) -> Risk:
    """A police risk level."""
    return Risk(level=level)


def record(
    id: str,
    name: str,
    born: str | None,
    *related: tuple[str, Any],
    child: bool = True,
    involvement: Involvement | None = None,
    source: str = "northbury-css",
    **more: Any,
) -> domain.Record:
    """A person of a council's records; `related`: the other's id and the relationship."""
    person = KnownPerson(
        id=id, role="child" if child else "adult", name=named(name, None), born=day(born), **more
    )
    ties = tuple(domain.Related(other, kind) for other, kind in related)
    return domain.Record(source, domain.mention_recorded(person), ties, involvement)


def case_decided(
    body: IncidentAccepted,
    *,
    level: int | None = 2,
    services: dict[str, list[str]] | None = None,
    as_of: datetime = NOON,
    version: int = 1,
    state: Any = "to_route",
) -> CaseDecided:
    """A decision as triage sends it; `services`: per service routed to, whom it was about."""
    routed = {"childrens_services": ["c1"]} if services is None else services
    outcome = {"child_level": level, "css_response": "inform", "services": sorted(routed), "handling": []}
    receipt = {
        "result": outcome,
        "routes": [
            {"service": service, "about": about, "basis": "safeguarding_without_consent", "rules": []}
            for service, about in routed.items()
        ],
    }
    return CaseDecided(
        incident=body.incident,
        revision=body.revision,
        accepted_at=body.accepted_at,
        as_of=as_of,
        history=UNAVAILABLE,
        decision=Decision(case=body.incident.case, version=version, receipt=receipt),
        state=state,
    )


def case_answered(
    body: IncidentAccepted,
    pathway: Any = "section_17",
    *,
    at: datetime = NOON,
    kind: Any = "decided",
    **more: Any,
) -> CaseAnswered:
    """An outcome as delivery sends it, with one answer of children's services."""
    answer = {
        "version": 1,
        "recipient": "northbury-children",
        "service": "childrens_services",
        "kind": kind,
        "pathway": pathway,
        "at": at,
        **more,
    }
    return CaseAnswered(
        case=body.incident.case,
        version=1,
        revision=body.revision,
        state="routed",
        answers=[Answer(**answer)],
    )


def told(history: History) -> list[str]:
    """The references of a history's incidents."""
    return [one.reference for one in history.incidents or ()]
