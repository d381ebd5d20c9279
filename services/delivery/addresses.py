"""Looks after webhooks' addresses: each shows that it is its recipient's before the first case (a challenge),
one that has not answered for days or says that it is gone is used no more, and its owner hears of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any, Final

import orjson

from services.delivery import notices, recipients_store
from services.delivery.book import NOT_VERIFIED, Book
from services.delivery.domain.recipients import Channel, Recipient
from services.delivery.outbound import Webhooks
from shared import audit, ledger, telemetry
from shared.contracts.base import write_moment
from shared.contracts.notification import Challenge, Ping
from shared.db import Database, Transaction
from shared.errors import Retryable

LOOK_EVERY_S: Final = 5.0
ASK_AGAIN_AFTER_S: Final = 60.0
ASKED_AT_ONCE: Final = 20
OWNER_HEARS_AFTER_DAYS: Final = 1 / 24
FORGET_EVERY_S: Final = 3600.0
REFUSALS_KEPT_DAYS: Final = 90
GONE: Final = "it said that it is gone (410)"
SILENT: Final = "it has not answered for days"

_log = telemetry.logger()


class Addresses:
    """The addresses of one copy of the service's recipients."""

    def __init__(
        self, database: Database, book: Book, webhooks: Webhooks, *, disabled_after_days: float
    ) -> None:
        self._database = database
        self._book = book
        self._webhooks = webhooks
        self._days = disabled_after_days
        self._health: dict[str, bool] = {}
        self._asked: dict[tuple[str, str], float] = {}

    def note_health(self, recipient: str, well: bool) -> None:
        """A recipient's address stopped answering, or is back; stored at the next look."""
        self._health[recipient] = well

    async def run(self) -> None:
        """Run for ever."""
        forgot = float("-inf")
        while True:
            try:
                if time.monotonic() - forgot > FORGET_EVERY_S:
                    forgot = time.monotonic()
                    async with self._database.transaction() as tx:
                        await recipients_store.forget_refusals(tx, REFUSALS_KEPT_DAYS)
                await self.store_health()
                await self.disable_silent()
                await self.verify_waiting()
            except Retryable as error:
                _log.warning("addresses.waiting", error=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def store_health(self) -> None:
        """Store which addresses stopped answering or came back."""
        health, self._health = self._health, {}
        if not health:
            return
        try:
            async with self._database.transaction() as tx:
                for name in sorted(health):
                    for channel in _webhooks_of(self._book.get(name)):
                        await recipients_store.note_health(tx, name, channel.url or "", well=health[name])
        except Retryable:
            self._health = {**health, **self._health}
            raise

    async def disable_silent(self) -> int:
        """Use addresses no more that have not answered for days; how many. Their owners hear of it, and after
        an hour that they are failing."""
        async with self._database.transaction() as tx:
            silent = await recipients_store.failing_for(tx, self._days)
            for row in silent:
                await disable(tx, row["recipient"], row["url"], SILENT)
            for row in await recipients_store.failing_for(tx, OWNER_HEARS_AFTER_DAYS):
                since = write_moment(row["failing_since"])
                await notices.ask(tx, [row["recipient"]], "address_failing", f"{row['url']} {since}")
            if silent:
                await self._book.refresh(tx)
        return len(silent)

    async def verify_waiting(self) -> None:
        """Ask those addresses that have yet to show whose they are, each once a minute."""
        now = time.monotonic()
        waiting = [
            (recipient, channel)
            for recipient, channel in self._book.unverified()
            if self._asked.get((recipient.id, channel.url or ""), -1e9) + ASK_AGAIN_AFTER_S <= now
        ]
        for recipient, channel in waiting:
            self._asked[recipient.id, channel.url or ""] = now
        for first in range(0, len(waiting), ASKED_AT_ONCE):
            await asyncio.gather(
                *(
                    self.verify(recipient, channel)
                    for recipient, channel in waiting[first : first + ASKED_AT_ONCE]
                )
            )

    async def verify_all(self, recipient: str) -> dict[str, str]:
        """Ask all addresses of a recipient that have yet to show whose they are, now; what came of each, by
        address."""
        found = self._book.get(recipient)
        return {
            channel.url or "": await self.verify(found, channel)
            for channel in _webhooks_of(found)
            if found is not None and channel.why_not is not None
        }

    async def verify(self, recipient: Recipient, channel: Channel) -> str:
        """Send a challenge; `verified`, or what came instead. The right answer is a 2xx that gives the
        challenge back, as JSON (`{"challenge": ...}`) or as plain text."""
        challenge = secrets.token_urlsafe(24)
        asked = Challenge(recipient=recipient.id, challenge=challenge, at=ledger.now())
        number = f"c-{secrets.token_hex(8)}"
        result, body = await self._webhooks.ask(number, orjson.dumps(asked.as_json()), channel)
        if not (result.startswith("HTTP 2") and challenge.encode() in body[:4096]):
            return result if not result.startswith("HTTP 2") else "another answer than the challenge"
        async with self._database.transaction() as tx:
            await recipients_store.note_verified(tx, recipient.id, channel.url or "")
            await audit.record(tx, who="delivery", act="address.verified", recipient=recipient.id)
            await self._book.refresh(tx)
        _log.info("addresses.verified", recipient=recipient.id)
        return "verified"

    async def ping(self, recipient: Recipient) -> list[dict[str, Any]]:
        """Send a test message, of nobody, to each of a recipient's webhooks; what came of each."""
        answers = []
        for channel in _webhooks_of(recipient):
            asked = Ping(recipient=recipient.id, at=ledger.now())
            started = time.perf_counter()
            result, _ = await self._webhooks.ask(
                f"p-{secrets.token_hex(8)}", orjson.dumps(asked.as_json()), channel
            )
            answers.append(
                {
                    "url": channel.url,
                    "result": result,
                    "ms": round((time.perf_counter() - started) * 1000, 1),
                    "verified": channel.why_not != NOT_VERIFIED,
                }
            )
        return answers


async def disable(tx: Transaction, recipient: str, url: str, because: str) -> None:
    """Use an address no more, until it is verified anew."""
    if await recipients_store.disable(tx, recipient, url, because):
        await audit.record(tx, who="delivery", act="address.disabled", recipient=recipient, because=because)
        await notices.ask(tx, [recipient], "address_disabled", url)
        _log.warning("addresses.disabled", recipient=recipient, because=because)


def _webhooks_of(recipient: Recipient | None) -> list[Channel]:
    return [channel for channel in recipient.channels if channel.kind == "webhook"] if recipient else []
