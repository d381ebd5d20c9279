"""What is kept of a refusal: the words that a developer needs, and none that could name a person."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from shared.contracts.incident import Adult, Child, Incident
from shared.contracts.notification import Notification

LONGEST: Final = 200

_TECHNICAL: Final = (
    "a an and are as at authentication authorization bad be because body busy by can cannot certificate"
    " charset conflict connection content could database denied detail does down duplicate empty endpoint"
    " error errors exceeded exception expected expired failed failure field fields for forbidden format"
    " found gateway handler has have header headers http id in internal invalid is it json key large later"
    " length limit loc long maintenance malformed many match memory message method mismatch missing must"
    " no not null object of on or parameter parse payload permission please processing property queue rate"
    " read reason refused rejected request required response retry schema secret server service signature"
    " status string temporarily temporary the this time timeout timestamp title to token too trace try type"
    " unable unauthorized unavailable unexpected unknown unsupported upstream url valid validation value"
    " verification verify version was webhook while with"
)
_PIECE: Final = re.compile(r"[A-Za-z_]+(?:-[A-Za-z_]+)*|[0-9]+|[^A-Za-z0-9_]")
_STATUS: Final = re.compile("[1-5][0-9][0-9]")
_HIDDEN: Final = "•••"


@cache
def _known() -> frozenset[str]:
    """Words of this list, and the names of the contract's own fields."""
    return frozenset(_TECHNICAL.split()) | {
        name for model in (Notification, Incident, Adult, Child) for name in model.model_fields
    }


def scrubbed(said: bytes) -> str:
    """A refusal in at most 200 characters: words that are not on a list of technical ones, and numbers
    that are no HTTP status, are hidden. It may quote what was sent, so what is not known to be harmless is
    taken for a person's."""
    found: list[str] = []
    for piece in _PIECE.findall(said[:1000].decode("utf-8", "replace")):
        if piece.isspace():
            kept = " "
        elif piece[0].isascii() and piece[0].isdigit():
            kept = piece if _STATUS.fullmatch(piece) else _HIDDEN
        elif piece[0].isascii() and (piece[0].isalpha() or piece[0] == "_"):
            kept = piece if _technical(piece) else _HIDDEN
        else:
            kept = piece if piece in "{}[]():;,.\"'=/<>&-" else _HIDDEN
        if kept == _HIDDEN and found and found[-1] == _HIDDEN:
            continue
        if kept == " " and found and found[-1] == " ":
            continue
        found.append(kept)
    return "".join(found).strip()[:LONGEST]


def _technical(piece: str) -> bool:
    known = _known()
    return piece in known or all(part.lower() in known for part in piece.split("-"))
