"""`POST /v1/replays`: what went out before is sent once more, a page of cases at a time."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.delivery import replays_store, store
from services.delivery.book import Book
from services.delivery.domain import replaying
from services.delivery.domain.case import Delivery
from services.delivery.domain.replaying import Asked
from services.delivery.outgoing import Office, Outgoing
from services.delivery.recorder import tell
from shared import audit, ledger
from shared.contracts.base import Moment, write_moment
from shared.errors import Refused
from shared.keys import Caller, must_be
from shared.outbox import EmittingTransaction, Outbox
from shared.runtime import Runtime
from shared.web import JsonResponse, parse_json, read_body

CASES_AT_ONCE: Final = 200


class Replay(BaseModel):
    """What to send once more. At least a recipient or a case; all that is given has to fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipient: Annotated[str | None, Field(max_length=63, description="an id from the directory")] = None
    case: Annotated[str | None, Field(max_length=200)] = None
    since: Annotated[Moment | None, Field(description="first to be sent then or later")] = None
    until: Annotated[Moment | None, Field(description="first to be sent before then")] = None
    insist: Annotated[bool, Field(description="also what was received; it says so in `replayed_at`")] = False
    go: Annotated[bool, Field(description="otherwise nothing is sent, and the answer tells what would be")] = (
        False
    )
    because: Annotated[
        Literal["asked", "lost"] | None,
        Field(description="why they get again what they have; needed to insist"),
    ] = None
    after: Annotated[str | None, Field(max_length=200, description="the `next` of the answer before")] = None


class Replays:
    """Sends once more what went out before."""

    def __init__(self, outbox: Outbox, office: Office, book: Book) -> None:
        self._outbox = outbox
        self._office = office
        self._book = book

    async def page(self, caller: Caller, asked: Asked, replay: Replay) -> dict[str, Any]:
        """One page of cases, in their order: what is, or would be, sent and what is left and why.

        `next` is None on the last page. Each delivery that goes is audited with who asked and why.
        """
        if asked.recipient is not None and self._book.get(asked.recipient) is None:
            raise Refused(404, "No such recipient", "There is no recipient of this id.")
        now = ledger.now()
        async with self._outbox.transaction() as tx:
            names = await replays_store.cases_with(tx, asked, after=replay.after or "", limit=CASES_AT_ONCE)
            cases = await store.load_cases(tx, names) if names else {}
            deliveries = await store.load_deliveries(tx, cases) if cases else {}
            sent, left = self._sorted(asked, deliveries, now)
            if replay.go and sent:
                contents = await store.contents_of(tx, (one.id for one in sent))
                outgoing = Outgoing(self._office, now)
                for one in sent:
                    await self._begin(tx, one, contents[one.id], outgoing, now)
                    await audit.record(
                        tx,
                        who=caller.person or caller.key,
                        act="delivery.replayed",
                        case=one.case,
                        delivery=one.id,
                        recipient=one.recipient,
                        received_before=one.received_at is not None,
                        because=replay.because,
                    )
                await outgoing.store(tx)
                await store.update_deliveries(tx, sorted(sent, key=lambda d: d.id))
                told = [cases[case] for case in sorted({one.case for one in sent})]
                tell(tx, told, deliveries, now)
                await store.save_states(tx, told)
        return {
            "sent" if replay.go else "would_send": len(sent),
            "received_before": sum(one.received_at is not None for one in sent),
            "left": dict(sorted(left.items())),
            "deliveries": [
                {
                    "delivery": one.id,
                    "case": one.case,
                    "version": one.version,
                    "recipient": one.recipient,
                    "due": write_moment(one.due),
                }
                for one in sent
            ],
            "next": names[-1] if len(names) == CASES_AT_ONCE else None,
        }

    def _sorted(
        self, asked: Asked, deliveries: dict[str, list[Delivery]], now: datetime
    ) -> tuple[list[Delivery], Counter[str]]:
        sent: list[Delivery] = []
        left: Counter[str] = Counter()
        for of_case in deliveries.values():
            for one in replaying.newest(of_case):
                if not asked.means(one):
                    continue
                because = replaying.why_left(one, now, insist=asked.insist)
                if because is None and self._book.get(one.recipient) is None:
                    left["recipient_gone"] += 1
                elif because is None:
                    sent.append(one)
                else:
                    left[because] += 1
        return sent, left

    async def _begin(
        self, tx: EmittingTransaction, one: Delivery, content: bytes, outgoing: Outgoing, now: datetime
    ) -> None:
        recipient = self._book.directory.by_id[one.recipient]
        if one.received_at is not None:
            content = replaying.marked(content, now)
            await replays_store.change_content(tx, one.id, content)
        replaying.begin_anew(one, recipient.first_channel(), now)
        if recipient.channels[one.channel].kind == "inbox":
            outgoing.offer(one, content)


def replay_routes(runtime: Runtime, replays: Replays) -> APIRouter:
    """The path for those who run the system."""
    router = APIRouter(tags=["desk"])

    @router.post("/v1/replays", summary="Send once more what went out before")
    async def replay(request: Request) -> JsonResponse:
        """A recipient, a period, a case. Without `go` nothing is sent. What was received goes again only with
        `insist` and `because`, under the same id and marked `replayed_at`. A page of cases at a time: ask
        again with `next` as `after` until it is null. For keys of role ops.

        404 no such recipient; 422 not a replay.
        """
        caller = must_be(await runtime.keys.caller(request.headers.get("authorization")), "ops")
        asked = _read(parse_json(await read_body(request, limit=65_536)))
        return JsonResponse(
            await replays.page(
                caller, Asked(asked.recipient, asked.case, asked.since, asked.until, asked.insist), asked
            )
        )

    return router


def _read(parsed: object) -> Replay:
    try:
        asked = Replay.model_validate(parsed)
    except ValidationError as error:
        wrong = sorted({"/".join(str(step) for step in one["loc"]) for one in error.errors()})
        raise Refused(422, "Not a replay", f"Please check: {', '.join(wrong)}.", fields=wrong) from None
    if asked.recipient is None and asked.case is None:
        raise Refused(422, "Whose", "Name a `recipient` or a `case`: nobody means to send everything again.")
    if any("\x00" in text for text in (asked.recipient, asked.case, asked.after) if text):
        raise Refused(422, "Not a replay", "Text cannot contain the character NUL.")
    if asked.insist and asked.because is None:
        raise Refused(422, "No reason", "Say in `because` why they get again what they have: asked, or lost.")
    return asked
