"""The board's page: a month in figures and pictures, and the same as files. Small numbers are kept back."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from services.console import months_store
from services.console.access import Access, Viewer
from services.console.domain import month as figures
from services.console.domain import times
from services.console.pages import Pages, with_query
from shared import telemetry
from shared.db import Database
from shared.errors import Refused, Retryable
from shared.keys import Role
from shared.spreadsheets import cell
from shared.web import JsonResponse

ROLES: Final[tuple[Role, ...]] = ("board", "coordinator", "person", "ops")
FRESH_FOR_S: Final = 15.0
WAITED_FOR_AFTER_S: Final = 300.0
"""What is older than this is not shown: whoever looks waits until it is counted."""
_REST: Final = 50
"""Counting takes a fiftieth of the time at most, however many cases there are."""
_LOOKED_BACK: Final = timedelta(days=800)
_MONTH: Final = re.compile(r"20\d\d-(0[1-9]|1[0-2])")

WORDS: Final = {
    "deadlines_met": "Deadlines met",
    "traced": "Traced to a record of children's services",
    "repeats": "Of a family with an earlier incident",
    "nothing_or_letter": "Ended in nothing or a letter",
    "assessed": "Led to section 17 or section 47",
    "section_47": "section 47",
    "section_17": "section 17",
    "visit_or_call": "visit or call",
    "none": "no action",
    "not_yet": "not yet",
    "accepted": "accepted, pathway not told",
    "rejected": "rejected",
}

_log = telemetry.logger()


class Months:
    """Counts all months at once, and again when that is old; one copy counts once however many look."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counting = asyncio.Lock()
        self._again: asyncio.Task[None] | None = None
        self._cells: Sequence[figures.Cell] = ()
        self._at: datetime | None = None
        self._counted_at = self._took_s = 0.0

    async def counted(self) -> tuple[Sequence[figures.Cell], datetime]:
        """What was counted, and when. What is a little old is given while it is counted again. Raises Retryable
        while the database is away."""
        age = time.monotonic() - self._counted_at
        if self._at is None or age > WAITED_FOR_AFTER_S:
            await self._count()
        elif age > max(FRESH_FOR_S, _REST * self._took_s) and (self._again is None or self._again.done()):
            self._again = asyncio.create_task(self._count_later())
        assert self._at is not None  # noqa: S101 (it was counted, or that was refused)
        return self._cells, self._at

    async def _count(self) -> None:
        asked = time.monotonic()
        async with self._counting:
            if self._at is not None and self._counted_at >= asked:
                return
            began, at = time.monotonic(), datetime.now(UTC)
            async with self._database.transaction() as tx:
                self._cells = await months_store.cells(tx, at - _LOOKED_BACK)
            self._at, self._counted_at = at, time.monotonic()
            self._took_s = self._counted_at - began

    async def _count_later(self) -> None:
        try:
            await self._count()
        except Retryable as error:
            _log.warning("months.waiting", error=str(error))


def routes(pages: Pages, access: Access, months: Months) -> APIRouter:
    """The page and its files."""
    router = APIRouter(include_in_schema=False)

    async def document(viewer: Viewer, month: str, area: str) -> dict[str, Any]:
        cells, at = await months.counted()
        seen = [one for one in cells if viewer.may_see(one.area)]
        areas = sorted({one.area for one in seen if one.area is not None} | set(viewer.areas or ()))
        if area and area not in areas:
            raise Refused(404, "No such area", "There are no figures of this area for you.")
        this = f"{datetime.now(times.LOCAL):%Y-%m}"
        if month and not _MONTH.fullmatch(month):
            raise Refused(404, "No such month", "Name it as 2026-11.")
        known = sorted({one.month for one in seen} | {this}, reverse=True)
        return {
            **figures.month_of(seen, month or this, area or None),
            "areas": areas,
            "known_months": known,
            "counted_at": times.machine(at),
        }

    @router.get("/month")
    async def page(request: Request, month: str = "", area: str = "") -> Response:
        viewer = await access.viewer(request, *ROLES)
        found = await document(viewer, month, area)
        asked = {"month": found["month"], "area": area}
        return pages.page(
            "month.html",
            viewer=viewer,
            here="/month",
            it=found,
            words=WORDS,
            say_month=figures.say_month,
            highest=max((one["cases"] or 0 for one in found["months"]), default=0),
            csv=with_query("/month.csv", **asked),
            json=with_query("/month.json", **asked),
        )

    @router.get("/month.json")
    async def as_json(request: Request, month: str = "", area: str = "") -> Response:
        return JsonResponse(await document(await access.viewer(request, *ROLES), month, area))

    @router.get("/month.csv")
    async def as_csv(request: Request, month: str = "", area: str = "") -> Response:
        found = await document(await access.viewer(request, *ROLES), month, area)
        out = io.StringIO()
        sheet = csv.writer(out)
        sheet.writerow(("month", "area", "measure", "of", "value"))
        sheet.writerows([cell(value) for value in row] for row in figures.rows_of(found))
        sheet.writerow(("", "", "rule", "", cell(found["rule"])))
        name = f"waymark-{found['month']}.csv"
        return Response(
            out.getvalue(),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    return router
