"""CSV that a spreadsheet opens as text. Several services write files that people open so."""

from __future__ import annotations

from typing import Any, Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: Any) -> str:
    """`value` as a cell: what a spreadsheet would take for a formula gets an apostrophe in front. None is
    empty."""
    text = "" if value is None else str(value)
    # A spreadsheet trims before it looks, so blanks in front hide nothing from it.
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text
