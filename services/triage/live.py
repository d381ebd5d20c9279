"""Which protocol decides where and when, and which runs in its shadow.

Chosen per area and date. Only a published version decides: one that came with this release, or one of a
board's own folder that two persons of two agencies approved by their own keys. Anything else runs in the
shadow at most; an area that names it live is decided by the default safe protocol, marked, and ops told.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from prometheus_client import Counter as Metric

from services.triage import approvals
from services.triage.domain import decide
from services.triage.domain.engine import Panel, Summary, gather_case
from services.triage.domain.protocol import Protocol
from services.triage.protocols import Library
from services.triage.protocols.checking import check_file
from services.triage.protocols.wording import say_protocol
from shared import telemetry
from shared.areas import Area, Areas
from shared.contracts.history import History
from shared.contracts.incident import Incident
from shared.db import Database
from shared.errors import BadSettings

DEFAULT_PROTOCOL: Final = "london-dvrim/1"
"""Decides where no area says otherwise: it routes the most, the soonest."""

LOOK_AGAIN_S: Final = 5.0

SHADOWED: Final = Metric(
    "waymark_triage_shadow_total",
    "Decisions compared with a protocol in the shadow",
    ["area", "live", "shadow", "difference"],
)
NOT_LIVE: Final = Metric(
    "waymark_triage_unknown_protocol_total", "Decisions by the default protocol: the area's own may not decide",
    ["area"],
)  # fmt: skip
FAILED: Final = Metric("waymark_triage_rule_failed_total", "Rules that could not be tried", ["rule"])
REFUSED: Final = Metric("waymark_triage_protocol_refused_total", "Protocol files that were not taken")

_log = telemetry.logger()

Difference = tuple[str, str, str, str]
"""Area, live protocol, shadow, and how the shadow differs: same, higher, lower or services."""


class LiveProtocols:
    """The protocols of a running service. `drafts`: a board's own, by `id/version`."""

    def __init__(self, library: Library, areas: Areas, folder: Path | None = None) -> None:
        default = library.get(DEFAULT_PROTOCOL)
        if default is None:
            raise BadSettings(f"The library of protocols lacks {DEFAULT_PROTOCOL}, which decides by default.")
        self.library = library
        self.drafts: dict[str, Protocol] = {}
        self.approved: frozenset[tuple[str, str]] = frozenset()
        self.counts: Counter[Difference] = Counter()
        self._default = default
        self._areas = areas
        self._folder = folder
        self._seen: dict[Path, tuple[int, int]] = {}
        self._panels: dict[tuple[str, str], Panel] = {}
        self._read = asyncio.Event()
        if folder is None:
            self._read.set()  # there is nothing to approve
        for area in areas.by_id.values():
            if self.may_decide(area.rules.protocol.live) is None and folder is None:
                _log.error("triage.unknown_protocol", area=area.id, protocol=area.rules.protocol.live)

    def get(self, ref: str) -> Protocol | None:
        """A protocol by `id/version`, published or not."""
        return self.library.protocols.get(ref) or self.drafts.get(ref)

    def may_decide(self, ref: str) -> Protocol | None:
        """The protocol where it is published and no baseline that is kept to compare with; else None."""
        found = self.get(ref)
        if found is None or found.never_live is not None:
            return None
        published = ref in self.library.protocols or (ref, found.digest) in self.approved
        return found if published else None

    def chosen(self, area: Area, as_of: datetime) -> Protocol | None:
        """What decides in an area on the day of `as_of`; None where what it names may not."""
        return self.may_decide(area.rules.protocol.live_on(area.local_day(as_of)))

    def decide(
        self,
        area: Area,
        incident: Incident,
        history: History,
        as_of: datetime,
        previous: Mapping[str, Any] | None,
        people: Sequence[Mapping[str, Any]],
    ) -> Mapping[str, Any]:
        """The receipt under the area's protocol; its shadow is compared and decides nothing."""
        protocol = self.chosen(area, as_of)
        marks = []
        if protocol is None:
            protocol = self._default
            if area.known:
                marks = ["protocol_unknown"]
                NOT_LIVE.labels(area.id).inc()
                named = area.rules.protocol.live_on(area.local_day(as_of))
                _log.error("triage.unknown_protocol", area=area.id, protocol=named)
        receipt = decide(
            protocol, self.library.safeguards, area, incident, history, as_of, previous, people,
            neighbours=self._areas.by_id, marks=marks,
        ).body  # fmt: skip
        for ref in receipt.get("failed_rules") or ():
            FAILED.labels(ref).inc()
            _log.error("triage.rule_failed", rule=ref)
        self._compare(area, protocol, incident, history)
        return receipt

    def _compare(self, area: Area, protocol: Protocol, incident: Incident, history: History) -> None:
        shadow = self.get(area.rules.protocol.shadow or "")
        if shadow is None or shadow is protocol:
            return
        panel = self._panels.get((protocol.digest, shadow.digest))
        if panel is None:
            panel = self._panels[protocol.digest, shadow.digest] = Panel(
                (protocol, shadow), self.library.safeguards
            )
        try:
            (ours, _), (theirs, _) = panel.weigh(gather_case(incident, history, area)[0])
        except Exception as error:  # a shadow decides nothing, so it stops nothing
            _log.error("triage.shadow_failed", area=area.id, shadow=shadow.ref, error=error)
            return
        found = difference(ours, theirs)
        self.counts[area.id, protocol.ref, shadow.ref, found] += 1
        SHADOWED.labels(area.id, protocol.ref, shadow.ref, found).inc()

    def listed(self) -> list[dict[str, Any]]:
        """Every protocol as plain data."""
        rows = []
        for one in (*self.library.protocols.values(), *self.drafts.values()):
            areas = self._areas.by_id.values()
            rows.append(
                {
                    "protocol": one.ref,
                    "title": one.title,
                    "source": one.source,
                    "in_force_from": one.in_force_from.isoformat(),
                    "rules": len(one.rules),
                    "digest": one.digest,
                    "came_with": "release" if one.ref in self.library.protocols else "board",
                    "may_decide": self.may_decide(one.ref) is not None,
                    "live_in": sorted(area.id for area in areas if area.rules.protocol.live == one.ref),
                    "then_in": {
                        area.id: change.since.isoformat()
                        for area in areas
                        for change in area.rules.protocol.then or ()
                        if change.live == one.ref
                    },
                    "shadow_in": sorted(area.id for area in areas if area.rules.protocol.shadow == one.ref),
                }
            )
        return rows

    def in_force(self, now: datetime) -> list[dict[str, Any]]:
        """Per area what decides there at `now` and since which day, what comes next, what runs in the shadow.

        `since`: the day from which the area's file names it; where it names none, the version's own
        `in_force_from`. `instead_of`: what the file names, where that may not decide and the default does.
        """
        found = []
        for area in sorted(self._areas.by_id.values(), key=lambda one: one.id):
            choice, today = area.rules.protocol, area.local_day(now)
            named = choice.live_on(today)
            protocol = self.may_decide(named) or self._default
            begun = [one.since for one in choice.then or () if one.since <= today]
            found.append(
                {
                    "area": area.id,
                    "name": area.rules.name,
                    "protocol": protocol.ref,
                    "title": protocol.title,
                    "since": (max(begun) if begun else protocol.in_force_from).isoformat(),
                    "instead_of": None if protocol.ref == named else named,
                    "next": [
                        {"protocol": one.live, "from": one.since.isoformat()}
                        for one in sorted(choice.then or (), key=lambda one: one.since)
                        if one.since > today
                    ],
                    "shadow": choice.shadow,
                }
            )
        return found

    def shown(self, ref: str) -> dict[str, Any] | None:
        """One protocol with every rule in plain words, its reason and its source; the safeguards too. None
        where there is none of that name."""
        safeguards = self.library.safeguards
        one = safeguards if ref == safeguards.ref else self.get(ref)
        if one is None:
            return None
        keys = ("rule", "says", "because", "source")
        said = next((row for row in self.listed() if row["protocol"] == ref), None) or {
            "protocol": ref, "title": one.title, "source": one.source, "digest": one.digest,
            "in_force_from": one.in_force_from.isoformat(), "came_with": "release", "always_on": True,
        }  # fmt: skip
        return {
            "always_on": False,
            **said,
            "never_live": one.never_live.because if one.never_live is not None else None,
            "screens_all": one.screen_all.because if one.screen_all is not None else None,
            "rules": [dict(zip(keys, row, strict=True)) for row in say_protocol(one)],
        }

    def look_again(self) -> list[str]:
        """Read what is new or changed in the board's folder; gives the files that were refused.

        A file that is not good changes nothing: what was taken before stays. A version that was taken is
        never replaced: a change is a new version.
        """
        refused = []
        for path in sorted(self._folder.glob("*.v*.yaml")) if self._folder and self._folder.is_dir() else ():
            if path.name.endswith(".cases.yaml"):
                continue
            try:
                said = path.stat()
                if self._seen.get(path) == (said.st_mtime_ns, said.st_size):
                    continue
                self._seen[path] = (said.st_mtime_ns, said.st_size)
                report = check_file(path, self.library.safeguards)
            except OSError as error:
                refused.append(f"{path.name}: {error.strerror}")
                continue
            protocol = report.protocol
            before = None if protocol is None else self.get(protocol.ref)
            if protocol is None or not report.good:
                first = next(one for one in report.remarks if one.severity != "note")
                refused.append(f"{first.file}, line {first.line}: {first.message}")
            elif before is None:
                self.drafts[protocol.ref] = protocol
                _log.info("triage.protocol_taken", protocol=protocol.ref, digest=protocol.digest)
            elif before.digest != protocol.digest:
                refused.append(f"{path.name}: {protocol.ref} was taken with other content: make a new version.")
        for one in refused:
            REFUSED.inc()
            _log.error("triage.protocol_refused", because=one)
        return refused

    async def keep_up(self, database: Database) -> None:
        """For as long as the service runs: look at the folder and the approvals, keep the shadow's counts."""
        while True:
            await asyncio.to_thread(self.look_again)
            await self.exchange(database)
            await asyncio.sleep(LOOK_AGAIN_S)

    async def exchange(self, database: Database) -> None:
        """Read which versions are approved, and write the shadow's counts down; those not written are kept."""
        counts = Counter(self.counts)
        async with database.transaction() as tx:
            approved = await approvals.published(tx)
            if counts:
                await approvals.count(tx, counts)
        self.counts -= counts
        self.approved = approved
        self._read.set()

    async def ready(self) -> None:
        """Wait until it is known which of a board's own versions are approved: nobody decides before."""
        await self._read.wait()


def difference(ours: Summary, theirs: Summary) -> str:
    """How `theirs` differs: higher, lower, the same levels with other services, or the same."""
    a = (ours.css_response, ours.child_level or 0, ours.victim_level)
    b = (theirs.css_response, theirs.child_level or 0, theirs.victim_level)
    if b[0] != a[0]:
        return "higher" if b[0] > a[0] else "lower"
    return "same" if ours.services == theirs.services and a[2] == b[2] else "services"
