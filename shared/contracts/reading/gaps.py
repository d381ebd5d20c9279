"""What is missing and could matter: each gap with its place and the reason.

Which gaps become questions is triage's to say. A gap is what was not recorded; what the form of a
supplier cannot carry at all is told the supplier once, elsewhere. Sources: NSPCC 2009 s5.2, s5.10.4 and
s6.2.3 (names, birth dates, members, presence), t31 (relationships, home, school), s6.5.1 (pregnancy),
s6.5.2 (safe contact), box 10 (weapons, injuries).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Final

from shared.contracts.incident import Adult, Child, Gap, Happened, Incident
from shared.contracts.reading.faults import MOST_LISTED
from shared.contracts.reading.narrative import LOOKED_THROUGH, WORDS, topics_of
from shared.contracts.reading.validation import Places

SCHOOL_FROM: Final = 5
SCHOOL_UNTIL: Final = 16
"""Years of age. The schools duty reaches children of compulsory school age."""

_NOT_RECORDED: Final = "not recorded"
_TOP: Final = ("adults", "children", "relationships", "incident", "risk", "consent", "reported_at", "area")
_PARENTS: Final = frozenset({"parent", "step_parent"})
_FORMER: Final = frozenset({"ex_partner", "ex_spouse"})
_VICTIM: Final = frozenset({"victim", "both"})
_PARTIES: Final = frozenset({"victim", "suspect", "both"})


def name_gaps(incident: Incident, places: Places) -> list[Gap]:
    """At most MOST_LISTED gaps, and one that says how many more. Pointers are the submission's own."""
    gaps = _gaps(incident, places)
    found = list(islice(gaps, MOST_LISTED))
    if len(found) == MOST_LISTED and (more := sum(1 for _ in gaps)):
        found.append(Gap(at="", because=f"and {more} more gaps, not listed"))
    return found


@lru_cache(maxsize=2048)
def _gap(at: str, because: str = _NOT_RECORDED) -> Gap:
    """Most incidents lack the same things, and a gap never changes."""
    return Gap(at=at, because=because)


def _gaps(incident: Incident, places: Places) -> Iterator[Gap]:
    for field in _TOP:
        if getattr(incident, field) is None:
            yield _gap(f"/{field}")
    if incident.place is None or incident.place.kind is None:
        yield _gap("/place")
    if incident.caller == "child" and not incident.children:
        yield _gap("/children", "a child called, and no child is listed")
    for i, adult in enumerate(incident.adults or ()):
        yield from _adult_gaps(adult, places.of("/adults", i), places)
    on = incident.occurred_at.date()
    for i, child in enumerate(incident.children or ()):
        yield from _child_gaps(child, places.of("/children", i), on, incident.area is None)
    if incident.relationships is not None:
        yield from _relationship_gaps(incident, places)
    if incident.incident is not None:
        yield from _happened_gaps(incident.incident, places)
    risk = incident.risk
    if risk is not None:
        if risk.level is None:
            yield _gap("/risk/level", "a tool without the level it gave" if risk.tool else _NOT_RECORDED)
        if risk.yes_answers is None and (risk.level or risk.tool):
            yield _gap("/risk/yes_answers", "an assessment without the answers it rests on")
    yield from _narrative_gaps(incident, places)


def _adult_gaps(adult: Adult, at: str, places: Places) -> Iterator[Gap]:
    if adult.role is None:
        yield _gap(f"{at}/role")
    if adult.name is None:
        yield _gap(f"{at}/name")
    if adult.born is None:
        yield _gap(f"{at}/born")
    if adult.role in _VICTIM:
        if adult.pregnant is None and adult.sex != "male":
            yield _gap(f"{at}/pregnant")
        if adult.address is None:
            yield _gap(f"{at}/address")
        if adult.area is None:
            yield _gap(f"{at}/area")
        if adult.phones is None:
            yield _gap(f"{at}/phones")
    for i, phone in enumerate(adult.phones or ()):
        if phone.safe is None:
            yield _gap(f"{places.of(f'{at}/phones', i)}/safe", "a number, and not whether it is safe to ring")


def _child_gaps(child: Child, at: str, on: date, area_unknown: bool) -> Iterator[Gap]:
    if child.name is None:
        yield _gap(f"{at}/name")
    born = child.born
    if born is None:
        yield _gap(f"{at}/born")
    elif child.school is None and not child.home_educated:
        years = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
        if SCHOOL_FROM <= years < SCHOOL_UNTIL:
            yield _gap(f"{at}/school", "of school age, and no school recorded")
    if child.presence is None:
        yield _gap(f"{at}/presence")
    if area_unknown and child.area is None and child.address is None:
        yield _gap(f"{at}/area", "neither the child's home nor the incident's area is recorded")


def _relationship_gaps(incident: Incident, places: Places) -> Iterator[Gap]:
    adults, children = incident.adults or (), incident.children or ()
    parties = {adult.id for adult in adults if adult.role in _PARTIES}
    everybody = [person.id for person in (*adults, *children)]
    twice = _twice(everybody)
    related: set[str] = set()
    has_parent: set[str] = set()
    parties_related = len(parties) < 2
    for i, one in enumerate(incident.relationships or ()):
        kind = one.kind
        if kind is None:
            yield _gap(f"{places.of('/relationships', i)}/kind", "how these two are related is not recorded")
            continue
        related.add(one.from_)
        related.add(one.to)
        if kind in _PARENTS:
            has_parent.add(one.to)
        elif kind == "adult_child":
            has_parent.add(one.from_)
        if one.from_ in parties and one.to in parties:
            parties_related = True
        if kind in _FORMER and one.separated_on is None:
            at = f"{places.of('/relationships', i)}/separated_on"
            yield _gap(at, "separated, and since when is not recorded")
        if twice and (one.from_ in twice or one.to in twice):
            at = places.of("/relationships", i)
            yield _gap(at, "one of its ends is an id that two people have: whom it means is unclear")
    if not parties_related:
        yield _gap("/relationships", "how the adults are related to one another is not recorded")
    for i, child in enumerate(children):
        if child.id not in related:
            yield _gap(places.of("/children", i), "relationship to the adults not recorded")
        elif child.id not in has_parent:
            yield _gap(places.of("/children", i), "whose child this is is not recorded")


def _twice(ids: list[str]) -> set[str]:
    """The ids that more than one person has."""
    if len(set(ids)) == len(ids):
        return set()
    seen: set[str] = set()
    return {one for one in ids if one in seen or seen.add(one)}  # type: ignore[func-returns-value]


def _happened_gaps(happened: Happened, places: Places) -> Iterator[Gap]:
    for i, weapon in enumerate(happened.weapons or ()):
        if weapon.use is None:
            yield _gap(f"{places.of('/incident/weapons', i)}/use", "a weapon, and not how it was used")
    for i, injury in enumerate(happened.injuries or ()):
        at = places.of("/incident/injuries", i)
        if injury.severity is None:
            yield _gap(f"{at}/severity", "an injury, and not how bad it is")
        if injury.treated is None:
            yield _gap(f"{at}/treated", "an injury, and not whether it was treated")


def _narrative_gaps(incident: Incident, places: Places) -> Iterator[Gap]:
    risk = incident.risk
    texts = [incident.summary]
    if risk is not None:
        texts += [risk.heightened_concern, risk.judgement]
    if incident.children:
        texts += [child.voice for child in incident.children]
    narrative = "\n".join(text for text in texts if text)
    if not narrative:
        return
    for topic in sorted(topics_of(narrative, wanted=lambda topic: not _said_of(topic, incident, places)[1])):
        about = WORDS.topics[topic]
        because = f"the narrative seems to speak of {about}, this does not (a word list, no decision)"
        yield _gap(_said_of(topic, incident, places)[0], because)
    if len(narrative) > LOOKED_THROUGH:
        yield _gap("/summary", f"only the first {LOOKED_THROUGH} characters were looked through for such words")


def _said_of(topic: str, incident: Incident, places: Places) -> tuple[str, bool]:
    """Where the fields would say what a topic speaks of, and whether they do."""
    happened = incident.incident or Happened()
    violence, threats = happened.violence or (), happened.threats or ()
    offences = happened.offences or ()
    adults = incident.adults or ()
    match topic:
        case "child":
            return "/children", bool(incident.children)
        case "pregnancy":
            at = next((i for i, adult in enumerate(adults) if adult.role in _VICTIM), None)
            where = "/adults" if at is None else f"{places.of('/adults', at)}/pregnant"
            return where, any(adult.pregnant for adult in adults) or _an_unborn_child(incident)
        case "weapon":
            return "/incident/weapons", bool(happened.weapons)
        case "strangulation":
            said = bool(happened.strangulation) or "strangulation" in violence or "strangulation" in offences
            return "/incident/strangulation", said
        case "injury":
            hurt = bool(happened.injuries) or any(child.injured for child in incident.children or ())
            return "/incident/injuries", hurt
        case "sexual":
            said = bool(happened.sexual_offence) or "sexual" in violence
            return "/incident/sexual_offence", said or "rape" in offences or "sexual_assault" in offences
        case "threat_to_kill":
            return "/incident/threats", "kill" in threats or "threats_to_kill" in offences
        case "suicide":
            factors = {factor for adult in adults for factor in adult.factors or ()}
            return "/adults", "suicide" in threats or not factors.isdisjoint(("self_harm", "suicide_threat"))
        case _:
            ties = incident.relationships or ()
            parted = any(tie.kind in _FORMER or tie.separated_on for tie in ties)
            return "/relationships", parted or bool(happened.separation_intended)


def _an_unborn_child(incident: Incident) -> bool:
    on = incident.occurred_at.date()
    return any(child.born is not None and child.born > on for child in incident.children or ())
