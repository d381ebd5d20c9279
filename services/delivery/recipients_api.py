"""The directory over HTTP: who is described how, changes that two people make, a test of the connection."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError

from services.delivery import recipients_store
from services.delivery.addresses import Addresses
from services.delivery.book import Book, Entry
from services.delivery.domain.changes import differences, takes_two
from services.delivery.recipients_store import Address
from services.delivery.recipients_work import RecipientsWork
from services.delivery.sealing import Sealer, fingerprint, is_secret, new_secret
from shared import audit
from shared.contracts.base import write_moment
from shared.db import Row, Transaction
from shared.errors import BadSettings, Refused
from shared.keys import Caller, must_be
from shared.privacy import Secret
from shared.runtime import Runtime
from shared.web import JsonResponse, parse_json, read_body

NEW: Final = "new"
REFUSALS: Final = 20
TOLD: Final = frozenset({"source", "state", "changes", "refusals", "work"})
"""What is shown with a description and is none of it: left out where it is sent back."""


class RecipientsDesk:
    """What people do with recipients, decided here; the paths below only call it."""

    def __init__(
        self, runtime: Runtime, book: Book, addresses: Addresses, sealer: Sealer, work: RecipientsWork
    ) -> None:
        self._runtime = runtime
        self._book = book
        self._addresses = addresses
        self._sealer = sealer
        self._work = work

    async def reader(self, request: Request) -> Caller:
        """Who looks, or tries a connection. Raises Refused."""
        return must_be(await self._runtime.keys.caller(request.headers.get("authorization")), "person", "ops")

    async def caller(self, request: Request) -> Caller:
        """The person who changes something. Raises Refused."""
        caller = await self.reader(request)
        if caller.person is None:
            raise Refused(403, "Not for this key", "This key names no person, so that two are not two.")
        return caller

    async def put(self, caller: Caller, name: str, body: Any) -> tuple[int, dict[str, Any]]:
        """A recipient as somebody wants it. What two people have to agree to waits for the second."""
        if not isinstance(body, dict):
            raise Refused(422, "Not a recipient", "Send one JSON object; contracts/recipient.json shows it.")
        body = {key: value for key, value in body.items() if key not in TOLD}
        if body.setdefault("id", name) != name:
            raise Refused(422, "Another recipient", "The recipient names another id than its address.")
        async with self._runtime.database.transaction() as tx:
            await recipients_store.lock(tx)
            await self._book.refresh(tx)
            before = self._book.entries.get(name)
            self._may(caller, before)
            document, made = self._sealed(body, before)
            entry = self._read(document)
            self._may(caller, entry)
            if faults := self._book.faults_with(entry):
                raise Refused(422, "Not a recipient that fits", " ".join(faults), faults=faults)
            what = differences(before.shown() if before else None, entry.shown())
            if not what:
                return 200, {"recipient": name, "status": "unchanged"}
            by = str(caller.person)
            if not takes_two(what):
                await recipients_store.save(tx, name, document)
                await audit.record(tx, who=by, act="recipient.changed", recipient=name, what=list(what))
                return 200, {"recipient": name, "status": "changed", "what": list(what)}
            waiting = await recipients_store.waiting_changes(tx, name)
            if any(row["asked_by"] != by for row in waiting):
                raise Refused(
                    409, "A change is waiting", "Confirm or withdraw it first.", change=waiting[0]["id"]
                )
            number = f"rc-{secrets.token_hex(6)}"
            await recipients_store.ask_for_change(tx, number, name, document, what=what, asked_by=by)
            await audit.record(
                tx, who=by, act="recipient.change_asked", recipient=name, change=number, what=list(what)
            )
        answer = {"recipient": name, "status": "waits_for_confirmation", "change": number, "what": list(what)}
        if made:
            answer["secrets"] = [secret.reveal() for secret in made]
        return 202, answer

    async def confirm(self, caller: Caller, name: str, number: str) -> dict[str, Any]:
        """A second person agrees: the change holds, and its addresses are asked whose they are."""
        async with self._runtime.database.transaction() as tx:
            await recipients_store.lock(tx)
            await self._book.refresh(tx)
            change = await self._waiting(tx, name, number)
            if change["asked_by"] == caller.person:
                raise Refused(403, "Not by the same person", "A change like this takes two people.")
            entry = self._read(change["described"])
            self._may(caller, self._book.entries.get(name))
            self._may(caller, entry)
            if faults := self._book.faults_with(entry):
                raise Refused(409, "It does not fit any more", " ".join(faults), faults=faults)
            await recipients_store.save(tx, name, change["described"])
            if {"secret", "address"} & set(change["what"]):
                await recipients_store.note_unverified(tx, name)
            await recipients_store.decide_change(tx, number, "confirmed", str(caller.person))
            await audit.record(
                tx,
                who=str(caller.person),
                act="recipient.change_confirmed",
                recipient=name,
                change=number,
                what=list(change["what"]),
                asked_by=change["asked_by"],
            )
        await self._refresh()
        answers = await self._addresses.verify_all(name)
        return {"recipient": name, "status": "confirmed", "addresses": answers}

    async def withdraw(self, caller: Caller, name: str, number: str) -> dict[str, Any]:
        """A change that shall not be made after all."""
        async with self._runtime.database.transaction() as tx:
            await self._book.refresh(tx)
            change = await self._waiting(tx, name, number)
            self._may(caller, self._book.entries.get(name))
            self._may(caller, self._read(change["described"]))
            await recipients_store.decide_change(tx, number, "withdrawn", str(caller.person))
            await audit.record(
                tx, who=str(caller.person), act="recipient.change_withdrawn", recipient=name, change=number
            )
        return {"recipient": name, "status": "withdrawn"}

    async def shown(self, caller: Caller, name: str) -> dict[str, Any]:
        """A recipient, how its channels are, the changes that wait, and what failed last."""
        await self._refresh()
        entry = self._entry(caller, name)
        async with self._runtime.database.transaction() as tx:
            waiting = await recipients_store.waiting_changes(tx, name)
            known = await recipients_store.addresses(tx)
            refused = await recipients_store.last_refusals(tx, name, REFUSALS)
            work = await self._work.shown(tx, [name])
        return {
            **self._shown(entry, waiting, known),
            "work": work[name],
            "refusals": [{**dict(row), "at": write_moment(row["at"])} for row in refused],
        }

    async def listed(self, caller: Caller, area: str | None) -> dict[str, Any]:
        """All recipients that the caller may see."""
        await self._refresh()
        async with self._runtime.database.transaction() as tx:
            waiting = await recipients_store.waiting_changes(tx)
            known = await recipients_store.addresses(tx)
            work = await self._work.shown(tx, self._book.entries)
        return {
            "recipients": [
                {
                    **self._shown(entry, [row for row in waiting if row["recipient"] == name], known),
                    "work": work[name],
                }
                for name, entry in sorted(self._book.entries.items())
                if self._sees(caller, entry) and area in (None, *entry.recipient.areas)
            ],
            "new": [
                {"id": row["recipient"], "role": row["described"]["role"], "areas": row["described"]["areas"]}
                | _change(row)
                for row in waiting
                if row["recipient"] not in self._book.entries
                and all(caller.may_see_area(name) for name in row["described"]["areas"])
                and area in (None, *row["described"]["areas"])
            ],
        }

    async def ping(self, caller: Caller, name: str) -> dict[str, Any]:
        """Try a recipient's webhooks with a message about nobody."""
        await self._refresh()
        entry = self._entry(caller, name)
        async with self._runtime.database.transaction() as tx:
            who = caller.person or f"key:{caller.key}"
            await audit.record(tx, who=who, act="recipient.pinged", recipient=name)
        return {"recipient": name, "webhooks": await self._addresses.ping(entry.recipient)}

    async def verify(self, caller: Caller, name: str) -> dict[str, Any]:
        """Ask a recipient's addresses now whose they are."""
        await self._refresh()
        entry = self._entry(caller, name)
        return {"recipient": name, "addresses": await self._addresses.verify_all(entry.recipient.id)}

    async def _refresh(self) -> None:
        async with self._runtime.database.transaction() as tx:
            await self._book.refresh(tx)

    async def _waiting(self, tx: Transaction, name: str, number: str) -> Row:
        change = await recipients_store.change(tx, name, number)
        if change is None:
            raise Refused(404, "No such change", "There is no change of this id for this recipient.")
        if change["state"] != "waiting":
            raise Refused(409, "Decided already", f"This change was {change['state']}.")
        return change

    def _entry(self, caller: Caller, name: str) -> Entry:
        entry = self._book.entries.get(name)
        if entry is None or not self._sees(caller, entry):
            raise Refused(404, "No such recipient", "There is no recipient of this id for this key.")
        return entry

    def _sees(self, caller: Caller, entry: Entry) -> bool:
        return all(caller.may_see_area(area) for area in entry.recipient.areas)

    def _may(self, caller: Caller, entry: Entry | None) -> None:
        if entry is not None and not self._sees(caller, entry):
            raise Refused(403, "Another area", "This key does not answer for all areas of this recipient.")

    def _read(self, document: dict[str, Any]) -> Entry:
        try:
            return self._book.read(document)
        except ValidationError as error:
            wrong = sorted({"/".join(str(step) for step in one["loc"]) for one in error.errors()})
            raise Refused(422, "Not a recipient", f"Please check: {', '.join(wrong)}.", fields=wrong) from None
        except BadSettings as error:
            raise Refused(422, "Not a recipient", str(error)) from None

    def _sealed(self, body: dict[str, Any], before: Entry | None) -> tuple[dict[str, Any], list[Secret]]:
        """The body with its secrets sealed, and those that were made for it.

        A secret is given as `whsec_...`, asked for as `new`, or kept as `fingerprint:...`, as it is shown.
        """
        made: list[Secret] = []
        known = {
            fingerprint(secret): secret
            for channel in (before.recipient.channels if before else ())
            for secret in channel.secrets
        }
        given = body.get("channels")
        if not isinstance(given, list):
            return body, made
        channels = []
        for channel in given:
            if isinstance(channel, dict) and isinstance(channel.get("secrets"), list):
                sealed = []
                for said in channel["secrets"]:
                    secret = self._secret(said, known)
                    if said == NEW:
                        made.append(secret)
                    sealed.append(f"sealed:{self._sealer.seal(secret)}")
                channel = {**channel, "secrets": sealed}
            channels.append(channel)
        return {**body, "channels": channels}, made

    def _secret(self, said: Any, known: dict[str, Secret]) -> Secret:
        if not self._sealer.able:
            raise Refused(
                503, "Secrets cannot be kept", "WAYMARK_SECRETS_KEY is not set: ask those who run this system."
            )
        if said == NEW:
            return new_secret()
        if isinstance(said, str) and said.removeprefix("fingerprint:") in known:
            return known[said.removeprefix("fingerprint:")]
        if isinstance(said, str) and said.startswith("whsec_") and is_secret(said):
            return Secret(said)
        raise Refused(
            422,
            "Not a secret",
            "A secret is `whsec_` and 24 to 64 bytes in base64, `new`, or the fingerprint of one in use.",
        )

    def _shown(self, entry: Entry, waiting: list[Row], known: Sequence[Address]) -> dict[str, Any]:
        of_url = {one.url: one for one in known if one.recipient == entry.recipient.id}
        return {
            **entry.shown(),
            "source": entry.source,
            "state": [
                {
                    "kind": channel.kind,
                    "usable": channel.why_not is None,
                    **({"why_not": channel.why_not} if channel.why_not else {}),
                    **_told(of_url.get(channel.url or "")),
                }
                for channel in entry.recipient.channels
            ],
            "changes": [_change(row) for row in waiting],
        }


def _change(row: Row) -> dict[str, Any]:
    """A change that waits for a second person."""
    return {
        "change": row["id"],
        "what": list(row["what"]),
        "asked_by": row["asked_by"],
        "asked_at": write_moment(row["asked_at"]),
    }


def _told(address: Address | None) -> dict[str, Any]:
    """What is known of an address, as far as anything is."""
    if address is None:
        return {}
    return {
        key: write_moment(value) if not isinstance(value, str) else value
        for key in ("verified_at", "failing_since", "disabled_at", "disabled_because")
        if (value := getattr(address, key)) is not None
    }


def recipients_routes(desk: RecipientsDesk) -> APIRouter:
    """The paths for people who look after recipients."""
    router = APIRouter(prefix="/v1/recipients", tags=["directory"])

    @router.get("", summary="All recipients of the caller's areas")
    async def listed(request: Request, area: str | None = Query(None)) -> JsonResponse:
        return JsonResponse(await desk.listed(await desk.reader(request), area))

    @router.get("/{name}", summary="One recipient, without its secrets")
    async def shown(request: Request, name: str) -> JsonResponse:
        return JsonResponse(await desk.shown(await desk.reader(request), name))

    @router.put("/{name}", summary="Describe a recipient, or change it")
    async def put(request: Request, name: str) -> JsonResponse:
        """Takes a `waymark.recipient/1` whole. 200 with `status` `unchanged` or `changed`; 202
        `waits_for_confirmation` with the `change` that a second person confirms, and the `secrets` that were
        asked for as `new`, shown this once. 422 names the fields or says what does not fit; 409 where
        another person's change is waiting."""
        caller = await desk.caller(request)
        status, answer = await desk.put(caller, name, parse_json(await read_body(request, limit=65_536)))
        return JsonResponse(answer, status)

    @router.post("/{name}/changes/{number}/confirm", summary="Agree to a change, as the second person")
    async def confirm(request: Request, name: str, number: str) -> JsonResponse:
        return JsonResponse(await desk.confirm(await desk.caller(request), name, number))

    @router.post("/{name}/changes/{number}/withdraw", summary="Drop a change that waits")
    async def withdraw(request: Request, name: str, number: str) -> JsonResponse:
        return JsonResponse(await desk.withdraw(await desk.caller(request), name, number))

    @router.post("/{name}/ping", summary="Try its webhooks with a message about nobody")
    async def ping(request: Request, name: str) -> JsonResponse:
        return JsonResponse(await desk.ping(await desk.reader(request), name))

    @router.post("/{name}/verify", summary="Ask its addresses now whose they are")
    async def verify(request: Request, name: str) -> JsonResponse:
        return JsonResponse(await desk.verify(await desk.reader(request), name))

    return router
