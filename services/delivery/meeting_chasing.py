"""Asks for actions of meetings that are overdue: the agency first, then the coordinator."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

from services.delivery import meetings_store, notices
from services.delivery.book import Book
from services.delivery.domain.meeting_actions import Action, Asked, chased
from services.delivery.domain.meeting_views import roles_of
from shared import audit, ledger
from shared import vocabulary as v
from shared.areas import Areas
from shared.db import Database

AT_ONCE: Final = 200

CHASES: Final = Counter(
    "waymark_delivery_meeting_actions_chased_total", "Overdue actions asked for, by who was asked", ["asked"]
)


class MeetingChasing:
    """The round of overdue actions. Notices name neither the action nor the case."""

    def __init__(self, database: Database, book: Book, areas: Areas) -> None:
        self._database = database
        self._book = book
        self._areas = areas

    async def chase_due(self) -> int:
        """Ask for what is due to be asked for, once each; how many."""
        async with self._database.transaction() as tx:
            due = await meetings_store.to_chase(tx, AT_ONCE)
            for action in due:
                area = self._areas.get(action.area) or self._areas.stand_in
                after, asked = chased(action, area, ledger.now())
                asked, whom = self._whom(action, asked)
                await notices.ask(tx, whom, "action_overdue", f"{action.id} {after.chases}")
                await meetings_store.save_action(tx, after)
                await audit.record(
                    tx,
                    who="delivery",
                    act="meeting.action_chased",
                    case=action.case,
                    action=action.id,
                    agency=action.agency,
                    asked=asked,
                    recipients=whom,
                )
                CHASES.labels(asked).inc()
        return len(due)

    def _whom(self, action: Action, asked: Asked) -> tuple[Asked, list[str]]:
        """Who is asked: an agency that has no recipient is asked by way of the coordinator."""
        coordinator = self._recipients(action, roles_of("marac", action.kind))
        if asked == "agency":
            own = self._recipients(action, roles_of(action.agency, action.kind))
            return ("agency", own[:1]) if own else ("coordinator", coordinator)
        return asked, coordinator

    def _recipients(self, action: Action, roles: list[v.Service]) -> list[str]:
        found = [
            (roles.index(one.role), one.id)
            for one in self._book.directory.recipients
            if one.role in roles
            and action.area in one.areas
            and not (one.test or one.stand_in or one.school_urns)
        ]
        return [name for _, name in sorted(found)]
