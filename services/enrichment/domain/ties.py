"""What ties two mentions: a score of the pair by itself.

It rests on the two mentions and the model alone: name frequencies and the prior are the model's, and not what
the register happens to hold. So neither the order in which they come nor who else is on file changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal

from services.enrichment.domain.linkage import (
    Person,
    Scorer,
    are_two_people,
    full_keys,
    keys_of,
    pack,
    probes_of,
    shipped_model,
)
from services.enrichment.domain.linkage.comparisons import FIELDS, Levels, compare
from services.enrichment.domain.linkage.lookalikes import NAMESAKES, UNNAMED, Rule
from services.enrichment.domain.linkage.spelling import sound_of

REGISTER_OF: Final = 100_000
"""People that a partnership's register is taken to hold, whatever it holds now: it sets the prior."""
_GIVEN, _FAMILY, _STREET, _PHONE, _PNC = (
    list(FIELDS).index(name) for name in ("given", "family", "street", "phone", "pnc_id")
)
_NEARLY: Final = {FIELDS["family"].index(level) for level in ("one_slip", "close", "alike")}
_SAME_STREET: Final = {FIELDS["street"].index(level) for level in ("same", "close")}


@dataclass(frozen=True, slots=True)
class Tie:
    """Two mentions that by themselves are one person (`same`) or may be (`likely`), `one` < `other`.

    `bits`: log odds that they are one, prior and rules counted in. `levels`: where each comparison ended.
    `rule`: what limits it. `open`: whether it is for a person to look at, as last written.
    """

    one: str
    other: str
    bits: float
    decision: Literal["same", "likely"]
    levels: Levels = ()
    rule: str | None = None
    open: bool = False

    @property
    def rank(self) -> tuple[float, str, str]:
        """The strongest first, then by id."""
        return (-self.bits, self.one, self.other)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person said of two mentions. `number`: the later the higher."""

    number: int
    one: str
    other: str
    joins: bool


@dataclass(frozen=True, slots=True)
class Named:
    """A mention as it is filed: its id in the register, its holder, and whom the linkage compares."""

    id: str
    holder: str
    person: Person
    test: bool = False


def tie(one: Named, other: Named) -> Tie | None:
    """What ties two mentions; None where nothing does.

    Two of one incident are two people, unless the same full name and birth date show that somebody was put
    down twice. People of test incidents are never those of real ones.
    """
    if one.id == other.id or one.test is not other.test:
        return None
    if other.id < one.id:
        one, other = other, one
    scorer, prior = _scorer()
    bits, levels = scorer.sum(one.person, other.person, prior)
    if one.holder == other.holder:
        twice = put_down_twice(one.person, other.person)
        return Tie(one.id, other.id, bits, "same", levels) if twice else None
    if bits < scorer.least:
        return None
    bits, rule = _limited(scorer, one.person, other.person, bits, levels)
    decision = scorer.decide(bits)
    if decision == "new":
        return None
    return Tie(one.id, other.id, bits, decision, levels, None if rule is None else rule.name)


def _limited(
    scorer: Scorer, one: Person, other: Person, bits: float, levels: Levels
) -> tuple[float, Rule | None]:
    """The bits that the rules leave, and the rule that holds: those of the linkage and, by which a pair is
    likely at most, two more.

    A twin shares all but the given name, and may be on file or not, which must not decide: so without one it
    takes a police id. And two surnames that many bear are no slip of the pen (Walker, Parker), however near.
    """
    bits, rule = scorer.limited(one, other, bits, levels)
    if rule is None and levels[_PNC] != 0:
        if levels[_GIVEN] is None:
            rule = UNNAMED
        elif levels[_FAMILY] in _NEARLY and _two_surnames(scorer, one, other) and not _share_home(levels):
            rule = NAMESAKES
        if rule is not None:
            bits = min(bits, scorer.least + 0.5)
    return bits, rule


def _two_surnames(scorer: Scorer, one: Person, other: Person) -> bool:
    """Whether both family names are well known ones that do not sound alike."""
    mine, theirs = one.name.family, other.name.family
    known = scorer.weights.terms["family"]
    return mine in known and theirs in known and sound_of(mine) != sound_of(theirs)


def _share_home(levels: Levels) -> bool:
    return levels[_STREET] in _SAME_STREET or levels[_PHONE] == 0


def put_down_twice(one: Person, other: Person) -> bool:
    """Whether two people of one incident share a full name and the birth date: they are one, listed twice."""
    return not set(full_keys(one)).isdisjoint(full_keys(other))


def explain_tie(one: Person, other: Person) -> dict[str, Any]:
    """Why two mentions are tied, or not: by field the level and its weight in bits, as `Match.weights`."""
    scorer, prior = _scorer()
    match = scorer.match(one, other, prior)
    bits, rule = _limited(scorer, one, other, match.bits, match.levels)
    return replace(match, bits=bits, rule=match.rule or rule).weights()


@lru_cache(maxsize=1 << 16)
def held_apart(one: Person, other: Person) -> bool:
    """Whether a rule tells that two people so described are never one, whoever else is like both."""
    if pack(other) < pack(one):
        one, other = other, one
    scorer, _ = _scorer()
    return are_two_people(one, other, compare(one, other), scorer.frequencies.is_a_given_name)


@lru_cache(maxsize=1)
def _scorer() -> tuple[Scorer, float]:
    scorer = Scorer(shipped_model())
    return scorer, scorer.weights.prior_bits(REGISTER_OF)


def tie_all(mentions: Iterable[Named]) -> list[Tie]:
    """Every tie among mentions, found by their keys with none passed over: what the register finds too."""
    known = {one.id: one for one in mentions}
    by_key: dict[tuple[bool, str], list[Named]] = {}
    for one in known.values():
        for key in keys_of(one.person):
            by_key.setdefault((one.test, key), []).append(one)
    pairs = {
        (min(one.id, other.id), max(one.id, other.id))
        for one in known.values()
        for other in _sharing(one, by_key)
        if other.id != one.id
    }
    found = (tie(known[a], known[b]) for a, b in sorted(pairs))
    return [one for one in found if one is not None]


def _sharing(one: Named, by_key: Mapping[tuple[bool, str], list[Named]]) -> Iterator[Named]:
    for key in probes_of(one.person):
        yield from by_key.get((one.test, key), ())
