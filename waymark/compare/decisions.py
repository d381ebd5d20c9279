"""Every case of a file under every protocol, each with the history that the file's other incidents give it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.enrichment.domain import case_of, join_in_order
from services.triage.domain import decide
from services.triage.domain.engine import Case, Panel, Summary, gather_case
from services.triage.domain.findings import NOTHING
from services.triage.domain.protocol import Protocol
from services.triage.protocols import Library
from shared.areas import Areas
from shared.contracts.events import IncidentAccepted
from shared.contracts.history import History
from shared.contracts.incident import Incident

NO_HISTORY = History(status="complete", incidents=[], involvement=[], marac=[], children_known=[])


@dataclass(frozen=True)
class Known:
    """A case with what was known before it, which is what the file's own incidents tell."""

    incident: Incident
    history: History

    @property
    def moment(self) -> datetime:
        """From when its deadlines count."""
        return self.incident.recorded_at or self.incident.reported_at or self.incident.occurred_at

    @property
    def repeat(self) -> bool:
        """There was an earlier incident of the family in the file."""
        return bool(self.history.incidents)


@dataclass(frozen=True)
class Decided:
    """One case under one protocol. `by_itself`: what the protocol comes to without the safeguards;
    `at_first`: with them, had nothing been known of the family."""

    known: Known
    receipt: dict[str, Any]
    result: Summary
    by_itself: Summary
    at_first: Summary


def gather_cases(incidents: Iterable[Incident]) -> list[Known]:
    """The incidents in the order recorded, each with its history; of several revisions the newest."""
    newest: dict[str, Incident] = {}
    for one in incidents:
        before = newest.get(one.case)
        if before is None or (one.revision or 0) >= (before.revision or 0):
            newest[one.case] = one
    standing = [one for one in newest.values() if not one.withdrawn]
    histories = join_in_order(case_of(_accepted(one)) for one in standing)
    known = [Known(one, histories.get(one.case, NO_HISTORY)) for one in standing]
    return sorted(known, key=lambda one: (one.moment, one.incident.case))


def _accepted(incident: Incident) -> IncidentAccepted:
    moment = incident.recorded_at or incident.reported_at or incident.occurred_at
    return IncidentAccepted(
        incident=incident,
        revision=incident.revision or 1,
        accepted_at=moment,
        revision_accepted_at=moment,
        gaps=[],
    )


def decide_all(
    protocols: Sequence[Protocol],
    cases: Sequence[Known],
    library: Library,
    areas: Areas,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, list[Decided]]:
    """Per protocol the decisions on all cases. `progress` is told how many cases are done."""
    with_safeguards = Panel(protocols, library.safeguards)
    alone = Panel(protocols, NOTHING)
    found: dict[str, list[Decided]] = {one.ref: [] for one in protocols}
    for done, known in enumerate(cases, start=1):
        area = areas.of(known.incident.area, known.incident.force)
        case: Case = gather_case(known.incident, known.history, area)[0]
        fresh = gather_case(known.incident, NO_HISTORY, area)[0] if known.repeat else case
        weighed = zip(
            protocols, with_safeguards.weigh(case), alone.weigh(case), with_safeguards.weigh(fresh), strict=True
        )
        for protocol, (result, _), (by_itself, _), (at_first, _) in weighed:
            receipt = decide(
                protocol, library.safeguards, area, known.incident, known.history, known.moment,
                neighbours=areas.by_id,
            )  # fmt: skip
            found[protocol.ref].append(Decided(known, dict(receipt.body), result, by_itself, at_first))
        progress(done)
    return found
