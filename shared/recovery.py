"""Dead letters over HTTP, for those who run the system: each service shows its own and sends them again.

Reasons and shapes only; the bytes stay where they are. Not in `/openapi.json`, which is for callers.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter, Request

from shared import audit, dead_letters, ledger
from shared.contracts.base import write_moment
from shared.db import Row
from shared.errors import Refused, Rejected
from shared.keys import must_be
from shared.runtime import Runtime
from shared.web import JsonResponse

LATELY: Final = timedelta(days=7)
AT_MOST: Final = 500


class DeadLetters:
    """What one service has put aside."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def listed(self) -> dict[str, Any]:
        """Those that wait for a person, and those dealt with in the last week."""
        async with self._runtime.database.transaction() as tx:
            rows = await dead_letters.known(tx, dealt_with_since=ledger.now() - LATELY, limit=AT_MOST)
        return {"dead_letters": [self._shown(row) for row in rows]}

    async def one(self, number: str) -> dict[str, Any]:
        """One, with its shape. Raises Refused (404) where there is none."""
        async with self._runtime.database.transaction() as tx:
            row = await dead_letters.seen(tx, _digits(number))
            whole = None if row is None else await dead_letters.one(tx, row["id"])
        if row is None or whole is None:
            raise _no_such()
        return {
            **self._shown(row),
            "shape": dead_letters.payload_shape(bytes(whole["payload"])),
            "trace_id": (whole["traceparent"] or "")[3:35] or None,
        }

    async def resend(self, number: str, who: str) -> dict[str, Any]:
        """Send one again to the topic that it stood on; `seq` drops it where a newer event was applied since.

        Raises Refused: 404, 409 where it was sent again already, 422 where the broker will never take it;
        Retryable where the broker is away.
        """
        runtime = self._runtime
        async with runtime.database.transaction() as tx:
            row = await dead_letters.one(tx, _digits(number))
        if row is None:
            raise _no_such()
        if row["resolved_at"] is not None:
            raise Refused(409, "Dealt with already", f"This one was {row['resolution']}.")
        try:
            await runtime.producer.publish([dead_letters.message_of(row)])
        except Rejected as refused:
            raise Refused(422, "The broker does not take it", f"It was not sent: {refused.reason}.") from None
        # Noted after it is sent: a crash between sends it twice, which `seq` makes harmless.
        async with runtime.outbox.transaction() as tx:
            if await dead_letters.resolve(tx, row["id"], f"resent by {who}"):
                dead_letters.tell_resolved(tx, runtime.service, row)
                await audit.record(
                    tx, who=who, act="dead_letter.resent", case=row["case"], id=f"{runtime.service}:{row['id']}"
                )
        return await self.one(number)

    def _shown(self, row: Row) -> dict[str, Any]:
        service = self._runtime.service
        return {
            "id": f"{service}:{row['id']}",
            "service": service,
            "at": write_moment(row["at"]),
            "topic": row["topic"],
            "partition": row["partition"],
            "offset": row["kafka_offset"],
            "case": row["case"] or None,
            "sender": row["sender"],
            "seq": row["seq"],
            "revision": row["revision"],
            "reason": row["reason"],
            "size_bytes": row["size_bytes"],
            "state": standing(row),
            "resolved_at": write_moment(row["resolved_at"]) if row["resolved_at"] else None,
            "resolution": row["resolution"],
            "again": f"{service}:{row['again']}" if row["again"] is not None else None,
        }


def recovery_routes(runtime: Runtime) -> APIRouter:
    """`GET /v1/dead-letters`, `GET /v1/dead-letters/{number}`, `POST /v1/dead-letters/{number}/resend`, for
    keys of role ops."""
    router = APIRouter(prefix="/v1/dead-letters", tags=["recovery"], include_in_schema=False)
    letters = DeadLetters(runtime)

    async def ops(request: Request) -> str:
        caller = must_be(await runtime.keys.caller(request.headers.get("authorization")), "ops")
        return caller.person or f"key:{caller.key}"

    @router.get("")
    async def listed(request: Request) -> JsonResponse:
        await ops(request)
        return JsonResponse(await letters.listed())

    @router.get("/{number}")
    async def one(request: Request, number: str) -> JsonResponse:
        await ops(request)
        return JsonResponse(await letters.one(number))

    @router.post("/{number}/resend")
    async def resend(request: Request, number: str) -> JsonResponse:
        return JsonResponse(await letters.resend(number, await ops(request)))

    return router


def standing(row: Row) -> str:
    """How a dead letter stands: `waiting` for a person; `overtaken`, since something newer of its case was
    applied; `resent` and not heard of yet; `applied`; `put_aside_again`."""
    applied = row["seq"] is not None and (row["applied"] or 0) >= row["seq"]
    if row["resolved_at"] is None:
        return "overtaken" if applied else "waiting"
    if applied:
        return "applied"
    return "resent" if row["again"] is None else "put_aside_again"


def _digits(number: str) -> int:
    digits = number.rpartition(":")[2]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise _no_such()
    return int(digits)


def _no_such() -> Refused:
    return Refused(404, "No such dead letter", "This service has put nothing aside under this number.")
