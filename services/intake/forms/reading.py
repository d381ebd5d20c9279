"""One reader for every form, driven by its mapping table.

It takes a form's own fields as JSON (rows as lists) or as a CSV row (rows as numbered columns) and gives
the canonical incident with unknown left out, what the form alone can tell to be wrong, and the way back
from a place in the incident to the box that it came from. An empty box is unknown, never "no".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from services.intake.forms import cells
from services.intake.forms.mapping import Form, FormField, FormName, load_form, plain
from services.intake.forms.places import pattern_of
from shared.contracts.incident import Fault
from shared.errors import Refused

_NUMBERED = re.compile(r"^([a-z_]+)_(\d{1,4})_([a-z0-9_]+)$")
_UNKNOWN_NAMED: Final = 50
"""So many unknown columns are named one by one; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Said:
    """What stands in a box, and where: a JSON pointer into the form as it was sent. `disputed`: it stands
    there more than once with different values, and none of them counts."""

    value: Any
    at: str
    disputed: bool = False


@dataclass(slots=True)
class _Laid:
    """A form laid out: what was said outside groups, and per group and row."""

    single: dict[str, Said] = field(default_factory=dict)
    rows: dict[str, dict[int, dict[str, Said]]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    numbered: bool = False
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class FormReading:
    """A form read. `incident` is what the door takes; `faults` point into the form as it was sent."""

    incident: dict[str, Any]
    faults: list[Fault]
    open_lists: list[Fault]
    """Lists that the form cannot complete, by their place in the incident (the entry after the last): for
    the case, so that what the form has no box for stays unknown; the supplier need not be told each time."""
    form: Form
    origins: dict[str, str]
    """Places in the incident and the boxes that they were read from."""
    row_numbers: dict[str, list[int]]
    """Per group, the form's row number of each entry of the incident's list."""
    numbered: bool
    """Whether rows came as numbered columns (CSV)."""

    def place_of(self, pointer: str) -> str:
        """The form's own box for a place in the incident (`/children/0/born` ->
        `/child_1_date_of_birth` or `/children/0/date_of_birth`); the pointer itself where it has none."""
        if pointer in self.origins:
            return self.origins[pointer]
        box = self.form.by_place.get(pattern_of(pointer))
        if box is None or not self.can_carry(pointer):
            return pointer
        group, name = box
        if group is None:
            return f"/{name}"
        here = self.form.groups[group].place
        beneath = pointer.removeprefix(here).split("/")
        if len(beneath) < 2:
            return f"/{self.form.groups[group].one}_1_{name}" if self.numbered else f"/{group}"
        index = int(beneath[1])
        numbers = self.row_numbers.get(group, [])
        number = numbers[index] if index < len(numbers) else index + 1
        if self.numbered:
            return f"/{self.form.groups[group].one}_{number}_{name}"
        row = f"/{group}/{number - 1}"
        return row if len(beneath) == 2 else f"{row}/{name}"

    def can_carry(self, pointer: str) -> bool:
        """Whether the form has a box for this place of the incident: where not, a gap there is told the
        supplier once (`not_carried`), not each time."""
        return self.form.can_carry(pointer)


def read_form(form: FormName, fields: object) -> FormReading:
    """Read a form's own fields (parsed JSON, or a CSV row's). Raises Refused (422) where it is no object.

    Nothing else is refused here: the door decides whether force, reference and the time can be read.
    """
    if not isinstance(fields, dict):
        raise Refused(422, "Not a form", "Send one JSON object with the form's own fields.")
    table = load_form(form)
    laid = _lay_out(table, fields)
    _answer_for_rows(table, laid)
    reader = _Reader(table, laid.faults)
    reader.read_boxes(table.fields, laid.single, "")
    row_numbers: dict[str, list[int]] = {}
    for key, group in table.groups.items():
        rows = [(n, row) for n, row in sorted(laid.rows.get(key, {}).items()) if _says_something(row)]
        row_numbers[key] = [n for n, _ in rows]
        for index, (number, row) in enumerate(rows):
            reader.begin_row(group.place, f"{group.ids}{number}" if group.ids else None)
            reader.read_boxes(group.fields, row, f"{group.place}/{index}")
    faults = list({(fault.at, fault.because): fault for fault in laid.faults}.values())
    return FormReading(
        incident=reader.incident,
        faults=faults,
        open_lists=list(reader.open_lists()),
        form=table,
        origins=reader.sent_at(),
        row_numbers=row_numbers,
        numbered=laid.numbered,
    )


def _says_something(row: dict[str, Said]) -> bool:
    return any(not cells.is_empty(said.value) for said in row.values())


def _answer_for_rows(table: Form, laid: _Laid) -> None:
    """Put one answer for all rows into those that have none of their own.

    Without any row it still says that there is somebody, unless it is the answer that says least: "were
    the children present? yes" with no child written down is a child who was there.
    """
    for name, box in table.fields.items():
        said = laid.single.pop(name, None) if box.for_each else None
        answered = table.answers_for(box)
        if said is None or answered is None or cells.is_empty(said.value):
            continue
        group, target = answered
        rows = laid.rows.setdefault(group, {})
        filled = [row for row in rows.values() if _says_something(row)]
        if not filled and not cells.is_no(said.value):
            filled = [rows.setdefault(1, {})]
        for row in filled:
            own = row.get(target)
            if own is None or cells.is_empty(own.value):
                row[target] = said


def _lay_out(table: Form, fields: dict[Any, Any]) -> _Laid:
    laid = _Laid()
    for key, value in fields.items():
        said = Said(value, f"/{_escaped(key)}")
        name = _column(key)
        found = _NUMBERED.match(name)
        column = table.columns.get(f"{found[1]}_{found[3]}") if found else None
        if name in table.fields:
            _put(laid, laid.single, name, said)
        elif name in table.groups:
            _lay_out_rows(table, laid, name, said)
        elif found and column:
            laid.numbered = True
            rows = laid.rows.setdefault(column[0], {})
            _put(laid, rows.setdefault(int(found[2]), {}), column[1], said)
        else:
            known = [*table.fields, *table.groups, *table.columns]
            _name_unknown(laid, name, said, known)
    if laid.unknown > _UNKNOWN_NAMED:
        more = laid.unknown - _UNKNOWN_NAMED
        laid.faults.append(Fault(at="", because=f"{more} more fields that this form does not have"))
    return laid


def _lay_out_rows(table: Form, laid: _Laid, group: str, said: Said) -> None:
    if said.value is None:
        return
    if not isinstance(said.value, list):
        laid.faults.append(_fault(said, "not a list of rows"))
        return
    rows = laid.rows.setdefault(group, {})
    for index, entry in enumerate(said.value):
        row = Said(entry, f"{said.at}/{index}")
        if isinstance(entry, dict):
            for key, value in entry.items():
                box = Said(value, f"{row.at}/{_escaped(key)}")
                name = _column(key)
                if name in table.groups[group].fields:
                    _put(laid, rows.setdefault(index + 1, {}), name, box)
                else:
                    _name_unknown(laid, name, box, list(table.groups[group].fields))
        elif entry is not None:
            laid.faults.append(_fault(row, "not a row of fields"))


def _put(laid: _Laid, row: dict[str, Said], name: str, said: Said) -> None:
    before = row.get(name)
    if before is None or (cells.is_empty(before.value) and not before.disputed):
        row[name] = said
    elif not cells.is_empty(said.value) and said.value != before.value:
        # Taking either would let a reassuring one stand against the other.
        because = f"says otherwise than {before.at}: both kept as written, treated as unknown"
        laid.faults.append(_fault(said, because))
        row[name] = Said(None, before.at, disputed=True)


def _name_unknown(laid: _Laid, name: str, said: Said, known: list[str]) -> None:
    if cells.is_empty(said.value):
        return
    laid.unknown += 1
    if laid.unknown > _UNKNOWN_NAMED:
        return
    found = _NUMBERED.match(name)
    near = difflib.get_close_matches((f"{found[1]}_{found[3]}" if found else name)[:100], known, n=1)
    hint = ""
    if near:
        meant = near[0]
        if found:
            one = next((o for o in _first_parts(meant) if o == found[1]), meant.partition("_")[0])
            meant = f"{one}_{found[2]}{meant.removeprefix(one)}"
        hint = f"; did you mean {meant}?"
    laid.faults.append(_fault(said, f"not a field of this form: kept as written, not read{hint}"))


def _first_parts(name: str) -> Iterator[str]:
    parts = name.split("_")
    return ("_".join(parts[:n]) for n in range(1, len(parts)))


def _column(key: object) -> str:
    return plain(str(key)).replace(" ", "_")


def _escaped(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _fault(said: Said, because: str) -> Fault:
    return Fault(at=said.at, said=said.value, because=because)


class _Reader:
    """Puts what the boxes say where it belongs in the incident."""

    def __init__(self, table: Form, faults: list[Fault]) -> None:
        self.incident: dict[str, Any] = {}
        self.origins: dict[str, str] = {}
        self._empty: dict[str, str] = {}
        self._table = table
        self._faults = faults
        self._open: set[str] = set()

    def sent_at(self) -> dict[str, str]:
        """The box of each place, as it was sent: the one that was read, else one that was left empty."""
        return {**self._empty, **self.origins}

    def begin_row(self, place: str, own_id: str | None) -> None:
        """Start the next entry of the list at `place`."""
        rows = self._at(place, [])
        rows.append({"id": own_id} if own_id is not None else {})

    def read_boxes(self, boxes: dict[str, FormField], row: dict[str, Said], entry: str) -> None:
        """Read one row of boxes; `entry` is the pointer of the incident's entry, empty outside groups."""
        for name, box in boxes.items():
            said = row.get(name)
            if said is None:
                continue
            if cells.is_empty(said.value):
                self._empty.setdefault(self._pointer(box, entry), said.at)
                continue
            try:
                if box.type == "date" and box.holds == "moment":
                    self._read_moment(box, said, self._time_of(boxes, row, name))
                elif box.type != "time":
                    self._read_box(box, said, entry)
            except cells.Unread as unread:
                self._faults.append(_fault(said, f"{unread}: kept as written, treated as unknown"))
            instead = row.get(box.in_place_of) if box.in_place_of else None
            if box.in_place_of and (instead is None or cells.is_empty(instead.value)):
                because = f"cannot stand for {box.in_place_of}: kept as written, treated as unknown"
                self._faults.append(_fault(said, because))

    @staticmethod
    def _time_of(boxes: dict[str, FormField], row: dict[str, Said], date: str) -> tuple[str, Said | None]:
        name = next(name for name, box in boxes.items() if box.part_of == date)
        return name, row.get(name)

    def _read_moment(self, box: FormField, said: Said, time: tuple[str, Said | None]) -> None:
        name, clock = time
        if clock is None or cells.is_empty(clock.value):
            clock = Said(None, clock.at if clock else f"/{name}")
        try:
            moment = cells.read_moment_of(said.value, clock.value)
        except cells.Unread as unread:
            self._faults.append(_fault(clock, f"{unread}: kept as written, the beginning of the day is taken"))
            moment = cells.read_moment_of(said.value, None)
        if clock.value is None and str(moment).endswith("T00:00"):
            self._faults.append(_fault(clock, "no time of day: the beginning of the day is taken"))
        self._set(box, "", moment, said.at)

    def _read_box(self, box: FormField, said: Said, entry: str) -> None:
        if box.type == "tick":
            if cells.read_tick(said.value) and box.place is not None:
                self._set_tick(box, entry, said.at)
        elif box.place is None:
            return
        elif box.type == "choices":
            self._read_choices(box, said, entry)
        elif box.type == "lines":
            lines = cells.read_several(said.value, r"\r\n|\r|\n")
            if isinstance(lines, list):
                for line in lines:
                    self._append(box, entry, line, said.at)
            else:
                self._set(box, entry, lines, said.at)
        else:
            self._set(box, entry, self._read_one(box, said.value), said.at)

    @staticmethod
    def _read_one(box: FormField, value: Any) -> Any:
        if box.type == "choice":
            return cells.read_choice(box, value)
        if box.type == "yes_no":
            return cells.read_yes_no(value)
        if box.type == "number":
            return cells.read_number(value)
        if box.type == "person":
            return cells.read_person(value)
        return value

    def _read_choices(self, box: FormField, said: Said, entry: str) -> None:
        words = cells.read_several(said.value, ";")
        if not isinstance(words, list):
            raise cells.Unread("neither a list of words nor text")
        for index, word in enumerate(words):
            at = f"{said.at}/{index}" if isinstance(said.value, list) else said.at
            try:
                self._append(box, entry, cells.read_choice(box, word), at)
            except cells.Unread as unread:
                self._open.add(self._pointer(box, entry))
                self._faults.append(_fault(Said(word, at), f"{unread}: kept as written, treated as unknown"))

    def _set_tick(self, box: FormField, entry: str, at: str) -> None:
        if box.holds in ("words", "texts", "objects"):
            says = dict(box.says) if isinstance(box.says, dict) else box.says
            self._append(box, entry, says, at)
        else:
            self._set(box, entry, box.says, at)

    def _pointer(self, box: FormField, entry: str) -> str:
        place = box.place or ""
        return entry + place[len(pattern_of(entry)) :] if entry else place

    def _append(self, box: FormField, entry: str, value: Any, at: str) -> None:
        pointer = self._pointer(box, entry)
        entries = self._at(pointer, [])
        self.origins.setdefault(pointer, at)
        self.origins[f"{pointer}/{len(entries)}"] = at
        entries.append(value)
        if box.place in self._table.open_lists:
            self._open.add(pointer)

    def _set(self, box: FormField, entry: str, value: Any, at: str) -> None:
        pointer = self._pointer(box, entry)
        holder = self._at(pointer.rpartition("/")[0], {})
        key = pointer.rpartition("/")[2]
        # Several boxes may write one text: the checklist and what the officer adds to it.
        joined = box.holds == "text" and isinstance(value, str) and isinstance(holder.get(key), str)
        holder[key] = f"{holder[key]}\n{value}" if joined else value
        self.origins.setdefault(pointer, at)

    def _at(self, pointer: str, fresh: Any) -> Any:
        """What stands at `pointer`; where nothing does yet, `fresh`, with the parts above it."""
        here: Any = self.incident
        steps = pointer.split("/")[1:]
        for place, step in enumerate(steps):
            if isinstance(here, list):
                here = here[int(step)]
            else:
                here = here.setdefault(step, fresh if place == len(steps) - 1 else {})
        return here

    def open_lists(self) -> Iterator[Fault]:
        """The lists that are there and that this form, or this filling of it, leaves incomplete."""
        for pointer in sorted(self._open):
            because = "the form names some entries and cannot name others: what it does not name is unknown"
            yield Fault(at=f"{pointer}/{len(self._at(pointer, []))}", because=because)
