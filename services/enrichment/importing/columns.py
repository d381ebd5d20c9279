"""The columns of a council's CSV files, and the entries of `waymark.records/1` that their rows make.

An empty cell is unknown; a lone `-` where a list could stand is known none. Lists in a cell are separated
by semicolons. Dates and closed words go on as written: the service judges them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

Row = Mapping[str, str]

_NONE: Final = "-"
_TRUE: Final = frozenset({"yes", "y", "true", "1"})
_FALSE: Final = frozenset({"no", "n", "false", "0"})


class BadRow(Exception):
    """A row that makes no entry; the text says why without saying what stands in it."""


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of file: its columns, which of them must be there and filled, and what its rows make.

    `entry_of` takes the rows of one subject (one row, unless `subject` names a column whose neighbouring
    rows belong together)."""

    columns: tuple[str, ...]
    required: tuple[str, ...]
    entry_of: Callable[[Sequence[Row]], dict[str, Any]]
    subject: str | None = None


def check_header(name: str, table: Table, header: Sequence[str]) -> list[str]:
    """The columns in the order of the file. Raises ValueError, naming what is wrong and what was meant."""
    found = [column.strip().casefold() for column in header]
    wrong = [column for column in found if column not in table.columns]
    if wrong:
        named = wrong[0][:40]
        if ";" in wrong[0] or "\t" in wrong[0]:
            raise ValueError(f"{name}: columns are separated by commas.")
        close = get_close_matches(named, table.columns, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"{name} has a column {named!r} that is not taken.{meant} It takes {', '.join(table.columns)}."
        )
    if twice := sorted({column for column in found if found.count(column) > 1}):
        raise ValueError(f"{name} has the column {twice[0]!r} twice.")
    if missing := [column for column in table.required if column not in found]:
        raise ValueError(f"{name} lacks the column {missing[0]!r}.")
    return found


def _person(rows: Sequence[Row]) -> dict[str, Any]:
    [row] = rows
    name = _filled({"given": _text(row, "given"), "family": _text(row, "family")})
    if aliases := _list(row, "also_known_as"):
        name["also_known_as"] = aliases
    address = {part: _text(row, part) for part in ("line1", "line2", "town", "postcode")}
    phones = _list(row, "phones")
    school = {"name": _text(row, "school_name"), "urn": _text(row, "school_urn")}
    return _filled(
        {
            **{column: _text(row, column) for column in ("id", "role", "born", "sex", "area")},
            "name": name or None,
            "address": _filled(address) or None,
            "phones": None if phones is None else [{"number": number} for number in phones],
            "school": _filled(school) or None,
        }
    )


def _relationship(rows: Sequence[Row]) -> dict[str, Any]:
    [row] = rows
    return _filled(
        {
            "from": _text(row, "from"),
            "to": _text(row, "to"),
            "kind": _text(row, "relationship"),
            "separated_on": _text(row, "separated_on"),
            "lives_together": _yes_or_no(row, "lives_together"),
        }
    )


def _involvement(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows of one child: what is of the child may stand in any of them, each adds a pathway."""
    entry: dict[str, Any] = {}
    for row in rows:
        said = {
            "child": _text(row, "child"),
            "level": _text(row, "level"),
            "open": _yes_or_no(row, "open"),
            "worker": _text(row, "worker"),
            "plans": _list(row, "plans"),
            "re_referrals": _count(row, "re_referrals"),
        }
        for column, value in _filled(said).items():
            if entry.setdefault(column, value) != value:
                raise BadRow(f"the child's rows say different things in {column}")
    steps = [step for row in rows if (step := _step(row))]
    if any(row.get("pathway") == _NONE for row in rows):
        if steps:
            raise BadRow("pathway says that there were none, and other rows or columns that there were")
        entry["pathways"] = []
    elif steps:
        entry["pathways"] = steps
    return entry


def _step(row: Row) -> dict[str, Any]:
    pathway = _text(row, "pathway")
    step = {"from": _text(row, "from"), "to": _text(row, "to"), "reason_closed": _text(row, "reason_closed")}
    return _filled({"pathway": None if pathway == _NONE else pathway, **step})


def _removed(rows: Sequence[Row]) -> dict[str, Any]:
    [row] = rows
    return {"id": row["id"]}


def _filled(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _text(row: Row, column: str) -> str | None:
    return row.get(column) or None


def _list(row: Row, column: str) -> list[str] | None:
    said = row.get(column)
    if not said:
        return None
    return [] if said == _NONE else [part for word in said.split(";") if (part := word.strip())]


def _yes_or_no(row: Row, column: str) -> bool | None:
    said = row.get(column, "").casefold()
    if said and said not in _TRUE | _FALSE:
        raise BadRow(f"{column} is neither yes nor no")
    return None if not said else said in _TRUE


def _count(row: Row, column: str) -> int | None:
    said = row.get(column)
    if not said:
        return None
    if not (said.isascii() and said.isdigit() and len(said) < 5):
        raise BadRow(f"{column} is not a count")
    return int(said)


TABLES: Final[dict[str, Table]] = {
    "people": Table(
        (
            "id", "role", "given", "family", "also_known_as", "born", "sex", "line1", "line2", "town",
            "postcode", "area", "phones", "school_name", "school_urn",
        ),
        ("id",),
        _person,
    ),
    "relationships": Table(
        ("from", "to", "relationship", "separated_on", "lives_together"), ("from", "to"), _relationship
    ),
    "involvement": Table(
        (
            "child", "level", "open", "worker", "plans", "re_referrals", "pathway", "from", "to",
            "reason_closed",
        ),
        ("child",),
        _involvement,
        subject="child",
    ),
    "removed": Table(("id",), ("id",), _removed),
}  # fmt: skip


def row_of(columns: Iterable[str], cells: Sequence[str], table: Table) -> Row:
    """A row's cells by column. Raises BadRow where there are too many or too few, or one is missing."""
    named = list(columns)
    if len(cells) != len(named):
        raise BadRow(f"{len(cells)} cells in a row of {len(named)} columns")
    row = {column: cell.strip() for column, cell in zip(named, cells, strict=True)}
    if empty := [column for column in table.required if not row[column]]:
        raise BadRow(f"{empty[0]} is empty")
    return row
