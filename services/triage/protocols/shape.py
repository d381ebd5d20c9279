"""The shape of a protocol file: closed operators, closed words, nothing else.

Only shape is checked here; what the words mean together (facts, direction of risk, levels) is checked by
`domain.protocol.build_protocol`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    model_validator,
)

from shared import vocabulary as v

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Sentence = Annotated[str, Field(min_length=3, max_length=300)]
ChildLevel = Annotated[int, Field(ge=0, le=4, strict=True)]


def _same(said: Any) -> Any:
    """YAML reads `1` and `true` apart; pydantic would take one for the other."""
    if isinstance(said, bool):
        raise ValueError("a number, not true or false")
    return said


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class All(_Closed):
    """Every part holds."""

    all: Annotated[list[Condition], Field(min_length=1)]


class AnyOf(_Closed):
    """One part holds."""

    any: Annotated[list[Condition], Field(min_length=1)]


class Not(_Closed):
    """The part does not hold."""

    not_: Annotated[Condition, Field(alias="not")]


class Is(_Closed):
    """Equal."""

    is_: Annotated[bool | str, Field(alias="is")]


class In(_Closed):
    """One of a list of words."""

    in_: Annotated[list[str], Field(alias="in", min_length=1)]


class HasAny(_Closed):
    """A list of words has one of these."""

    has_any: Annotated[list[str], Field(min_length=1)]


class Some(_Closed):
    """There is one at all."""

    some: StrictBool


class Below(_Closed):
    """Less than."""

    below: Annotated[int | str, BeforeValidator(_same)]


class AtMost(_Closed):
    """Not more than."""

    at_most: Annotated[int | str, BeforeValidator(_same)]


class AtLeast(_Closed):
    """Not less than."""

    at_least: Annotated[int | str, BeforeValidator(_same)]


class Above(_Closed):
    """More than."""

    above: Annotated[int | str, BeforeValidator(_same)]


_OPERATORS: dict[str, type[BaseModel]] = {
    "is": Is, "in": In, "has_any": HasAny, "some": Some,
    "below": Below, "at_most": AtMost, "at_least": AtLeast, "above": Above,
}  # fmt: skip


def _which_operator(said: Any) -> str | None:
    if isinstance(said, BaseModel):
        return next(name for name, shape in _OPERATORS.items() if isinstance(said, shape))
    if not isinstance(said, dict):
        return "just"
    return next(iter(said)) if len(said) == 1 and next(iter(said)) in _OPERATORS else None


Operand = Annotated[
    Annotated[Is, Tag("is")]
    | Annotated[In, Tag("in")]
    | Annotated[HasAny, Tag("has_any")]
    | Annotated[Some, Tag("some")]
    | Annotated[Below, Tag("below")]
    | Annotated[AtMost, Tag("at_most")]
    | Annotated[AtLeast, Tag("at_least")]
    | Annotated[Above, Tag("above")]
    | Annotated[bool | str, Tag("just")],
    Discriminator(
        _which_operator,
        custom_error_type="operator",
        custom_error_message="one operator of: " + ", ".join(_OPERATORS),
    ),
]

Test = Annotated[dict[str, Operand], Field(min_length=1, max_length=1)]


def _which_condition(said: Any) -> str | None:
    if isinstance(said, BaseModel):
        return {"All": "all", "AnyOf": "any", "Not": "not"}[type(said).__name__]
    if not isinstance(said, dict) or len(said) != 1:
        return None
    key = next(iter(said))
    return key if key in ("all", "any", "not") else "fact"


Condition = Annotated[
    Annotated[All, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[Test, Tag("fact")],
    Discriminator(
        _which_condition,
        custom_error_type="condition",
        custom_error_message="one of all, any, not, or one fact with its test",
    ),
]


class AtLeastLevels(_Closed):
    """Minima on the three ladders."""

    child_level: ChildLevel | None = None
    victim_level: v.VictimLevel | None = None
    css_response: v.CssResponse | None = None

    @model_validator(mode="after")
    def _says_something(self) -> AtLeastLevels:
        if self.child_level is None and self.victim_level is None and self.css_response is None:
            raise ValueError("names no ladder: child_level, victim_level or css_response")
        return self


class Rule(_Closed):
    """One rule."""

    id: Name
    when: Condition | None = None
    only_if: Condition | None = None
    at_least: AtLeastLevels | None = None
    step_up: Literal["child_level", "css_response"] | None = None
    routes: list[v.Service] = []
    consider: list[v.Service] = []
    handling: list[v.Handling] = []
    covered_by: list[Name] = []
    mitigating: bool = False
    because: Sentence
    source: Sentence

    @model_validator(mode="after")
    def _does_something(self) -> Rule:
        does = self.at_least or self.step_up or self.routes or self.consider or self.handling
        if self.mitigating and does:
            raise ValueError("a mitigating rule is shown to people and does nothing")
        if not self.mitigating and not does:
            raise ValueError("does nothing: say at_least, step_up, routes, consider or handling")
        return self


class Level(_Closed):
    """What a child's level means."""

    css_response: v.CssResponse
    routes: list[v.Service] = []
    consider: list[v.Service] = []
    because: Sentence
    source: Sentence


class LevelWithoutChild(_Closed):
    """What the same scale means for a victim alone."""

    routes: list[v.Service] = []
    consider: list[v.Service] = []
    because: Sentence
    source: Sentence


class Baseline(AtLeastLevels):
    """What holds when nothing fires."""

    because: Sentence
    source: Sentence


class NeverLower(_Closed):
    """The rule that a higher earlier result stands by (safeguard S14)."""

    id: Name
    because: Sentence
    source: Sentence


class Remark(_Closed):
    """What holds of a whole protocol, with its reason."""

    because: Sentence
    source: Sentence


class HeldByEngine(_Closed):
    """A safeguard that is no rule: the engine or the checker holds it, and tests show it."""

    id: Name
    because: Sentence
    source: Sentence
    shown_by: Annotated[list[str], Field(min_length=1)]


class AfterWaiting(NeverLower):
    """What goes out where nobody answered and a child is possible."""

    css_response: v.CssResponse


class ProtocolFile(_Closed):
    """A whole file."""

    id: Name
    version: Annotated[int, Field(ge=1, strict=True)]
    title: Sentence
    source: Sentence
    in_force_from: date
    baseline: Baseline | None = None
    levels: dict[ChildLevel, Level] | None = None
    without_child: dict[ChildLevel, LevelWithoutChild] | None = None
    never_lower: NeverLower | None = None
    after_waiting: AfterWaiting | None = None
    held_by_engine: list[HeldByEngine] = []
    screen_all: NeverLower | None = None
    never_live: Remark | None = None
    rules: list[Rule] = []
