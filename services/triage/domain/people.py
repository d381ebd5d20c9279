"""Facts about the people of a case: who is pregnant, vulnerable, under age; and each child by itself."""

from __future__ import annotations

from datetime import date
from typing import Final

from services.triage.domain.facts import FACTS, INVOLVEMENTS
from services.triage.domain.family import ADULT_AT, Family, Member, months_old, pregnancy, youngest
from services.triage.domain.values import HOLDS, HOLDS_NOT, Facts, Value, any_of, exactly, sign, yes_no
from shared.contracts.incident import Adult, Child, Happened, Incident

CHILD_FACTS: Final = tuple(name for name, fact in FACTS.items() if fact.of == "child")
_MOTHERING: Final = frozenset({"parent", "step_parent", "carer"})
_POORLY: Final = frozenset({"mental_health", "self_harm", "suicide_threat"})
_ALL_FACTORS: Final = frozenset(FACTS["family_factors"].scale)
_WITNESSED, _TOOK_PART = (INVOLVEMENTS.index(kind) for kind in ("witnessed", "took_part"))
_NOTHING_SAID: Final = Happened()


def tell_people(facts: Facts, incident: Incident, family: Family) -> None:
    """Add the facts about the people of the case."""
    on = family.on
    victim = pregnancy(family.victims, "victim_pregnant", known=family.adults_known)
    suspect = pregnancy(family.suspects, "suspect_pregnant", known=True)
    born_later = any(member.unborn and member.child is not None for member in family.children)
    facts["victim_pregnant"] = victim
    facts["suspect_pregnant"] = suspect
    facts["unborn_child"] = HOLDS if born_later else any_of((victim, suspect))
    facts["youngest_child_months"] = youngest(family.children, on)
    facts["suspect_under_18"] = exactly(any(_under_18(s, family) for s in family.suspects))
    facts["child_called_for_help"] = _called(incident, family)
    facts["child_special_needs"] = any_of(
        yes_no(_child_needs(m.child), "child_special_needs")
        if m.child is not None
        else Value(False, not m.unborn and m.adult is None, _ask(m, "child_special_needs"))
        for m in family.children
    )
    victims = [a for a in family.victims if not _under_18(a, family)]
    needs = [yes_no(_adult_needs(a), "victim_vulnerable") for a in victims]
    poorly = [
        sign(None if a.factors is None else False, "victim_vulnerable", not _POORLY.isdisjoint(a.factors or ()))
        for a in victims
    ]
    if not family.adults_known:
        needs.append(Value(False, True, "victim_vulnerable"))
    facts["victim_vulnerable"] = any_of((*needs, *poorly))
    mothers = {r.from_ for r in incident.relationships or () if r.kind in _MOTHERING}
    mothers.difference_update(a.id for a in victims)
    needs += [
        yes_no(_adult_needs(a), "mother_special_needs")
        for a in incident.adults or ()
        if a.id in mothers and a.sex == "female"
    ]
    facts["mother_special_needs"] = any_of(needs)
    facts["victim_consents"] = yes_no(incident.consent.given if incident.consent else None, "victim_consents")
    facts["suspect_willing"] = exactly(any(s.programme_willing for s in family.suspects))
    facts["interpreter_needed"] = exactly(any(a.interpreter for a in family.victims))
    facts["no_recourse"] = exactly(any(a.no_recourse_to_public_funds for a in family.victims))
    facts["family_factors"] = _factors(family)
    sure = tuple(member.id for member in family.children if member.sure)
    unsure = tuple(member.id for member in family.children if not member.sure)
    facts["children"] = Value(sure, sure + unsure, "children" if unsure else None)
    attended = True if incident.attended_at is not None else incident.attended
    facts["attended"] = yes_no(attended, "attended")
    facts["school_age_children"] = _school_age(incident, family, attended)


def _factors(family: Family) -> Value:
    words: set[str] = set()
    open_ended = not family.adults_known
    for adult in (*family.victims, *family.suspects):
        words.update(adult.factors or ())
        open_ended = open_ended or adult.factors is None
    least = frozenset(words)
    return Value(least, _ALL_FACTORS, "family_factors") if open_ended else Value(least, least)


def _under_18(adult: Adult, family: Family) -> bool:
    return adult.born is not None and months_old(adult.born, family.on) < ADULT_AT


def _child_needs(child: Child) -> bool | None:
    """`needs` is the field made for it; a disability written beside it is a sign as well."""
    return True if child.needs or child.disabilities else None if child.needs is None else False


def _adult_needs(adult: Adult) -> bool | None:
    """Known to be none only where both lists are."""
    if adult.needs or adult.disabilities:
        return True
    return None if adult.needs is None or adult.disabilities is None else False


def _ask(member: Member, question: str) -> str | None:
    if not member.sure:
        return member.hinges_on
    return question if member.named else None


def _called(incident: Incident, family: Family) -> Value:
    if incident.caller == "child" or any(m.child and m.child.called_for_help for m in family.children):
        return HOLDS
    if incident.caller == "victim" and any(_under_18(a, family) for a in family.victims):
        return HOLDS
    return yes_no(None if incident.caller is None else False, "child_called_for_help")


def _school_age(incident: Incident, family: Family, attended: bool | None) -> Value:
    """Reception to 17 (Victims and Prisoners Act 2024): four by 31 August, and not yet 18.

    In August the school year that is about to start counts.
    """
    if attended is False:
        return Value((), ())
    four_by = family.on.replace(month=8, day=31)
    if family.on.month < 8:
        four_by = four_by.replace(year=family.on.year - 1)
    surely: list[str] = []
    maybe: list[str] = []
    ask: str | None = None
    unrelated = _unrelated(incident, family)
    for member in family.children:
        if member.unborn or member.adult is not None or member.id in unrelated:
            continue
        if not member.sure:
            maybe.append(member.id)
            ask = ask or member.hinges_on
        elif member.births:
            if any(_of_school_age(born, family.on, four_by) for born in member.births):
                surely.append(member.id)
        elif _at_school(member):
            surely.append(member.id)
        else:
            maybe.append(member.id)
            ask = ask or _ask(member, "youngest_child_months")
    if attended is None:
        return Value((), (*surely, *maybe), "attended")
    return Value(tuple(surely), (*surely, *maybe), ask)


def _of_school_age(born: date, on: date, four_by: date) -> bool:
    return months_old(born, on) < ADULT_AT and months_old(born, four_by) >= 4 * 12


def _at_school(member: Member) -> bool:
    child = member.child
    if child is not None and (child.school is not None or child.home_educated):
        return True
    return member.known is not None and member.known.school is not None


def _unrelated(incident: Incident, family: Family) -> frozenset[str]:
    """Children all of whose recorded relationships are to adults that the incident was not between."""
    involved = {*family.victim_ids, *family.suspect_ids}
    near: set[str] = set()
    far: set[str] = set()
    ids = {child.id for child in incident.children or ()}
    for one in incident.relationships or ():
        for child, other in ((one.to, one.from_), (one.from_, one.to)):
            if child in ids and other not in ids:
                (near if other in involved else far).add(child)
    return frozenset(far - near)


def tell_child(member: Member, incident: Incident, case: Facts) -> Facts:
    """The facts of one child by itself."""
    said = incident.incident or _NOTHING_SAID
    child = member.child
    if member.unborn and child is None:
        return dict.fromkeys(CHILD_FACTS, HOLDS_NOT) | {"child_involvement": exactly(0)}
    injured = any(injury.to == member.id for injury in said.injuries or ())
    cruelty = "child_cruelty" in (said.offences or ())
    harm = "harm_children" in case["threats"].least
    if member.adult is not None:
        hurt = case["physical_violence"] if member.adult.role in ("victim", "both", None) else HOLDS_NOT
        threats = case["threats"]
        return {
            "child_saw_or_heard": HOLDS,
            "child_present": HOLDS,
            "child_involvement": exactly(_WITNESSED),
            "child_threatened": HOLDS
            if harm
            else Value(bool(threats.least), bool(threats.greatest), threats.ask),
            "child_intervened": HOLDS_NOT,
            "child_hurt": HOLDS if injured else hurt,
        }
    if child is None:
        return {
            "child_saw_or_heard": Value(False, True, _ask(member, "child_saw_or_heard")),
            "child_present": Value(False, True, _ask(member, "child_saw_or_heard")),
            "child_involvement": Value(0, _TOOK_PART, _ask(member, "child_saw_or_heard")),
            "child_threatened": HOLDS if harm else Value(False, True, _ask(member, "child_threatened")),
            "child_intervened": Value(False, True, _ask(member, "child_intervened")),
            "child_hurt": HOLDS if cruelty else Value(False, True, _ask(member, "child_hurt")),
        }
    hurt_said = True if child.assaulted or child.injured else None
    if child.assaulted is False and child.injured is False:
        hurt_said = False
    seen = None if child.presence is None else child.presence in ("heard", "witnessed")
    there = None if child.presence is None else child.presence != "not_on_premises"
    told = {
        "child_saw_or_heard": yes_no(seen, "child_saw_or_heard"),
        "child_present": sign(there, "child_saw_or_heard", bool(child.held_by_adult or child.intervened)),
        "child_involvement": _involvement(child),
        "child_threatened": sign(child.threatened, "child_threatened", harm),
        "child_intervened": yes_no(child.intervened, "child_intervened"),
        "child_hurt": sign(hurt_said, "child_hurt", injured or cruelty),
    }
    # Of an unborn child there is nothing to ask; what was written of it all the same still counts.
    return {name: exactly(value.least) for name, value in told.items()} if member.unborn else told


def _involvement(child: Child) -> Value:
    """NSPCC 2009 table 19; whoever steps in, calls or is held takes part (s4.12, s5.3.4)."""
    if child.intervened or child.called_for_help or child.held_by_adult:
        return exactly(_TOOK_PART)
    if child.presence is None:
        return Value(0, _TOOK_PART, "child_saw_or_heard")
    least = INVOLVEMENTS.index(child.presence)
    if child.presence == "not_on_premises":
        return exactly(least)
    if child.intervened is None:
        return Value(least, _TOOK_PART, "child_intervened")
    if child.called_for_help is None:
        return Value(least, _TOOK_PART, "child_called_for_help")
    return Value(least, _TOOK_PART if child.held_by_adult is None else least, "child_saw_or_heard")
