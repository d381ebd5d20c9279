"""A form's mapping table: every box of a police form and its place in the canonical incident.

The tables are `north.yaml` and `south.yaml`, written to be read beside their source. They are checked when
they are loaded: against this format, and against the contract (a place that does not exist, a word that is
in no closed list). A table that fails stops the start with a sentence that names file, field and reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import resources
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.intake.forms.places import Holds, pattern_of, places
from shared.errors import BadSettings

FormName = Literal["north", "south"]
Kind = Literal["text", "lines", "tick", "yes_no", "choice", "choices", "number", "date", "time", "person"]

_KEY = r"^[a-z][a-z0-9_]*$"
_MAY_STAND: dict[Kind, tuple[Holds, ...]] = {
    "text": ("text",), "lines": ("texts",), "tick": ("bool", "words", "texts", "objects", "text"),
    "yes_no": ("bool",), "choice": ("word",), "choices": ("words",), "number": ("number",),
    "date": ("day", "moment"), "time": ("moment",), "person": ("text",),
}  # fmt: skip


def plain(word: str) -> str:
    """A word without what people write differently: case, hyphens, underscores, kinds of apostrophe."""
    return " ".join(word.replace("\u2019", "'").replace("-", " ").replace("_", " ").casefold().split())


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FormField(_Table):
    """One box. It has a `place` in the incident or, under `kept`, the reason why it has none; or it answers
    for the rows of a group (`for_each`)."""

    type: Kind
    meaning: str
    source: str
    place: str | None = None
    kept: str | None = None
    needed: bool = False
    words: dict[str, str] = {}
    """The form's words of a choice and ours."""
    broader: dict[str, str] = {}
    """Our words that the form does not tell apart, and the form's word that is written for them."""
    says: str | dict[str, str] | bool = True
    """What a tick says: `true`, a word of a list, a line of a text, or an entry of a list of objects."""
    for_any: bool = False
    """A tick that is set for a list with anything in it, whatever that is."""
    part_of: str | None = None
    """For a time: the date that it belongs to."""
    in_place_of: str | None = None
    """For a kept field: the field that it stands in for; named as a fault where that one is empty."""
    for_each: str | None = None
    """`group.field`: one answer for all rows of a group, in whose box it stands where they have none."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(one is not None for one in (self.place, self.kept, self.for_each)) != 1:
            raise ValueError("needs either a place or, under kept, why it has none")
        if bool(self.words) != (self.type in ("choice", "choices")):
            raise ValueError("words belong to a choice, and every choice has some")
        if (self.part_of is not None) != (self.type == "time"):
            raise ValueError("part_of belongs to a time, and every time has one")
        if self.place is not None:
            self._check_place(self.place)
        return self

    def _check_place(self, at: str) -> None:
        place = places().get(at)
        if place is None:
            raise ValueError(f"{at} is no place of the contract")
        if place.holds not in _MAY_STAND[self.type]:
            raise ValueError(f"a {self.type} cannot stand at {at}, which holds a {place.holds}")
        ours = {*self.words.values(), *self.broader}
        if place.holds == "words" and isinstance(self.says, str):
            ours.add(self.says)
        if strange := sorted(ours - set(place.words)):
            raise ValueError(f"{strange[0]} is not in the closed list of {at}")
        if strange := sorted(set(self.broader.values()) - set(self.words)):
            raise ValueError(f"{strange[0]} is not a word of the form")
        says = {"bool": bool, "objects": dict}.get(place.holds, str)
        if self.type == "tick" and not isinstance(self.says, says):
            raise ValueError(f"a tick at {at} has to say a {says.__name__}")

    @cached_property
    def ours(self) -> dict[str, str]:
        """Our word for each word of the form, however it is written (see `plain`), and for our own."""
        own = {plain(word): word for word in self.words.values()}
        return own | {plain(said): word for said, word in self.words.items()}

    @cached_property
    def written(self) -> dict[str, str]:
        """The form's word for each word of ours that it has one for."""
        return {word: said for said, word in self.words.items()} | self.broader

    @property
    def holds(self) -> Holds | None:
        """What stands at this field's place; None where it has none."""
        return None if self.place is None else places()[self.place].holds


class Group(_Table):
    """Rows that repeat: a list in JSON, numbered columns in CSV (`child_1_given_name`)."""

    one: str = Field(pattern=_KEY)
    place: str
    ids: str | None = Field(default=None, pattern=r"^[a-z]$")
    """The letter of the ids that its rows get, for rows that others refer to: `a` for `a1`, `a2`."""
    meaning: str
    source: str
    fields: dict[str, FormField]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.place not in places() or places()[self.place].holds != "objects":
            raise ValueError(f"{self.place} is no list of the contract")
        for name, field in self.fields.items():
            if field.place is not None and not field.place.startswith(f"{self.place}/*/"):
                raise ValueError(f"{name} stands outside {self.place}")
        return self


class Lost(_Table):
    """Something of the incident that the form has no box for."""

    place: str
    because: str
    source: str
    only: tuple[str, ...] = ()
    """Only these values are lost: words, `false`, or `none` for a list that is known to be empty."""
    all_but: tuple[str, ...] = ()
    """Every value is lost but these."""
    but: tuple[str, ...] = ()
    """Places beneath this one that the form has a box for."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for at in (self.place, *self.but):
            if at not in places():
                raise ValueError(f"{at} is no place of the contract")
        if self.only and self.all_but:
            raise ValueError("only and all_but exclude one another")
        return self

    @property
    def whole(self) -> bool:
        """Whether the form has no box at all for this place."""
        return not self.only and not self.all_but

    def covers(self, place: str) -> bool:
        """Whether `place` is this one or lies beneath it, and is not excepted."""
        return _beneath(place, self.place) and not any(_beneath(place, one) for one in self.but)

    def loses(self, place: str, value: str) -> bool:
        """Whether the form cannot say `value` (`none` for a list that is known to be empty) at `place`."""
        if self.whole:
            return self.covers(place)
        return place == self.place and (value in self.only if self.only else value not in self.all_but)


class Form(_Table):
    """A whole form."""

    form: FormName
    title: str
    source: str
    about: str
    fields: dict[str, FormField]
    groups: dict[str, Group]
    cannot_carry: tuple[Lost, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        for at, fields in (("", self.fields), *((f"{n}.", g.fields) for n, g in self.groups.items())):
            for name, field in fields.items():
                if not re.match(_KEY, name):
                    raise ValueError(f"{at}{name} is no name for a column")
                if field.for_each is not None and self.answers_for(field) is None:
                    raise ValueError(f"{at}{name} answers for {field.for_each}, which has no box like it")
                for other in (field.part_of, field.in_place_of):
                    if other is not None and other not in fields:
                        raise ValueError(f"{at}{name} names {other}, which the form does not have")
        return self

    @cached_property
    def by_place(self) -> dict[str, tuple[str | None, str]]:
        """The first box, as (group, name), at each place that has one, and at each part above it."""
        found: dict[str, tuple[str | None, str]] = {}
        for group, name, field in self.boxes():
            at = field.place or ""
            while at:
                found.setdefault(at, (group, name))
                at = at.rpartition("/")[0]
        return found

    @cached_property
    def columns(self) -> dict[str, tuple[str, str]]:
        """For `child_given_name`, a CSV column without its number: (group, name)."""
        return {
            f"{group.one}_{name}": (key, name) for key, group in self.groups.items() for name in group.fields
        }

    def answers_for(self, field: FormField) -> tuple[str, str] | None:
        """The group and the box of its rows that `field` answers for; None where there is none like it."""
        group, _, name = (field.for_each or "").partition(".")
        box = self.groups[group].fields.get(name) if group in self.groups else None
        same = box is not None and (box.type, box.words) == (field.type, field.words)
        return (group, name) if same else None

    def boxes(self) -> Iterator[tuple[str | None, str, FormField]]:
        """Every box of the form: its group (None outside groups), its name, and what it is."""
        for name, field in self.fields.items():
            yield None, name, field
        for key, group in self.groups.items():
            for name, field in group.fields.items():
                yield key, name, field

    @cached_property
    def open_lists(self) -> frozenset[str]:
        """Places of lists of which the form can name some entries and not others: never complete."""
        by_tick = {f.place for _, _, f in self.boxes() if f.type == "tick" and f.holds == "objects"}
        some = {o.place for o in self.cannot_carry if o.all_but or set(o.only) - {"none", "false"}}
        lists = {at for at in some if places()[at].holds in ("words", "texts")}
        return frozenset(at for at in by_tick | lists if at is not None)

    def can_carry(self, pointer: str) -> bool:
        """Whether the form has a box for what `pointer` points at, or for a part of it."""
        place = pattern_of(pointer)
        if place.removesuffix("/*") not in self.by_place:
            return False
        return not any(lost.whole and lost.covers(place) for lost in self.cannot_carry)


def _beneath(place: str, above: str) -> bool:
    return place == above or place.startswith(f"{above}/")


@cache
def load_form(form: FormName) -> Form:
    """The mapping table of a form, checked. Raises BadSettings where the table is wrong."""
    text = (resources.files(__package__) / f"{form}.yaml").read_text(encoding="utf-8")
    return read_table(text, f"{form}.yaml")


def read_table(text: str, file: str) -> Form:
    """Read a mapping table. Raises BadSettings with the file, the field and the reason."""
    try:
        said: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadSettings(f"{file} is not YAML: {error}") from error
    try:
        return Form.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the table"
        raise BadSettings(f"{file}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
