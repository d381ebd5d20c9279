"""What happened in a month, before anybody wrote it down: which family, when, where, how bad.

The margins of NSPCC 2009 are dealt first (site, tables 14-16, 18, 19, 21-24), the rest follows from them:
a telephone call touches nobody, an injury needs a hand raised, a child who rings the police was there.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from waymark.simulate.deck import chance, deal, draw, pick
from waymark.simulate.families import Family, Person
from waymark.simulate.names import sites
from waymark.simulate.profile import Profile

LOCAL = ZoneInfo("Europe/London")
_NEVER = datetime(1900, 1, 1, tzinfo=LOCAL)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass
class Event:
    """One incident as it was. People are named by their part in the family (`woman`, `man`, `child-1`)."""

    family: Family
    present: bool
    """Whether a child was on the premises, as the police file shows (table 21)."""
    level: str
    """Box 10: none_low, medium or high."""
    recorded_as: str = "victim_and_suspect"
    victim: str = "woman"
    place: str = "victims_home"
    caller: str = "victim"
    caller_child: str | None = None
    reported: datetime = _NEVER
    report_time_known: bool = True
    occurred: datetime = _NEVER
    attended: bool = True
    attended_at: datetime | None = None
    recorded: datetime = _NEVER
    notified_after_days: int | None = None
    """How long the paper took to reach social services in 2007 (tables 29 and 30); None: not known."""
    presence: dict[str, str | None] = field(default_factory=dict)
    happened: dict[str, Any] = field(default_factory=dict)
    children: dict[str, dict[str, Any]] = field(default_factory=dict)
    factors: dict[str, list[str]] = field(default_factory=dict)
    adults: dict[str, dict[str, Any]] = field(default_factory=dict)
    relative_hurt: bool = False
    context: list[str] = field(default_factory=list)
    described: bool = True
    risk: dict[str, Any] | None = None
    actions: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, Any] | None = None
    repeat: int = 1

    @property
    def site(self) -> str:
        return self.family.site.id

    @property
    def suspect(self) -> str:
        """The other adult; in `two_victims` there is no suspect, and this is the second victim."""
        return "man" if self.victim == "woman" else "woman"

    @property
    def by_telephone(self) -> bool:
        return self.place == "telephone_only"

    @property
    def night(self) -> bool:
        return self.reported.hour >= 21 or self.reported.hour < 9

    def person(self, part: str) -> Person:
        return next(person for person in self.family.people if person.part == part)


def lay_out(rng: Random, profile: Profile, incidents: int, month: date) -> tuple[list[Family], list[Event]]:
    """The month's families (still without people) and events with time, place, level and roles."""
    families, per_family = _families(rng, profile, incidents)
    # Read "present" from table 21 together with the level: the two hang together.
    cells = deal(
        rng,
        {
            (there, level): count
            for there in ("present", "absent")
            for level, count in profile.shares("violence_by_presence", there).items()
        },
        incidents,
    )
    owners = [family for family, count in zip(families, per_family, strict=True) for _ in range(count)]
    events = [
        Event(family, present=there == "present", level=level)
        for family, (there, level) in zip(owners, cells, strict=True)
    ]
    _set_times(rng, profile, events, month)
    _set_roles(rng, profile, events, {id(f) for f, n in zip(families, per_family, strict=True) if n > 1})
    by_family: dict[int, list[Event]] = {}
    for event in events:
        by_family.setdefault(id(event.family), []).append(event)
    for family in families:
        own = sorted(by_family[id(family)], key=lambda event: event.occurred.timestamp())
        family.incidents = len(own)
        for number, event in enumerate(own, start=1):
            event.repeat = number
        family.seen = own[0].reported.date()
        first = own[0]
        family.woman_recorded = "suspect" if first.victim == "man" else "victim"
        family.man_recorded = (
            "suspect" if first.victim == "woman" and first.recorded_as != "two_victims" else "victim"
        )
    return families, events


def _families(rng: Random, profile: Profile, incidents: int) -> tuple[list[Family], list[int]]:
    """Families by site and number of incidents (s4.6: 13 come twice, one three times; table 32)."""
    twice = int(profile.per_incident("cohort", "families_with_two_incidents") * incidents + 0.5)
    thrice = int(profile.per_incident("cohort", "families_with_three_incidents") * incidents + 0.5)
    while 2 * twice + 3 * thrice > incidents:
        twice, thrice = max(0, twice - 1), thrice if twice else thrice - 1
    counts = [3] * thrice + [2] * twice
    where = deal(rng, profile.shares("repeat_families_by_site"), len(counts))
    north = sum(count for count, site in zip(counts, where, strict=True) if site == "north")
    shares = profile.shares("cohort", "sites")
    singles = incidents - sum(counts)
    north_left = round(incidents * shares["north"] / sum(shares.values())) - north
    north_left = min(max(0, north_left), singles)
    counts += [1] * singles
    rest = ["north"] * north_left + ["south"] * (singles - north_left)
    rng.shuffle(rest)
    where += rest
    numbers = list(range(1, len(counts) + 1))
    rng.shuffle(numbers)
    placed = sites()
    made = [
        Family(f"T-{number:06d}", placed[site], seen=date.min)
        for number, site in zip(numbers, where, strict=True)
    ]
    return made, counts


def _set_times(rng: Random, profile: Profile, events: Sequence[Event], month: date) -> None:
    days = deal(rng, profile.shares("day_of_week"), len(events))
    bands = profile.shares("time_of_day")
    unclear = bands.pop("unclear") * len(events) / profile.number("cohort", "incidents")
    hours = deal(rng, bands, len(events))
    first = month.replace(day=1)
    in_month = [first + timedelta(days=n) for n in range(monthrange(first.year, first.month)[1])]
    by_weekday = {name: [day for day in in_month if day.weekday() == n] for n, name in enumerate(_DAYS)}
    for event, weekday, band in zip(events, days, hours, strict=True):
        start = time.fromisoformat(band.split("-")[0])
        minute = start.hour * 60 + rng.randrange(6 * 60)
        clock = time(minute // 60 % 24, minute % 60)
        event.reported = datetime.combine(rng.choice(by_weekday[weekday]), clock, tzinfo=LOCAL)
    for event in pick(rng, events, unclear):
        event.report_time_known = False
    later = deal(rng, profile.shares("assumed", "reported_later"), len(events))
    for event, kind in zip(events, later, strict=True):
        ago = {"minutes": (1, 25), "hours": (30, 360), "days": (720, 7200)}[kind]
        event.occurred = _back(event.reported, rng.randint(*ago))


def _back(moment: datetime, minutes: int) -> datetime:
    """That many minutes earlier by the sun, not by the wall clock, which changes twice a year."""
    return (moment.astimezone(ZoneInfo("UTC")) - timedelta(minutes=minutes)).astimezone(LOCAL)


def _set_roles(rng: Random, profile: Profile, events: Sequence[Event], repeating: set[int]) -> None:
    """Who is written down as what (s4.4.1): in the south both are victims where no offence was seen."""
    size = len(events)
    both = profile.shares("recorded_as", "south")
    scale = size / profile.number("cohort", "incidents")
    quiet = [event for event in events if event.site == "south" and event.level == "none_low"]
    for event in pick(rng, quiet, both["two_victims"] * scale):
        event.recorded_as = "two_victims"
    loud = [event for event in events if event.site == "south" and event.level != "none_low"]
    for event in pick(rng, loud, both["both_arrested"] * scale):
        event.recorded_as = "both_arrested"
    # 193 of 207 suspects are men (s4.4.3); women suspects are more often rated low (s4.10).
    women = (1 - profile.number("perpetrator_male_share")) * profile.number("perpetrator", "of") * scale
    single = [e for e in events if e.recorded_as == "victim_and_suspect" and id(e.family) not in repeating]
    for event in pick(rng, single, women, lambda event: 2.0 if event.level == "none_low" else 1.0):
        event.victim = "man"


def set_places(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    """Table 14. Calls and texts come from former partners, and only a threat to kill makes one severe."""
    scale = len(events) / profile.number("cohort", "incidents")
    places = profile.shares("location")
    calls = [
        event
        for event in events
        if not event.present
        and event.recorded_as == "victim_and_suspect"
        and (event.level == "none_low" or (event.level == "high" and event.site == "north"))
    ]
    severe = pick(rng, [event for event in calls if event.level == "high"], scale)
    quiet = [event for event in calls if event.level == "none_low"]
    picked = pick(
        rng,
        quiet,
        places["telephone_only"] * scale - len(severe),
        lambda event: 0.2 if event.family.current else 1.0,
    )
    for event in (*severe, *picked):
        event.place = "telephone_only"
    for kind in ("public_place", "other"):
        rest = [event for event in events if event.place == "victims_home"]
        for event in pick(
            rng, rest, places[kind] * scale, lambda event: 1.0 if event.family.lives_together else 3.0
        ):
            event.place = kind


def set_presence(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    """Where each child was (tables 19-21). The youngest and those of 11 and 12 see most (table 20)."""
    table = profile.shares("child_presence")
    recorded = {kind: table[kind] for kind in ("asleep", "another_room", "on_premises")}
    there = table["witnessed"] + sum(recorded.values())
    children = profile.number("cohort", "children")
    by_age = _witness_shares(profile)
    per_incident = children / profile.number("cohort", "incidents")
    here = sum(profile.shares("violence_by_presence", "present").values())
    # Where some child was there, one has a place recorded; of its siblings this share has.
    siblings = (there - here) / (here * (per_incident - 1))
    night_share = sum(1 for event in events if event.night) / max(1, len(events))
    absent = sum(profile.shares("violence_by_presence", "absent").values()) - profile.number(
        "location", "telephone_only"
    )
    away = table["not_on_premises"] / (absent * per_incident)
    for event in events:
        event.presence = {child.part: None for child in event.family.children}
        if event.by_telephone:
            continue
        first = rng.choice(event.family.children).part
        for child in event.family.children:
            if not event.present:
                event.presence[child.part] = "not_on_premises" if chance(rng, away) else None
            elif child.part == first or chance(rng, siblings):
                age = event.family.age(child, event.reported.date())
                event.presence[child.part] = (
                    "witnessed"
                    if chance(rng, by_age(age) * children / there)
                    else _elsewhere(rng, recorded, event.night, night_share)
                )


def _elsewhere(rng: Random, kinds: dict[str, float], night: bool, night_share: float) -> str:
    """Another room, asleep (at night only, so likelier then), or no more than on the premises."""
    shares = dict(kinds)
    if night:
        shares["on_premises"] -= shares["asleep"] * (1 / night_share - 1)
        shares["asleep"] /= night_share
    else:
        shares["on_premises"] += shares.pop("asleep")
    return draw(rng, shares)


def _witness_shares(profile: Profile) -> Any:
    all_children = profile.shares("child_age_years")
    saw = profile.shares("witnessed_by_age_years")
    bands = [(0, "under_1"), (1, "1_2"), (3, "3_4"), (5, "5_6"), (7, "7_8"), (9, "9_10"), (11, "11_12"),
             (13, "13_14"), (15, "15_16"), (17, "17_plus")]  # fmt: skip

    def share(age: float) -> float:
        band = next(name for low, name in reversed(bands) if age >= low)
        return saw[band] / all_children[band]

    return share


def set_callers(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    """Table 22 and s5.3.4: children who called were five to seventeen, mostly ten to thirteen, and there."""
    counts = profile.shares("caller")
    scale = len(events) / profile.number("cohort", "incidents")

    def could_call(event: Event) -> list[Person]:
        on = event.reported.date()
        return [
            child
            for child in event.family.children
            if event.presence[child.part] in ("witnessed", "on_premises", "another_room")
            and event.family.age(child, on) >= 5
        ]

    able = {id(event): could_call(event) for event in events}
    likely = pick(
        rng,
        [event for event in events if able[id(event)] and not event.by_telephone],
        counts.pop("child") * scale,
        lambda e: 3.0 if any(10 <= e.family.age(c, e.reported.date()) < 14 for c in able[id(e)]) else 1.0,
    )
    for event in likely:
        event.caller = "child"
        callers = able[id(event)]
        ages = [event.family.age(child, event.reported.date()) for child in callers]
        event.caller_child = rng.choices(callers, [3.0 if 10 <= age < 14 else 1.0 for age in ages])[0].part
    rest = [event for event in events if event.caller != "child"]
    weights: dict[str, Any] = {
        "perpetrator": lambda e: 0.0 if e.by_telephone or e.recorded_as == "two_victims" else 1.0,
        "neighbour": lambda e: 1.0 if e.place == "victims_home" else 0.0,
        "relative": lambda e: 0.0 if e.by_telephone else 1.0,
        "anonymous": lambda e: 0.0 if e.by_telephone else 1.0,
        "other": lambda e: 0.0 if e.by_telephone else 1.0,
    }
    for kind, weight in weights.items():
        for event in pick(rng, rest, counts[kind] * scale, weight):
            event.caller = kind
        rest = [event for event in rest if event.caller == "victim"]
    others = [event for event in events if event.caller == "other"]
    for event, who in zip(
        others, deal(rng, profile.shares("assumed", "other_caller"), len(others)), strict=True
    ):
        event.caller = who


def set_delays(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    """When the police came (table 23), wrote it up, and when the paper used to arrive (tables 29 and 30)."""
    scale = len(events) / profile.number("cohort", "incidents")
    minutes = profile.shares("police_response_minutes")
    in_person, unclear = minutes.pop("not_applicable"), minutes.pop("unclear")
    for event in pick(rng, events, in_person * scale, lambda event: 10.0 if event.by_telephone else 1.0):
        event.attended = False
    came = [event for event in events if event.attended]
    # s5.3.3: 33 of the 34 unclear response times are the south's.
    no_time = pick(rng, came, unclear * scale, lambda event: 33.0 if event.site == "south" else 1.0)
    without = {id(event) for event in no_time}
    timed = [event for event in came if id(event) not in without]
    hours = profile.shares("assumed", "recorded_hours")
    for event, band in zip(timed, deal(rng, minutes, len(timed)), strict=True):
        low, _, high = band.rstrip("+").partition("-")
        event.attended_at = _back(event.reported, -rng.randint(max(2, int(low)), int(high or 1500)))
    for event in events:
        wrote = 60 * hours["median"] * rng.lognormvariate(0, hours["spread"])
        event.recorded = _back(event.attended_at or event.reported, -int(min(48 * 60, 15 + wrote)))
    _set_paper_delays(rng, profile, events)


def _set_paper_delays(rng: Random, profile: Profile, events: Sequence[Event]) -> None:
    for site in ("north", "south"):
        own = [event for event in events if event.site == site]
        table = profile.shares("notification_delay_days", site)
        for beside in ("mean", "agreed_target_hours", "target_met"):
            table.pop(beside, None)
        for event, band in zip(own, deal(rng, table, len(own)), strict=True):
            event.notified_after_days = _days(rng, band)


def _days(rng: Random, band: str) -> int | None:
    if band in ("missing", "not_known"):
        return None
    if band == "same_day":
        return 0
    if band.endswith("+"):
        # The mean of 8.4 days holds only if the longest delays were two months on average (s5.10.2).
        return rng.randint(41, 92)
    low, _, high = band.partition("-")
    return rng.randint(int(low), int(high or low))
