"""Files of JSON lines that somebody may have been writing when they were cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson


def whole_lines(place: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Each line with its length in bytes, up to the first that is cut short or cannot be read."""
    with place.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                yield orjson.loads(line), len(line)
            except orjson.JSONDecodeError:
                return
