"""Times as people say them, with the exact time always at hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

LOCAL: Final = ZoneInfo("Europe/London")


def say_duration(ms: float) -> str:
    """A length of time in one unit or two: `3.4 ms`, `820 ms`, `1.8 s`, `12 min`, `2 h 5 min`, `3 d 4 h`.

    Durations between stages differ by a factor of a million; what matters is the first two figures.
    """
    ms = max(0.0, ms)
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def say_offset(ms: float) -> str:
    """A place on a scale of time: `−2 h 23 min`, `0`, `+89 ms`."""
    if ms == 0:
        return "0"
    return f"+{say_duration(ms)}" if ms > 0 else f"−{say_duration(-ms)}"


def say_length(span: timedelta) -> str:
    """A length of time in words, rounded down to what one would say: `12 minutes`, `1 hour 5 minutes`."""
    seconds = int(abs(span.total_seconds()))
    if seconds < 60:
        return "less than a minute"
    minutes = seconds // 60
    if minutes < 60:
        return _count(minutes, "minute")
    hours, minutes = divmod(minutes, 60)
    if hours < 6 and minutes:
        return f"{_count(hours, 'hour')} {_count(minutes, 'minute')}"
    if hours < 48:
        return _count(hours, "hour")
    return _count(hours // 24, "day")


def say_deadline(due: datetime, now: datetime) -> str:
    """`breaches in 12 minutes`, or `breached 3 hours ago`. Rounded so that it never promises too much."""
    if due > now:
        return f"breaches in {say_length(due - now)}"
    return f"breached {say_length(now - due)} ago"


def say_age(since: datetime, now: datetime) -> str:
    """`4 minutes ago`; `just now` within ten seconds."""
    if abs((now - since).total_seconds()) < 10:
        return "just now"
    return f"in {say_length(since - now)}" if since > now else f"{say_length(now - since)} ago"


def exact(moment: datetime) -> str:
    """The exact time as the clock on the wall shows it: `21 November 2026 at 01:15:02 GMT`."""
    local = moment.astimezone(LOCAL)
    return f"{local.day} {local:%B %Y} at {local:%H:%M:%S} {local:%Z}"


def say_day(day: date) -> str:
    """`Tuesday 1 December 2026`."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def machine(moment: datetime) -> str:
    """The same for a `datetime` attribute or JSON: ISO 8601 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def minutes_until(due: datetime, now: datetime) -> float:
    """Minutes from `now` to `due`, below zero once it is past."""
    return round((due - now).total_seconds() / 60, 1)


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
