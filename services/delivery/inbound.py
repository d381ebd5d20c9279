"""What starts work here besides decisions: a recipient that reads its inbox, or answers."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import ValidationError

from services.delivery import store
from services.delivery.deadlines import Deadlines
from services.delivery.domain.answers import Closed, Said
from services.delivery.domain.restricted import is_restricted
from services.delivery.outgoing import Inboxes
from services.delivery.recorder import Passed, Recorder
from services.delivery.sign_in import SignIn
from shared import audit, ledger
from shared.contracts.base import write_moment
from shared.contracts.notification import ReceiptGiven
from shared.db import Row
from shared.errors import Refused
from shared.keys import must_be
from shared.runtime import Runtime
from shared.web import JsonResponse, parse_json, read_body

LONGEST_WAIT_S = 55
LOOK_EVERY_S = 1.0
"""Another copy of the service may have put something in: the table is asked now and then as well."""


def routes(
    runtime: Runtime, recorder: Recorder, inboxes: Inboxes, deadlines: Deadlines, sign_in: SignIn
) -> APIRouter:
    """The paths that recipients use, and the deadlines that people watch."""
    router = APIRouter(tags=["recipients"])

    async def recipient_of(request: Request) -> str:
        signed_in = await sign_in.recipient_of(request.headers.get("authorization"))
        if signed_in is not None:
            return signed_in
        return await system_of(request)

    async def system_of(request: Request) -> str:
        caller = must_be(await runtime.keys.caller(request.headers.get("authorization")), "recipient")
        if caller.recipient is None:
            raise Refused(403, "Not for this key", "This key names no recipient.")
        return caller.recipient

    @router.get("/v1/inbox", summary="The caller's cases, in order, from a cursor")
    async def inbox(
        request: Request,
        after: Annotated[int, Query(ge=0, le=2**62, description="the last number you have dealt with")] = 0,
        limit: Annotated[int, Query(ge=1, le=500, description="how many at most")] = 100,
        wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S, description="seconds to wait for news")] = 0,
    ) -> JsonResponse:
        """Entries numbered above `after`. Asking with `after` says that all up to it were received.

        `next` is the cursor to ask with once these are dealt with. With `wait` the answer comes as soon as
        there is something, and empty after so many seconds.
        """
        reader = await sign_in.recipient_of(request.headers.get("authorization"))
        recipient = reader or await system_of(request)
        await _move_cursor(runtime, recorder, recipient, after)
        deadline = asyncio.get_running_loop().time() + wait
        while True:
            async with runtime.database.transaction() as tx:
                entries = await store.read_inbox(
                    tx, recipient, after=after, limit=limit, newest=reader is not None
                )
                entries.sort(key=lambda entry: entry["no"])
                newest: dict[str, bytes] = {}
                if reader is not None:
                    newest = await store.newest_contents(tx, reader, (entry["case"] for entry in entries))
                    for case in sorted({entry["case"] for entry in entries}):
                        await audit.record(tx, who=f"reader:{reader}", act="reader.read", case=case)
            left = deadline - asyncio.get_running_loop().time()
            if entries or left <= 0:
                return JsonResponse(_page(entries, after, newest if reader is not None else None))
            await inboxes.news(recipient, min(left, LOOK_EVERY_S))

    @router.post("/v1/deliveries/{delivery}/receipts", summary="What a recipient answers")
    async def receipts(request: Request, delivery: str) -> JsonResponse:
        """Takes a `waymark.receipt/1` from the delivery's own recipient.

        200 with `status`: `recorded`, `repeated` (said before) or `late` (a later step was reached already:
        kept, and nothing changes). 404 for a delivery that is unknown or somebody else's; 409 where it
        takes no more; 422 where the receipt cannot be read.
        """
        recipient = await recipient_of(request)
        said = read_receipt(
            delivery, recipient, parse_json(await read_body(request, limit=65_536)), ledger.now()
        )
        async with runtime.database.transaction() as tx:
            found = await store.case_of(tx, delivery)
        if found is None or found["recipient"] != recipient or found["unreleased"]:
            raise Refused(404, "No such delivery", "There is no delivery of this id for this key.")
        try:
            status = await recorder.said(said, found["case"])
        except Closed as closed:
            raise Refused(409, "Closed", f"This delivery takes no such receipt any more. {closed}") from None
        return JsonResponse({"delivery": delivery, "kind": said.kind, "status": status})

    @router.get("/v1/deadlines", tags=["directory"], summary="Minutes to breach, per case and recipient")
    async def all_deadlines(request: Request) -> JsonResponse:
        """What is not received yet, the earliest deadline first, with when it is to be expected and whether
        its deadline is in danger: for people, of their areas."""
        caller = must_be(await runtime.keys.caller(request.headers.get("authorization")), "person", "ops")
        return JsonResponse(deadlines.shown(caller))

    return router


async def _move_cursor(runtime: Runtime, recorder: Recorder, recipient: str, after: int) -> None:
    """Everything up to `after` has been received. Raises Refused (422) for a cursor beyond the last entry."""
    if after == 0:
        return
    async with runtime.database.transaction() as tx:
        last = await store.last_in_inbox(tx, recipient)
        passed = await store.passed_in_inbox(tx, recipient, after=after) if after <= last else []
    if after > last:
        raise Refused(
            422, "Cursor beyond the end", "Ask with the `next` of an earlier answer, or with 0.", last=last
        )
    now = ledger.now()
    await recorder.passed([Passed(row["id"], row["case"], now) for row in passed])


def _page(entries: list[Row], after: int, newest: dict[str, bytes] | None) -> dict[str, Any]:
    """`answered`: the kinds of receipts given so far. Whoever reads with a code from a mail box is nobody in
    particular, so a case that is restricted by now, which is for named staff, is not shown to them in any
    version (S13). `newest`: for such a reader what each case's newest version carries."""
    restricted = {case for case, payload in (newest or {}).items() if _restricted(payload)}
    return {
        "entries": [
            {
                "no": entry["no"],
                "at": write_moment(entry["at"]),
                "answered": [one["kind"] for one in entry["answers"] or ()],
                "notification": _for_reader(entry["payload"], hidden=entry["case"] in restricted)
                if newest is not None
                else orjson.Fragment(bytes(entry["payload"])),
            }
            for entry in entries
        ],
        "next": entries[-1]["no"] if entries else after,
    }


_OF_RESTRICTED: Final = frozenset(
    {"schema", "delivery", "case", "version", "replaces", "to", "asked", "handling", "withdrawn"}
)


def _restricted(payload: bytes) -> bool:
    return is_restricted(orjson.loads(payload).get("handling") or ())


def _for_reader(payload: bytes, *, hidden: bool) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(payload)
    if not hidden and not _restricted(payload):
        return document
    shown = {name: value for name, value in document.items() if name in _OF_RESTRICTED}
    return {**shown, "handling": ["restricted"]}


def read_receipt(delivery: str, recipient: str, body: Any, came: datetime) -> Said:
    """A receipt as it was posted to `delivery`. Raises Refused (422), naming what is wrong."""
    if not isinstance(body, dict):
        raise Refused(422, "Not a receipt", "Send one JSON object; contracts/receipt.json shows it.")
    try:
        given = ReceiptGiven.model_validate(body)
    except ValidationError as error:
        wrong = sorted({"/".join(str(step) for step in one["loc"]) for one in error.errors()})
        raise Refused(422, "Not a receipt", f"Please check: {', '.join(wrong)}.", fields=wrong) from None
    if given.delivery is not None and given.delivery != delivery:
        raise Refused(422, "Another delivery", "The receipt names another delivery than its address.")
    if given.kind == "rejected" and not given.reason and not given.not_ours:
        raise Refused(422, "No reason", "Say why it is rejected in `reason`, or whose it is in `not_ours`.")
    for text in (given.by, given.reason, given.not_ours):
        if text is not None and "\x00" in text:
            raise Refused(422, "Not a receipt", "Text cannot contain the character NUL.")
    return Said(
        delivery=delivery,
        recipient=recipient,
        kind=given.kind,
        came=came,
        at=given.at,
        by=given.by,
        pathway=given.pathway,
        reason=given.reason,
        not_ours=given.not_ours,
    )
