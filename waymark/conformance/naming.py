"""A simulated month held against its truth: how many of the seeded faults and gaps are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from waymark.conformance.messages import NoMessages, is_address, messages_of
from waymark.simulate.naming import NamingTable, measure


def measure_naming(source: str, truth: Path) -> NamingTable:
    """The table for a month and its truth as `waymark simulate` wrote them. Raises NoMessages where they
    cannot be read or are not of one month."""
    if is_address(source):
        raise NoMessages("--truth goes with the file of a simulated month.")
    try:
        incidents = [orjson.loads(message.body) for message in messages_of(source)]
        return measure(incidents, _of_incidents(truth))
    except OSError as error:
        raise NoMessages(f"{truth} cannot be read: {error.strerror}.") from None
    except (KeyError, TypeError, ValueError):
        raise NoMessages(f"{truth} is not the truth of {source}.") from None


def _of_incidents(truth: Path) -> list[dict[str, Any]]:
    """The entries of incidents: behind them stand those of what councils know."""
    entries = [orjson.loads(line) for line in truth.read_bytes().splitlines() if line.strip()]
    return [entry for entry in entries if "faults" in entry and "case" in entry]
