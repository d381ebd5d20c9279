"""A simulated month: what the police send, what is true, and what the councils know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any

from shared.errors import BadSettings
from waymark.simulate.circumstances import set_backgrounds, set_offences, set_violence
from waymark.simulate.events import Event, lay_out, set_callers, set_delays, set_places, set_presence
from waymark.simulate.families import people_families
from waymark.simulate.profile import Profile
from waymark.simulate.records import keep_records, set_moves
from waymark.simulate.report import write_report
from waymark.simulate.responses import set_actions, set_children, set_consent, set_risk
from waymark.simulate.slips import Slips, make_fault, make_gap, plan_slips, spoil

DEFAULT_MONTH = date(2026, 10, 1)


@dataclass(frozen=True)
class Month:
    """Everything about a simulated month.

    `incidents`: in the shape of contracts/incident.json, in the order in which they were recorded.
    `truth`: one entry per incident, in the same order (`case`, true `family` and `people`, `errors`, ...).
    `records`: by council, a document in the shape of contracts/records.json.
    `known`: one entry per family that a council knows, with whose true person each council id is.
    """

    incidents: list[dict[str, Any]]
    truth: list[dict[str, Any]]
    records: dict[str, dict[str, Any]]
    known: list[dict[str, Any]] = field(default_factory=list)


def simulate(
    profile: Profile,
    incidents: int,
    seed: int,
    month: date = DEFAULT_MONTH,
    progress: Callable[[int], None] | None = None,
) -> Month:
    """Make a month of incidents. The same arguments give the same month, down to the byte.

    `month` is any day of the month in which they are reported; incidents may have happened up to five days
    before it begins and be recorded up to three days after it ends. `progress` is told of incidents written.
    Raises BadSettings where `incidents` is below one.
    """
    if incidents < 1:
        raise BadSettings("A month needs at least one incident.")
    rng = Random(f"{profile.id}/{seed}/{incidents}")
    families, events = lay_out(rng, profile, incidents, month)
    people_families(rng, profile, families)
    set_moves(rng, profile, families)
    set_places(rng, profile, events)
    set_presence(rng, profile, events)
    set_violence(rng, profile, events)
    set_callers(rng, profile, events)
    set_delays(rng, profile, events)
    set_offences(rng, profile, events)
    set_backgrounds(rng, profile, events)
    set_risk(rng, profile, events)
    set_consent(rng, profile, events)
    set_actions(rng, profile, events)
    set_children(rng, profile, events)
    slips = plan_slips(rng, profile, events)
    order = sorted(range(len(events)), key=lambda n: (events[n].recorded.timestamp(), n))
    references = _references(rng, [events[n] for n in order])
    written: list[dict[str, Any]] = []
    truth: list[dict[str, Any]] = []
    for done, (n, reference) in enumerate(zip(order, references, strict=True), start=1):
        incident, true = _write(rng, profile, events[n], slips[n], reference)
        written.append(incident)
        truth.append(true)
        if progress is not None:
            progress(done)
    records, known = keep_records(rng, profile, families, month)
    return Month(written, truth, records, known)


def _references(rng: Random, events: Sequence[Event]) -> list[str]:
    """The forces' own numbers, rising with other work in between. The south's contain a slash."""
    counters = {"north": rng.randint(4000, 9000), "south": rng.randint(200000, 400000)}
    references = []
    for event in events:
        counters[event.site] += rng.randint(1, 7)
        number, year = counters[event.site], event.recorded.year
        references.append(
            f"NS-{year}-{number:06d}" if event.site == "north" else f"{number:07d}/{year % 100:02d}"
        )
    return references


def _write(
    rng: Random, profile: Profile, event: Event, slips: Slips, reference: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The incident as the police wrote it, and what is true of it."""
    incident, parts = write_report(rng, profile, event, slips.left_out)
    incident["reference"] = reference
    errors = _go_wrong(rng, event, slips, incident, parts)
    spared = {error["at"] for error in errors}
    faults = []
    for kind in slips.faults:
        fault = make_fault(rng, kind, incident, spared)
        if fault:
            faults.append(fault)
            spared.add(fault["at"])
    gaps = [gap for kind in slips.gaps if (gap := make_gap(kind, incident, spared))]
    everyone = {person.part: person for person in event.family.people}
    true = {
        "kind": "incident",
        "case": f"{incident['force']}/{reference}",
        "family": event.family.id,
        "repeat": event.repeat,
        "people": {incident_id: everyone[part].id for incident_id, part in parts.items()},
        "left_out": everyone[slips.left_out].id if slips.left_out else None,
        "errors": errors,
        "faults": faults,
        "gaps": gaps,
        "violence_level": event.level,
        "children_present": event.present,
        "notified_after_days": event.notified_after_days,
    }
    return incident, true


def _go_wrong(
    rng: Random, event: Event, slips: Slips, incident: dict[str, Any], parts: dict[str, str]
) -> list[dict[str, Any]]:
    """Make the planned errors in the incident; each with its place, what was true and what is said."""
    errors: list[dict[str, Any]] = []
    at = {
        parts[person["id"]]: (f"/{group}/{place}", person)
        for group in ("adults", "children")
        for place, person in enumerate(incident[group])
        if person["id"] in parts
    }
    wrong = [("missing_birth_date", part) for part in slips.undated if part in at]
    if slips.error:
        wrong.append(slips.error)
    for kind, part in wrong:
        pointer, entry = at[part]
        person = event.person(part)
        other = event.family.woman.family if part == "man" else event.family.man.family
        for within, was, now, made in spoil(rng, kind, entry, other, person.ethnicity, event.occurred.date()):
            errors.append({"error": made, "at": pointer + within, "person": person.id, "was": was, "said": now})
    if slips.left_out:
        person = event.person(slips.left_out)
        errors.append(
            {"error": "child_left_out", "at": "/children", "person": person.id, "was": None, "said": None}
        )
    if event.family.earlier_address and event.repeat > 1:
        pointer, entry = at["woman"]
        errors.append(
            {
                "error": "moved",
                "at": f"{pointer}/address",
                "person": event.family.woman.id,
                "was": event.family.earlier_address,
                "said": entry["address"],
            }
        )
    return errors
