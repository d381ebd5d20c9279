"""Areas at work: which one a case belongs to, its working and school days, and when things are due.

An `Area` is made of an area's rules (`shared/contracts/area.py`), its bank holidays (the `holidays`
library) and its school terms (a CSV beside the file). It is immutable and does no I/O: `load_areas`
reads `deploy/areas/*.yaml`. Deadlines follow design.md, promise 10.
"""

from __future__ import annotations

import csv
import re
from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import holidays
import yaml
from pydantic import ValidationError

from shared import vocabulary as v
from shared.canonical import digest
from shared.contracts.area import AreaRules, Calendar, Escalation, MaracCycle, MeetingCycle, ProtocolChoice
from shared.errors import BadSettings

AREAS: Final = Path(__file__).resolve().parents[1] / "deploy" / "areas"
IMMEDIATE: Final = timedelta(minutes=15)

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SUBDIVISIONS: Final = {"england": "ENG", "wales": "WLS", "scotland": "SCT", "northern_ireland": "NIR"}
_TERM: Final = re.compile(
    r"immediate"
    r"|(?P<hours>[1-9]\d*) hours?"
    r"|(?P<days>[1-9]\d*) working days?"
    r"|next school day (?P<at>[0-2]\d:[0-5]\d)"
    r"|next meeting"
)


def shift_months(day: date, months: int) -> date:
    """The same day so many calendar months on (back where negative), the month's last where it has none."""
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month0 + 1, min(day.day, monthrange(year, month0 + 1)[1]))


@dataclass(frozen=True, slots=True)
class Term:
    """Days on which schools are open (`open`), or a run of days within them on which they are not."""

    first: date
    last: date
    open: bool


@lru_cache(maxsize=64)
def _bank_holidays(nation: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("GB", subdiv=_SUBDIVISIONS[nation], years=year))


@dataclass(frozen=True)
class Area:
    """One area. Two areas made of the same rules and terms are equal and have the same `digest`."""

    rules: AreaRules
    terms: tuple[Term, ...] = ()
    known: bool = True
    """False for the stand-in used where no area of ours fits: its deadlines hold, nobody answers for it."""
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)
    _closes: time = field(init=False, repr=False, compare=False)
    _opens: time = field(init=False, repr=False, compare=False)
    digest: str = field(init=False, compare=False)
    _seen: dict[tuple[date, int], datetime] = field(default_factory=dict, repr=False, compare=False)
    """Closings already worked out, by day and number of working days."""

    def __post_init__(self) -> None:
        calendar = self.rules.calendar
        opens, closes = calendar.office.split("-")
        put = object.__setattr__
        put(self, "_zone", ZoneInfo(calendar.timezone))
        put(self, "_opens", time.fromisoformat(opens))
        put(self, "_closes", time.fromisoformat(closes))
        terms = [{"first": t.first.isoformat(), "last": t.last.isoformat(), "open": t.open} for t in self.terms]
        put(self, "digest", digest({"rules": self.rules.as_json(), "terms": terms}))

    @property
    def id(self) -> str:
        """The area's id, as in incidents and routes."""
        return self.rules.id

    def local_day(self, moment: datetime) -> date:
        """The calendar day of `moment` where the area is."""
        return moment.astimezone(self._zone).date()

    def is_working_day(self, day: date) -> bool:
        """Monday to Friday, bank holidays excepted."""
        return day.weekday() < 5 and day not in _bank_holidays(self.rules.calendar.holidays, day.year)

    def is_open(self, moment: datetime) -> bool:
        """Whether `moment` lies within the office hours of a working day."""
        local = moment.astimezone(self._zone)
        return self.is_working_day(local.date()) and self._opens <= local.time() < self._closes

    def opens_next(self, moment: datetime) -> datetime:
        """The first office opening after `moment`."""
        day = self.local_day(moment)
        while not (self.is_working_day(day) and self.moment(day, self._opens) > moment):
            day += timedelta(days=1)
        return self.moment(day, self._opens)

    def is_school_day(self, day: date) -> bool:
        """A working day within a term and not within a closure.

        Beyond the first and last day that the terms speak of, every working day counts: a notice that
        comes a holiday early does no harm, one that waits for a calendar does.
        """
        if not self.is_working_day(day):
            return False
        if not self.terms or not self.terms[0].first <= day <= max(t.last for t in self.terms):
            return True
        within = [term for term in self.terms if term.first <= day <= term.last]
        return any(term.open for term in within) and all(term.open for term in within)

    def working_days_after(self, moment: datetime, days: int) -> datetime:
        """Office closing on the `days`-th working day after the day of `moment` (design.md, promise 10)."""
        day = self.local_day(moment)
        key = (day, days)
        if key not in self._seen:
            if len(self._seen) > 4096:
                self._seen.clear()
            while days > 0:
                day += timedelta(days=1)
                if self.is_working_day(day):
                    days -= 1
            self._seen[key] = self.moment(day, self._closes)
        return self._seen[key]

    def next_school_day(self, moment: datetime, at: time) -> datetime:
        """The first school day's `at` that is still to come: today's, where school has not begun."""
        day = self.local_day(moment)
        while not (self.is_school_day(day) and self.moment(day, at) > moment):
            day += timedelta(days=1)
        return self.moment(day, at)

    def cycle(self, kind: v.MeetingKind) -> MeetingCycle:
        """When meetings of a kind are held."""
        return (self.rules.allocation_panel if kind == "allocation_panel" else None) or self.rules.marac

    def meetings_from(self, day: date, kind: v.MeetingKind = "marac") -> Iterator[date]:
        """The days on which the area's meeting is held, `day` or later; moved on past days off."""
        cycle = self.cycle(kind)
        if cycle.every == "working day":
            yield from self._working_days_from(max(day, cycle.first))
        weeks = int(cycle.every.split()[0])
        held = cycle.first + timedelta(days=(_WEEKDAYS.index(cycle.weekday) - cycle.first.weekday()) % 7)
        if held < day:
            held += timedelta(weeks=weeks * ((day - held).days // (7 * weeks)))
        while True:
            actual = held
            while not self.is_working_day(actual):
                actual += timedelta(days=1)
            if actual >= day:
                yield actual
            held += timedelta(weeks=weeks)

    def _working_days_from(self, day: date) -> Iterator[date]:
        while True:
            if self.is_working_day(day):
                yield day
            day += timedelta(days=1)

    def list_closes(self, meeting: date, kind: v.MeetingKind = "marac") -> datetime:
        """Until when a case can join the list of `meeting`: closing, the cut-off's working days before."""
        day, left = meeting, self.cycle(kind).cut_off_working_days
        while left > 0:
            day -= timedelta(days=1)
            if self.is_working_day(day):
                left -= 1
        return self.moment(day, self._closes)

    def meeting_for(self, moment: datetime, kind: v.MeetingKind = "marac") -> date:
        """The first meeting whose list is still open at `moment`."""
        for meeting in self.meetings_from(self.local_day(moment), kind):
            if self.list_closes(meeting, kind) >= moment:
                return meeting
        raise AssertionError("meetings never end")

    def next_meeting(self, moment: datetime, kind: v.MeetingKind = "marac") -> datetime:
        """Office opening on the day of the first meeting whose list is still open at `moment`."""
        return self.moment(self.meeting_for(moment, kind), self._opens)

    def due(self, service: str, response: str | None, as_of: datetime) -> datetime:
        """By when `service` must have received a case, counted from `as_of`.

        The CSS `response` decides where there is one, else the service, else the area's default.
        """
        table = self.rules.due
        term = table.get(response) if response is not None else None
        kind: v.MeetingKind = "allocation_panel" if service == "allocation_panel" else "marac"
        return self.deadline(term or table.get(service) or table["default"], as_of, kind)

    def deadline(self, term: str, as_of: datetime, kind: v.MeetingKind = "marac") -> datetime:
        """The moment that `term` (such as `1 working day`) means when counted from `as_of`, in UTC. `kind`:
        of whose meetings the next is meant."""
        found = _TERM.fullmatch(term)
        if found is None:
            raise ValueError(f"not a deadline: {term!r}")
        # In local time an hour more or less would be lost where the clocks change.
        as_of = as_of.astimezone(UTC)
        if found["hours"]:
            return as_of + timedelta(hours=int(found["hours"]))
        if found["days"]:
            return self.working_days_after(as_of, int(found["days"]))
        if found["at"]:
            return self.next_school_day(as_of, time.fromisoformat(found["at"]))
        return self.next_meeting(as_of, kind) if term == "next meeting" else as_of + IMMEDIATE

    def moment(self, day: date, at: time) -> datetime:
        """The moment, in UTC, at which the clocks of the area show `at` on `day`."""
        return datetime.combine(day, at, tzinfo=self._zone).astimezone(UTC)


@dataclass(frozen=True)
class Areas:
    """The areas of a deployment, and the one that stands in where none fits."""

    by_id: Mapping[str, Area]
    stand_in: Area

    def get(self, id_: str | None) -> Area | None:
        """The area with this id; None where there is none."""
        return self.by_id.get(id_) if id_ is not None else None

    def of(self, area: str | None, force: str) -> Area:
        """The area that decides a case: the incident's, else the force's where it has only one.

        Otherwise the stand-in, whose `known` is False: the caller marks the decision.
        """
        found = self.get(area)
        if found is not None:
            return found
        if area is None:
            of_force = [one for one in self.by_id.values() if force in one.rules.forces]
            if len(of_force) == 1:
                return of_force[0]
        return self.stand_in


def stand_in() -> Area:
    """An area that nobody answers for, with the strictest of the usual deadlines."""
    rules = AreaRules(
        id="unknown",
        name="No area known",
        forces=[],
        childrens_services="unknown",
        protocol=ProtocolChoice(live="london-dvrim/1"),
        marac=MaracCycle(escalation=Escalation(), first=date(2026, 1, 6)),
        calendar=Calendar(),
        due={
            "section_47": "immediate", "section_17": "4 hours", "early_help": "1 working day",
            "contact_record": "1 working day", "inform": "1 working day",
            "education": "next school day 08:30", "default": "1 working day",
        },
    )  # fmt: skip
    return Area(rules, known=False)


def load_areas(folder: Path = AREAS) -> Areas:
    """Read every `*.yaml` in `folder`. Raises BadSettings with a sentence per fault."""
    if not folder.is_dir():
        raise BadSettings(f"There is no folder of areas at {folder}.")
    found: dict[str, Area] = {}
    for path in sorted(folder.glob("*.yaml")):
        area = load_area(path)
        if area.id in found:
            raise BadSettings(f"{path.name}: the area {area.id} is defined twice.")
        found[area.id] = area
    if not found:
        raise BadSettings(f"There is no area in {folder}.")
    return Areas(found, stand_in())


def load_area(path: Path) -> Area:
    """Read one area's file and its school terms. Raises BadSettings, naming file and field."""
    try:
        rules = AreaRules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise BadSettings(f"{path.name} is not YAML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BadSettings(f"{path.name}: {where or 'the file'}: {first['msg']}.") from None
    _check(rules, path.name)
    terms: tuple[Term, ...] = ()
    if rules.calendar.school_terms:
        terms = _read_terms(path.parent / rules.calendar.school_terms)
    return Area(rules, terms)


def _check(rules: AreaRules, name: str) -> None:
    known = {*v.CSS_RESPONSES[1:], *v.SERVICES, "default"}
    for what, term in rules.due.items():
        if what not in known:
            raise BadSettings(f"{name}: due.{what}: not a response, a service or `default`.")
        if _TERM.fullmatch(term) is None:
            raise BadSettings(
                f"{name}: due.{what}: {term!r} is none of: immediate, N hours, N working days, "
                "next school day HH:MM, next meeting."
            )
    if "default" not in rules.due:
        raise BadSettings(f"{name}: due.default is missing: say what holds where nothing else is said.")
    for kind in v.MEETING_KINDS:
        cycle: MeetingCycle | None = getattr(rules, kind)
        if cycle is not None and cycle.weekday not in _WEEKDAYS:
            raise BadSettings(f"{name}: {kind}.weekday: {cycle.weekday!r} is not a day of the week.")
    try:
        ZoneInfo(rules.calendar.timezone)
    except (KeyError, ValueError, OSError):
        raise BadSettings(
            f"{name}: calendar.timezone: there is no time zone {rules.calendar.timezone!r}."
        ) from None
    opens, closes = rules.calendar.office.split("-")
    try:
        in_order = time.fromisoformat(opens) < time.fromisoformat(closes)
    except ValueError:
        in_order = False
    if not in_order:
        raise BadSettings(f"{name}: calendar.office: {rules.calendar.office!r} is not a span of hours.")


def _read_terms(path: Path) -> tuple[Term, ...]:
    """School terms: a CSV with the columns kind (`term` or `closed`), first, last and name."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return tuple(sorted(_terms(csv.DictReader(lines), path.name), key=lambda term: term.first))
    except OSError as error:
        raise BadSettings(f"{path.name}: the school terms cannot be read: {error.strerror}.") from None


def _terms(rows: Iterable[dict[str, str]], name: str) -> Iterator[Term]:
    for number, row in enumerate(rows, start=2):
        try:
            term = Term(
                date.fromisoformat(row["first"]), date.fromisoformat(row["last"]), row["kind"] == "term"
            )
            in_order = term.first <= term.last and row["kind"] in ("term", "closed")
        except (KeyError, TypeError, ValueError):
            in_order = False
        if not in_order:
            raise BadSettings(f"{name}, line {number}: not `term` or `closed`, a first and a last day.")
        yield term
