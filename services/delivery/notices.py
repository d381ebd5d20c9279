"""E-mail, as a notice alone: that something waits, that a deadline is near or missed, that an address is used
no more. It names no case and nobody: mail boxes are shared, forwarded and read over shoulders.

A notice is asked for in a transaction and sent outside of one; one that the mail server does not take is
tried again until it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib
from prometheus_client import Counter, Gauge

from services.delivery.book import Book
from services.delivery.domain.recipients import Recipient
from shared import telemetry
from shared.db import Database, Row, Transaction
from shared.errors import BadSettings, Retryable
from shared.privacy import Secret

Kind = Literal[
    "waiting",
    "deadline_near",
    "deadline_missed",
    "not_answered",
    "address_disabled",
    "address_failing",
    "action_overdue",
]

AGAIN_AFTER_S: Final = 300.0
"""Of the same kind, about nothing in particular, one in five minutes is enough."""
LEASE_S: Final = 60.0
LOOK_EVERY_S: Final = 1.0
SENT_AT_ONCE: Final = 20
_WITHIN_S: Final = 20.0

NOTICES = Counter("waymark_delivery_notices_total", "Notices by e-mail", ["kind", "outcome"])
UNSENT = Gauge("waymark_delivery_notices_unsent", "Notices that the mail server has not taken yet")

_SUBJECTS: Final[dict[str, str]] = {
    "waiting": "Something waits for you in Waymark",
    "deadline_near": "A deadline in Waymark is near",
    "deadline_missed": "A deadline in Waymark was missed",
    "not_answered": "Something in Waymark waits for your answer",
    "address_disabled": "Waymark no longer sends to your address",
    "address_failing": "Your address does not answer Waymark",
    "action_overdue": "An action from a meeting is overdue in Waymark",
}
_TEXTS: Final[dict[str, str]] = {
    "waiting": "Something waits for {recipient}. Sign in to read it and to say that you have it:",
    "deadline_near": "Something for {recipient} has not been received yet and its deadline is near."
    " Please see to it now:",
    "deadline_missed": "Something for {recipient} was not received by its deadline. Please see to it now:",
    "not_answered": "{recipient} has received something that nobody has opened, or decided, in the time for it."
    " Please see to it now:",
    "address_disabled": "The webhook address of {recipient} is used no more: it said that it is gone, or did"
    " not answer for days. What comes meanwhile waits in the inbox. Once the address answers its challenge it"
    " is used again:",
    "address_failing": "The webhook address of {recipient} has stopped answering. What comes meanwhile waits"
    " in the inbox:",
    "action_overdue": "{recipient} has to do with an action that was agreed at a meeting and is overdue. Please"
    " see to it, and have it noted as done:",
}
_log = telemetry.logger()


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where notices are handed in. `smtps://` is TLS from the start, `smtp://` TLS from STARTTLS on; without
    either only `smtp+plain://` on this machine."""

    host: str
    port: int
    tls: Literal["tls", "starttls", "none"]
    user: str | None
    password: Secret | None

    @staticmethod
    def read(address: str) -> MailServer:
        """From the setting. Raises BadSettings."""
        parts = urlsplit(address)
        kinds: dict[str, tuple[Literal["tls", "starttls", "none"], int]] = {
            "smtps": ("tls", 465), "smtp": ("starttls", 587), "smtp+plain": ("none", 25)
        }  # fmt: skip
        try:
            tls, usual = kinds[parts.scheme]
            host, port = parts.hostname, parts.port or usual
        except (KeyError, ValueError):
            host = None
        if host is None:
            raise BadSettings("WAYMARK_SMTP is smtps://USER:PASSWORD@HOST:PORT or smtp://... (with STARTTLS).")
        if tls == "none" and host not in ("127.0.0.1", "localhost", "::1"):
            raise BadSettings("WAYMARK_SMTP: mail goes without TLS to this machine only.")
        return MailServer(
            host,
            port,
            tls,
            unquote(parts.username) if parts.username else None,
            Secret(unquote(parts.password)) if parts.password else None,
        )

    async def send(self, message: EmailMessage) -> None:
        """Hand a message in. Raises aiosmtplib's errors and OSError."""
        await aiosmtplib.send(
            message,
            hostname=self.host,
            port=self.port,
            use_tls=self.tls == "tls",
            start_tls=self.tls == "starttls",
            username=self.user,
            password=self.password.reveal() if self.password else None,
            timeout=_WITHIN_S,
        )


async def ask(tx: Transaction, recipients: Iterable[str], kind: Kind, about: str = "") -> None:
    """A notice for each of these recipients, once per `about`. Where that is empty it may be said again, five
    minutes after it was said last."""
    names = sorted(set(recipients))
    if not names:
        return
    await tx.execute(
        """
        INSERT INTO notices AS n (recipient, kind, about)
        SELECT r, :kind, :about FROM unnest(CAST(:recipients AS text[])) AS r
        ON CONFLICT (recipient, kind, about) DO UPDATE
        SET next_at = greatest(now(), n.sent_at + make_interval(secs => :again)),
            sent_at = NULL, tries = 0, lease_until = NULL, asked_at = now()
        WHERE n.about = '' AND n.sent_at IS NOT NULL
        """,
        recipients=names,
        kind=kind,
        about=about,
        again=AGAIN_AFTER_S,
    )


class Notices:
    """Sends what was asked for. Any copy of the service may: a notice is leased while it is sent."""

    def __init__(
        self,
        database: Database,
        book: Book,
        server: MailServer | None,
        *,
        sender: str,
        reader_url: str,
        on_call: str | None,
    ) -> None:
        self._database = database
        self._book = book
        self._server = server
        self._sender = sender
        self._reader_url = reader_url.rstrip("/")
        self._on_call = Secret(on_call) if on_call else None

    async def run(self) -> None:
        """Run for ever."""
        while True:
            sent = 0
            try:
                sent = await self.send_due()
            except Retryable as error:
                _log.warning("notices.waiting", error=str(error))
            if not sent:
                await asyncio.sleep(LOOK_EVERY_S)

    async def send_due(self) -> int:
        """Send what is due; how many were taken."""
        if self._server is None:
            return 0
        async with self._database.transaction() as tx:
            due = await tx.rows(
                """
                UPDATE notices
                SET lease_until = clock_timestamp() + make_interval(secs => :lease), tries = tries + 1
                WHERE id IN (
                    SELECT id FROM notices
                    WHERE sent_at IS NULL AND next_at <= clock_timestamp()
                      AND (lease_until IS NULL OR lease_until < clock_timestamp())
                    ORDER BY next_at LIMIT :n FOR UPDATE SKIP LOCKED
                )
                RETURNING id, recipient, kind, tries
                """,
                lease=LEASE_S,
                n=SENT_AT_ONCE,
            )
        results = await asyncio.gather(*(self._send(row) for row in due))
        if due:
            await self._record(due, results)
        return len(due)

    async def _send(self, row: Row) -> str:
        recipient = self._book.get(row["recipient"])
        to = self.address_for(recipient, row["kind"]) if recipient is not None else None
        if to is None:
            return "nobody to tell"
        try:
            await self.send(to, _SUBJECTS[row["kind"]], self._text(row["kind"], row["recipient"]), row["id"])
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return type(error).__name__
        return "sent"

    def address_for(self, recipient: Recipient, kind: str) -> Secret | None:
        """Who is told: the first on the way of its kind who has an address."""
        ways = {
            "waiting": (recipient.notice,),
            "deadline_near": (recipient.second_contact, recipient.contact, recipient.notice),
            "deadline_missed": (recipient.on_call, self._on_call, recipient.second_contact, recipient.contact),
            "not_answered": (recipient.contact, recipient.second_contact, recipient.notice),
            "address_disabled": (recipient.contact, recipient.notice, self._on_call),
            "address_failing": (recipient.contact, recipient.notice),
            "action_overdue": (recipient.contact, recipient.notice, recipient.second_contact),
        }
        return next((way for way in ways[kind] if way is not None), None)

    def _text(self, kind: str, recipient: str) -> str:
        return (
            f"{_TEXTS[kind].format(recipient=recipient)}\n\n{self._reader_url}/reader/{recipient}\n\n"
            "This message says nothing of any case on purpose. It was sent by a machine; no answer is read.\n"
        )

    async def send(self, to: Secret, subject: str, text: str, number: int | str) -> None:
        """Hand one message in. Raises what the mail server or the way to it raises."""
        assert self._server is not None  # noqa: S101 (asked before)
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = to.reveal()
        message["Subject"] = subject
        message["Date"] = formatdate()
        message["Message-ID"] = f"<waymark-{number}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        await self._server.send(message)

    @property
    def able(self) -> bool:
        """Whether there is a mail server."""
        return self._server is not None

    async def _record(self, due: list[Row], results: list[str]) -> None:
        done = ("sent", "nobody to tell")
        for row, result in zip(due, results, strict=True):
            NOTICES.labels(row["kind"], result if result in done else "failed").inc()
            if result not in done:
                _log.warning("notices.not_sent", recipient=row["recipient"], kind=row["kind"], result=result)
        async with self._database.transaction() as tx:
            await tx.execute(
                """
                UPDATE notices AS n
                SET result = t.result, lease_until = NULL,
                    sent_at = CASE WHEN t.done THEN clock_timestamp() END,
                    next_at = clock_timestamp()
                        + make_interval(secs => least(1800, 5 * power(2, least(n.tries, 12))))
                FROM unnest(CAST(:ids AS bigint[]), CAST(:results AS text[]), CAST(:dones AS boolean[]))
                    AS t(id, result, done)
                WHERE n.id = t.id
                """,
                ids=[row["id"] for row in due],
                results=results,
                dones=[result in done for result in results],
            )
            UNSENT.set(int(await tx.value("SELECT count(*) FROM notices WHERE sent_at IS NULL")))
