"""What cannot be true of an incident: every rule in one table.

**The safeguarding decision behind the table:** where two statements contradict each other, the dangerous
one stays and the reassuring one becomes unknown; a sign of danger is never made unknown by a reassurance
that contradicts it. Where neither is the more dangerous, both stay, or the more exact one does. Whatever
becomes unknown stays as written in the submission and is named, so that an amendment can heal it.
Unknown counts in what is possible, so the case is neither lost nor closed by it (design.md, promise 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

UNBORN_WITHIN: Final = timedelta(days=280)
"""A birth date up to this long after the incident is an unborn child's (design.md)."""

EARLIEST_BIRTH_YEAR: Final = 1900
TOMORROW: Final = timedelta(days=1)
"""Clocks and zones differ: a time counts as in the future only beyond this."""

CLEARLY: Final = timedelta(hours=1)
"""When it happened is an estimate: a report counts as earlier only by more than this."""

CLOCKS: Final = timedelta(minutes=5)
"""What the clocks of two police systems may differ by."""

ADULT_AT: Final = 18
YOUNG_ADULT_AT: Final = 16
"""Below this somebody listed as an adult is a child by any form (NSPCC 2009 s4.4 counts from 17)."""

RESPONSIBLE_FROM: Final = 10
"""Below this nobody is a suspect: the age of criminal responsibility in England and Wales."""

PARENT_FROM: Final = 10
"""Years. Nobody younger has a child: one of the two birth dates, or the relationship, is wrong."""

Treated = Literal["unknown", "kept", "aside"]
_TREATED: Final = {
    "unknown": "kept as written, treated as unknown",
    "kept": "kept and read as written, please check",
    "aside": "kept as written, left aside",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that cannot be. `why` ends the fault's reason; `treated` says what becomes of the value."""

    why: str
    treated: Treated
    source: str = "plain sense"

    @property
    def because(self) -> str:
        """The reason as the police read it."""
        return f"{self.why}: {_TREATED[self.treated]}"


RULES: Final[dict[str, Rule]] = {
    # times
    "happened_in_future": Rule("lies in the future", "kept", "ages and deadlines hang on it"),
    "time_in_future": Rule("lies in the future", "unknown"),
    "reported_before": Rule("is clearly before the incident happened", "unknown", "NSPCC 2009 s4.7"),
    "attended_before": Rule("is before the incident happened or was reported", "unknown", "NSPCC 2009 t23"),
    "recorded_before": Rule("is before the incident happened", "unknown", "NSPCC 2009 s5.10"),
    "not_attended": Rule("contradicts attended_at", "unknown", "the time is the more exact statement"),
    # people
    "birth_impossible": Rule("not a possible birth date", "unknown", "design.md: unborn up to 280 days"),
    "same_id": Rule("another person in the incident has the same id", "kept", "what names the id is unclear"),
    "child_of_age": Rule("this child is 18 or older by its birth date", "kept", "Children Act 1989"),
    "adult_too_young": Rule(
        "too young, by the birth date, to be listed with the adults in this role", "kept", "NSPCC 2009 t6, t8"
    ),
    "listed_twice": Rule("the same name and birth date as one of the adults", "kept", "NSPCC 2009 s6.2.3"),
    "male_pregnant": Rule("contradicts the sex", "kept", "pregnancy is the dangerous one, NSPCC 2009 s6.5.1"),
    "breached_not_in_force": Rule(
        "lacks an order that is said to be breached", "kept", "a breach is dangerous, so both are read"
    ),
    # children in the incident
    "absent_but_involved": Rule(
        "contradicts that the child was held, hurt or stepped in", "unknown", "NSPCC 2009 t19, s4.12"
    ),
    "no_children": Rule(
        "contradicts what else is said of a child", "unknown", "London 2008 s9.6: without a child nobody asks"
    ),
    "unhurt_but_injured": Rule("contradicts the list of injuries", "unknown", "NSPCC 2009 t17"),
    # relationships
    "stranger_related": Rule("names a person who is not in the incident", "aside"),
    "related_to_self": Rule("relates a person to itself", "aside"),
    "both_ways": Rule("is said of the same two people the other way round too", "unknown"),
    "still_together": Rule(
        "the same two people are former partners too", "unknown", "leaving is when danger rises"
    ),
    "not_together": Rule(
        "the same two people are said to live together too", "unknown", "living together is the dangerous one"
    ),
    "parent_too_young": Rule("the parent was under 10, or not born, at the child's birth", "kept"),
    "separated_impossible": Rule("is in the future or before one of them was born", "unknown"),
    # what happened
    "stranger_injured": Rule("names a person who is not in the incident", "unknown"),
    "stranger_armed": Rule("names a person who is not in the incident", "unknown"),
    "no_strangulation": Rule(
        "contradicts the violence or the offences", "unknown", "MARAC criteria: strangulation"
    ),
    "no_sexual_offence": Rule("contradicts the violence or the offences", "unknown", "NSPCC 2009 t27"),
    "no_weapons": Rule("contradicts the violence", "unknown", "NSPCC 2009 box 10"),
    "no_violence": Rule(
        "contradicts the injuries, the strangulation, the weapons or the offences",
        "unknown",
        "NSPCC 2009 box 10",
    ),
    "no_injuries": Rule(
        "contradicts that a child is injured, the weapons or the offences", "unknown", "NSPCC 2009 t17"
    ),
    "no_threats": Rule("contradicts the weapons or the offences", "unknown", "NSPCC 2009 t27"),
    "no_stalking": Rule("contradicts the offences", "unknown", "NSPCC 2009 t27"),
    "no_damage": Rule("contradicts the offences", "unknown", "NSPCC 2009 t27"),
    # consent
    "given_unasked": Rule(
        "consent was not asked for", "unknown", "NSPCC 2009 s5.10.1; relying on it is the danger"
    ),
}
