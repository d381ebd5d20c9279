"""What delivery does with a decision: find the recipients, compose what each may see, send what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.delivery import decided as reading
from services.delivery import store
from services.delivery.book import Book
from services.delivery.decided import CaseDecidedRead
from services.delivery.domain import answers
from services.delivery.domain.case import OWNER, CaseRecord, Decided, Delivery, Route
from services.delivery.domain.notification import Composed, compose
from services.delivery.domain.passing import redirected
from services.delivery.domain.recipients import Addressed, Recipient
from services.delivery.domain.restricted import is_restricted, needs_release
from services.delivery.domain.versions import Change, Wanted, change_for, merged, told, with_those_told
from services.delivery.outgoing import Office, Outgoing, digest_of
from services.delivery.recorder import HELD, tell
from services.delivery.referring import Referral, concerns_meetings, refer
from shared import audit, ledger, telemetry
from shared.areas import Area, Areas
from shared.outbox import EmittingTransaction
from shared.stage import Event

_log = telemetry.logger()


@dataclass(slots=True)
class _Batch:
    """What one transaction knows and changes."""

    started: datetime
    outgoing: Outgoing
    cases: dict[str, CaseRecord]
    deliveries: dict[str, list[Delivery]]
    stored: Mapping[str, tuple[str, datetime, datetime | None]]
    """State, deadline and next chase of the deliveries as they are stored."""
    carried: Mapping[str, bytes] = field(default_factory=dict)
    """What those deliveries carry that a newer version may replace."""
    touched: dict[str, CaseRecord] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    """The decision's event of each case that could not be addressed."""
    referrals: list[Referral] = field(default_factory=list)
    """Versions that go to a meeting, or no longer do."""
    sending: set[str] = field(default_factory=set)
    """Cases of which something goes out now: their outcome is told with the first attempt."""


class Decisions:
    """The function for `waymark.decided.v1`, and for addressing again what could not be addressed."""

    def __init__(self, office: Office, book: Book, areas: Areas) -> None:
        self._office = office
        self._book = book
        self._areas = areas

    async def handle(self, tx: EmittingTransaction, events: Sequence[Event[CaseDecidedRead]]) -> None:
        """A batch of decisions, in order."""
        if all(event.envelope.lane == "bulk" for event in events):
            await self._handle(tx, events)
        else:
            with self._office.dispatcher.bulk_held():
                await self._handle(tx, events)

    async def _handle(self, tx: EmittingTransaction, events: Sequence[Event[CaseDecidedRead]]) -> None:
        planned = ledger.now()
        batch = await self._begin(tx, [event.case for event in events], planned)
        for event in events:
            decided = reading.read(event.envelope, trace=event.trace, started=event.started, planned=planned)
            record = batch.cases.get(event.case)
            if record is not None and decided.version <= record.version:
                _log.info("delivery.older_version", case=event.case, version=decided.version)
                continue
            self._take(batch, decided, event.record.value)
        await self._store(tx, batch)

    async def address_again(self, tx: EmittingTransaction, case: str, event: bytes) -> bool:
        """Look once more for the recipients of a case that lacked some; whether all were found."""
        planned = ledger.now()
        batch = await self._begin(tx, [case], planned)
        record = batch.cases.get(case)
        envelope = reading.EVENT.validate_json(event)
        if record is None or not record.unaddressed or envelope.body.decision.version != record.version:
            return True
        before = len(record.unaddressed)
        decided = reading.read(envelope, trace=record.trace, started=planned, planned=planned)
        self._take(batch, decided, event, again=record)
        if len(batch.touched[case].unaddressed) == before:
            return False
        await self._store(tx, batch)
        return not batch.touched[case].unaddressed

    async def _begin(self, tx: EmittingTransaction, cases: Sequence[str], now: datetime) -> _Batch:
        if not self._book.loaded:
            await self._book.refresh(tx)
        records = await store.load_cases(tx, cases)
        deliveries = await store.load_deliveries(tx, records) if records else {}
        for of_case in deliveries.values():
            for delivery in of_case:
                delivery.begun = self._office.dispatcher.begun(delivery.id)
        stored = {d.id: _standing(d) for of_case in deliveries.values() for d in of_case}
        seen = [d.id for of_case in deliveries.values() for d in told(of_case, self._office.running)]
        carried = await store.contents_of(tx, seen) if seen else {}
        return _Batch(now, Outgoing(self._office, now), records, deliveries, stored, carried)

    def _take(self, batch: _Batch, decided: Decided, event: bytes, *, again: CaseRecord | None = None) -> None:
        """One version of one case."""
        earlier = batch.deliveries.setdefault(decided.case, [])
        composed: dict[tuple[str, str], Composed] = {}

        def wanted(recipient: Recipient, route: Route, *, routed: bool, asked: bool = True) -> Wanted:
            one = compose(decided, route, recipient.id, named_staff=recipient.named_staff, asked=asked)
            composed[recipient.id, route.service] = one
            return Wanted(
                recipient=recipient,
                route=route,
                view=digest_of(one.document),
                due=self._due(decided, route),
                routed=routed,
            )

        def wanted_again(delivery: Delivery) -> Wanted | None:
            recipient = self._book.get(delivery.recipient)
            # Who was told for somebody else is asked as long as that one is.
            asked = delivery.escalates is not None or decided.withdrawn
            if recipient is None or (delivery.state == "passed_on" and not decided.withdrawn):
                return None
            return wanted(recipient, delivery.route, routed=False, asked=asked)

        addressed = merged(
            [
                one
                for route in ([] if decided.withdrawn else decided.routes)
                for one in self._book.directory.address(
                    route, decided.incident, decided.history, test=decided.test
                )
            ],
            {whose: self._book.get(to) for whose, to in redirected(earlier).items()},
        )
        if stand_ins := list(self._stand_ins(decided, addressed, batch.started)):
            addressed = merged([*addressed, *stand_ins])
        unaddressed = [one.route for one in addressed if one.recipient is None]
        routed = [wanted(one.recipient, one.route, routed=True) for one in addressed if one.recipient]
        if again is None:
            everybody = with_those_told(routed, earlier, self._office.running, wanted_again)
            change = change_for(decided, everybody, earlier, self._office.running)
        else:
            # The same version once more: only for those whom nothing was made for yet.
            made = {(delivery.recipient, delivery.service) for delivery in earlier}
            missing = [one for one in routed if (one.recipient.id, one.route.service) not in made]
            change = change_for(decided, missing, (), self._office.running)
        if again is None and concerns_meetings(decided, batch.cases.get(decided.case), earlier):
            batch.referrals.append(Referral(decided, event))
        record = CaseRecord(
            case=decided.case,
            version=decided.version,
            revision=decided.revision,
            state="in_flight",
            held_by=None,
            decided_owner=decided.held_by,
            decided_state=decided.state,
            why=decided.why,
            trace=decided.trace,
            caused_by=decided.caused_by,
            lane=decided.lane,
            ledger=list(again.ledger if again else decided.ledger),
            unaddressed=[
                {"service": route.service, "area": route.area, "about": list(route.about)}
                for route in unaddressed
            ],
            heard=list(known.heard) if (known := batch.cases.get(decided.case)) else [],
        )
        self._apply(batch, decided, record, change, composed)
        batch.cases[decided.case] = batch.touched[decided.case] = record
        batch.kept.pop(decided.case, None)
        if unaddressed:
            batch.kept[decided.case] = event

    def _stand_ins(
        self, decided: Decided, addressed: Sequence[Addressed], now: datetime
    ) -> Iterator[Addressed]:
        """Who is told as well because nobody is there: where a recipient keeps office hours, names a stand-in
        for the others, and opens again only after the deadline. The deadline stays what it is."""
        for one in addressed:
            if one.recipient is None or one.recipient.out_of_hours is None:
                continue
            area = self._area_of(one.recipient)
            opens = None if area is None or area.is_open(now) else area.opens_next(now)
            name = one.recipient.replaced_by(opens_next=opens, due=self._due(decided, one.route))
            stand_in = self._book.get(name) if name is not None else None
            if stand_in is not None and stand_in.test == one.recipient.test:
                yield Addressed(replace(one.route, service=stand_in.role), stand_in)

    def _area_of(self, recipient: Recipient) -> Area | None:
        return self._areas.get(recipient.areas[0]) if recipient.areas else None

    def _in_office_hours(self, recipient: Recipient, now: datetime) -> bool:
        if recipient.always_open and all(channel.hours == "always" for channel in recipient.channels):
            return True
        area = self._area_of(recipient)
        return area is None or area.is_open(now)

    def _due(self, decided: Decided, route: Route) -> datetime:
        if route.due is not None:
            return route.due
        area = self._areas.of(route.area, str(decided.incident.get("force")))
        return area.due(route.service, route.response, decided.as_of)

    def _apply(
        self,
        batch: _Batch,
        decided: Decided,
        record: CaseRecord,
        change: Change,
        composed: Mapping[tuple[str, str], Composed],
    ) -> None:
        earlier = batch.deliveries[decided.case]
        self._office.dispatcher.drop(delivery.id for delivery in change.superseded)
        for delivery in change.superseded:
            delivery.state = "superseded"
            delivery.chase_at = None
            delivery.next_at = delivery.leased_by = delivery.lease_until = delivery.held_because = None
        known = {delivery.id: delivery for delivery in earlier}
        handling = (decided.receipt.get("result") or {}).get("handling") or ()
        for sending in change.send:
            wanted = sending.wanted
            if sending.replaces is not None:
                known[sending.replaces].chase_at = None
            made = batch.outgoing.make(
                composed[wanted.recipient.id, wanted.route.service],
                wanted.recipient,
                version=decided.version,
                revision=decided.revision,
                due=sending.due,
                view=wanted.view,
                began=record.ledger[-1].to,
                lane=decided.lane,
                trace=decided.trace,
                replaces=sending.replaces,
                why_again=sending.why_again,
                breached_at=sending.breached_at,
                after=sending.after,
                in_office_hours=self._in_office_hours(wanted.recipient, batch.started),
                before=batch.carried.get(sending.replaces) if sending.replaces else None,
            )
            if is_restricted(handling) and needs_release(wanted.route.service, wanted.recipient):
                batch.outgoing.keep_back(made)
            if decided.test and not wanted.recipient.test:
                batch.outgoing.withhold(made)
            earlier.append(made)
            if made.state == "waiting":
                batch.sending.add(decided.case)

    async def _store(self, tx: EmittingTransaction, batch: _Batch) -> None:
        if not batch.touched:
            return
        for record in batch.touched.values():
            record.state, record.held_by = answers.state_of(record, batch.deliveries[record.case])
        changed = [
            delivery
            for case in batch.touched
            for delivery in batch.deliveries[case]
            if batch.stored.get(delivery.id, _standing(delivery)) != _standing(delivery)
        ]
        await batch.outgoing.store(tx)
        await store.update_deliveries(tx, sorted(changed, key=lambda d: d.id))
        await store.save_cases(tx, list(batch.touched.values()), batch.kept)
        if batch.referrals:
            await refer(tx, batch.referrals, self._areas, batch.started)
        silent = [record for case, record in batch.touched.items() if case not in batch.sending]
        tell(tx, silent, batch.deliveries, batch.started)
        for case in batch.kept:
            for route in batch.touched[case].unaddressed:
                HELD.labels(route["service"], "no_recipient").inc()
                await audit.record(
                    tx,
                    who="delivery",
                    act="delivery.no_recipient",
                    case=case,
                    service=route["service"],
                    area=route["area"],
                    version=batch.touched[case].version,
                    owner=OWNER,
                )


def _standing(delivery: Delivery) -> tuple[str, datetime, datetime | None]:
    return (delivery.state, delivery.due, delivery.chase_at)
