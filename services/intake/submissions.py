"""A submission as the door reads it: what was sent, word for word, and what could be read of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from services.intake import cloud_events, domain
from services.intake.forms import FormReading, read_form
from services.intake.json_text import parse
from shared.contracts.incident import Fault, Gap, Incident
from shared.contracts.reading import NEEDED, read_incident
from shared.contracts.reading.quick import QuickReading, read_quickly
from shared.errors import Refused
from shared.keys import Caller
from shared.vocabulary import Lane

Door = Literal["json", "batch", "cloudevent", "north", "south"]
"""Which way in it took. `cloudevent` is the structured kind; the data of a binary one is plain JSON."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came through a door.

    `raw`: the bytes as sent. `content`: what they say, in the sender's own fields; two submissions are
    the same where it is. `incident`: the same in the contract's shape. `faults`: found before it is read.
    """

    door: Door
    raw: bytes
    content: Any
    incident: Any
    faults: list[Fault] = field(default_factory=list)
    form: FormReading | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """One incident on its way into the store. `case`: its id, `force/reference`. `arrived`: when its request
    came (UTC). `raw`: the bytes as sent. `faults_before`: found in the text or the form before it was read,
    with places in what was sent; `faults` and `gaps`: found in the incident. `quick`: where it was read the
    short way, and `incident` has no methods. `trace`: the traceparent that follows the case from here on."""

    case: str
    raw: bytes
    incident: Incident
    quick: QuickReading | None
    faults_before: list[Fault]
    faults: list[Fault]
    gaps: list[Gap]
    judged_on: domain.Submission
    arrived: datetime
    trace: str | None
    key: str
    door: Door
    lane: Lane = "live"
    form: FormReading | None = None

    @property
    def contact_at(self) -> datetime:
        """When the police were told, or as near as is known: the start of the case's time ledger."""
        return min(self.incident.reported_at or self.incident.occurred_at, self.arrived)

    def written(self, revision: int) -> bytes:
        """The incident as JSON, as this revision."""
        if self.quick is not None:
            return self.quick.as_bytes(revision)
        return self.incident.model_copy(update={"revision": revision}).as_bytes()

    def with_fault(self, fault: Fault, **unknown: None) -> Submission:
        """The same with one fault more, found beside what is stored of its case; the fields in `unknown` are
        so to all who come after."""
        incident = self.incident
        if self.quick is not None:
            incident = Incident.model_validate_json(self.quick.written)
        incident = incident.model_copy(update={**unknown, "faults": [*(incident.faults or ()), fault]})
        return replace(self, incident=incident, quick=None, faults=[*self.faults, fault])

    @property
    def faults_told(self) -> list[Fault]:
        """The faults as the sender is told them: with places in what they sent."""
        faults, form = self.faults, self.form
        if form is not None:
            faults = [fault.model_copy(update={"at": form.place_of(fault.at)}) for fault in faults]
        named = {fault.at for fault in self.faults_before}
        told = [*self.faults_before, *(fault for fault in faults if fault.at not in named)]
        return sorted(told, key=lambda fault: fault.at) if self.faults_before else told

    @property
    def gaps_told(self) -> list[Gap]:
        """The gaps as the sender is told them each time: not those that their form has no field for."""
        form = self.form
        if form is None:
            return self.gaps
        return [
            gap.model_copy(update={"at": form.place_of(gap.at)}) for gap in self.gaps if form.can_carry(gap.at)
        ]


def read_sent(raw: bytes, door: Door) -> Sent:
    """What the bytes say, at the door or when they are read again. Raises Refused: 400 where they are not
    JSON (or no CloudEvent), 413 where they are nested too deeply, 422 where a form is no object or the text
    is broken where it says which incident this is."""
    parsed = cloud_events.read_structured(raw) if door == "cloudevent" else parse(raw)
    _must_name_its_case(parsed.faults)
    if door != "north" and door != "south":
        return Sent(door, raw, parsed.value, parsed.value, parsed.faults)
    form = read_form(door, parsed.value)
    return Sent(door, raw, parsed.value, form.incident, parsed.faults, form)


def _must_name_its_case(faults: list[Fault]) -> None:
    """Mended, two references that differ could become one, and one incident an amendment of another."""
    for fault in faults:
        name = fault.at.removeprefix("/")
        if name in NEEDED:
            why, _, _ = fault.because.partition(":")
            raise Refused(422, f"{name} cannot be read", f"Send it once and whole: it is {why}.", at=fault.at)


def read_plain(
    raw: bytes, door: Door, *, caller: Caller, arrived: datetime, trace: str | None, lane: Lane = "live"
) -> Submission:
    """Read what was sent through any door but a form's: the short way where nothing in it is odd. Raises
    Refused as `read_sent` and `read_submission` do."""
    quick = None if door == "cloudevent" else read_quickly(raw, now=arrived)
    if quick is None:
        return read_submission(read_sent(raw, door), caller=caller, arrived=arrived, trace=trace, lane=lane)
    incident = quick.incident
    _must_be_the_callers(incident, caller)
    return Submission(
        case=f"{incident.force}/{incident.reference}",
        raw=raw,
        incident=incident,
        quick=quick,
        faults_before=[],
        faults=[],
        gaps=quick.gaps,
        judged_on=_judged_on(incident, raw),
        arrived=arrived,
        trace=trace,
        key=caller.key,
        door=door,
        lane=lane,
    )


def _must_be_the_callers(incident: Incident, caller: Caller) -> None:
    if incident.force != caller.force:
        raise Refused(
            403,
            "Another force's incident",
            f"This key may post incidents of {caller.force} only; /force says otherwise.",
            at="/force",
        )


def _judged_on(incident: Incident, raw: bytes) -> domain.Submission:
    return domain.Submission(incident.revision, hashlib.sha256(raw).digest(), incident.withdrawn is True)


def _of_the_form(refused: Refused, form: FormReading) -> Refused:
    """The same refusal for who has never seen an incident of ours: the time by the box that it stands in."""
    if refused.extra.get("at") != "/occurred_at":
        return refused
    at = form.place_of("/occurred_at")
    title = refused.title.replace("occurred_at", at.removeprefix("/"))
    return Refused(refused.status, title, "Every form needs the day when it happened, as 20/11/2026.", at=at)


def read_submission(
    sent: Sent,
    *,
    caller: Caller,
    arrived: datetime,
    trace: str | None,
    lane: Lane = "live",
) -> Submission:
    """Read what was sent. Raises Refused: 422 where it is no incident (design.md, "Contracts"), 403 where
    it is another force's."""
    try:
        reading = read_incident(sent.incident, now=arrived)
    except Refused as refused:
        raise refused if sent.form is None else _of_the_form(refused, sent.form) from None
    incident, faults = reading.incident, reading.faults
    before = [*sent.faults, *(sent.form.faults if sent.form else ())]
    open_lists = sent.form.open_lists if sent.form else []
    if before or open_lists:
        # What could not be read is unknown to all who come after, and a list with such an entry incomplete.
        incident = incident.model_copy(update={"faults": [*before, *open_lists, *faults]})
    _must_be_the_callers(incident, caller)
    return Submission(
        case=incident.case,
        raw=sent.raw,
        incident=incident,
        quick=None,
        faults=faults,
        faults_before=before,
        gaps=reading.gaps,
        judged_on=_judged_on(incident, sent.raw),
        arrived=arrived,
        trace=trace,
        key=caller.key,
        door=sent.door,
        lane=lane,
        form=sent.form,
    )
