"""The directory at work: what the files say, what people have changed over HTTP since, and what is known of
each address. Every copy of the service reads it anew when it has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from services.delivery import recipients_store
from services.delivery.describing import Described, SecretPlaces, is_loopback, recipient_of
from services.delivery.directory import Filed, directory_of, read_files, with_places
from services.delivery.domain.recipients import Channel, Directory, Recipient
from services.delivery.recipients_store import Address
from services.delivery.sealing import fingerprint
from shared import telemetry
from shared.areas import Areas
from shared.db import Transaction
from shared.errors import BadSettings

NOT_VERIFIED: Final = "not verified"
DISABLED: Final = "disabled"

_log = telemetry.logger()


@dataclass(frozen=True, slots=True)
class Entry:
    """A recipient at work, how it is described, and where that stands."""

    described: Described
    recipient: Recipient
    source: Literal["file", "api"]

    def shown(self) -> dict[str, Any]:
        """The description as it may be shown: of a secret its fingerprint."""
        document = self.described.model_dump(mode="json", by_alias=True, exclude_none=True)
        by_url = {channel.url: channel for channel in self.recipient.channels}
        for channel in document["channels"]:
            if "secrets" in channel:
                known = by_url.get(channel["url"])
                channel["secrets"] = (
                    [f"fingerprint:{fingerprint(secret)}" for secret in known.secrets] if known else []
                )
        return document


def open_book(folder: Path, areas: Areas, secrets: SecretPlaces, *, allow_loopback: bool) -> Book:
    """The book of the files in `folder`. Raises BadSettings with a sentence for each fault found."""
    filed, faults = read_files(folder, secrets, allow_loopback=allow_loopback)
    faults += with_places(directory_of([one.recipient for one in filed], areas).faults(), filed)
    if faults:
        raise BadSettings(" ".join(faults))
    return Book(filed, areas, secrets, allow_loopback=allow_loopback)


class Book:
    """Everybody who gets cases. `directory` is replaced whole when something changes."""

    def __init__(
        self, filed: Sequence[Filed], areas: Areas, secrets: SecretPlaces, *, allow_loopback: bool
    ) -> None:
        self._filed = {one.recipient.id: Entry(one.described, one.recipient, "file") for one in filed}
        self._areas = areas
        self._secrets = secrets
        self._allow_loopback = allow_loopback
        self._version = 0
        self._moved: Callable[[str], None] = lambda recipient: None
        self.addresses: dict[tuple[str, str], Address] = {}
        self.entries: dict[str, Entry] = {}
        self.directory: Directory
        self._compose(self._filed)

    def when_moved(self, moved: Callable[[str], None]) -> None:
        """Call `moved` with each recipient whose address has changed or is in use again."""
        self._moved = moved

    @property
    def loaded(self) -> bool:
        """Whether the tables were read."""
        return self._version > 0

    def get(self, recipient: str) -> Recipient | None:
        """The recipient of this id; None where there is none."""
        return self.directory.by_id.get(recipient)

    async def refresh(self, tx: Transaction) -> bool:
        """Read the tables where they have changed; whether they had."""
        version = await recipients_store.version(tx)
        if version == self._version:
            return False
        entries = dict(self._filed)
        for document in await recipients_store.described(tx):
            try:
                entry = self.read(document)
            except (BadSettings, ValueError) as error:
                # Its key is gone or its area's file: the others go on, and it is as the files say, if at all.
                _log.error("book.recipient_unusable", recipient=str(document.get("id")), error=error)
                continue
            entries[entry.recipient.id] = entry
        self.addresses = {(one.recipient, one.url): one for one in await recipients_store.addresses(tx)}
        before = self.directory.by_id
        self._compose(entries)
        self._version = version
        for name, entry in self.entries.items():
            if name not in before or before[name].channels != entry.recipient.channels:
                self._moved(name)
        return True

    def _compose(self, entries: Mapping[str, Entry]) -> None:
        self.entries = {
            name: replace(entry, recipient=self.with_addresses(entry)) for name, entry in entries.items()
        }
        self.directory = directory_of([entry.recipient for entry in self.entries.values()], self._areas)

    def read(self, document: dict[str, Any]) -> Entry:
        """A recipient of the table, or one that is to go into it. Raises BadSettings and ValueError
        (a ValidationError)."""
        described = Described.model_validate(document)
        recipient, _ = recipient_of(described, self._secrets, allow_loopback=self._allow_loopback)
        return Entry(described, recipient, "api")

    def faults_with(self, entry: Entry) -> list[str]:
        """What would be wrong with the directory if `entry` took its place in it, that is not wrong now."""
        name = entry.recipient.id
        others = [one.recipient for key, one in self.entries.items() if key != name]
        faults = directory_of([*others, entry.recipient], self._areas).faults()
        unknown = [area for area in entry.recipient.areas if self._areas.get(area) is None]
        faults += [f"There is no area {area}." for area in unknown]
        now = set(self.directory.faults())
        return [fault for fault in faults if fault not in now]

    def with_addresses(self, entry: Entry) -> Recipient:
        """The recipient with what is known of its addresses."""
        return replace(
            entry.recipient,
            channels=tuple(self._judged(entry, channel) for channel in entry.recipient.channels),
        )

    def _judged(self, entry: Entry, channel: Channel) -> Channel:
        if channel.url is None:
            return channel
        known = self.addresses.get((entry.recipient.id, channel.url))
        if known is not None and known.disabled_at is not None:
            return replace(channel, why_not=DISABLED)
        # What a developer's own file leads to on the developer's own machine needs no proof.
        own = entry.source == "file" and self._allow_loopback and is_loopback(channel.url)
        if not own and (known is None or known.verified_at is None):
            return replace(channel, why_not=NOT_VERIFIED)
        return replace(channel, why_not=None)

    def unverified(self) -> list[tuple[Recipient, Channel]]:
        """Webhooks that wait to be verified."""
        return [
            (entry.recipient, channel)
            for entry in self.entries.values()
            for channel in entry.recipient.channels
            if channel.why_not == NOT_VERIFIED
        ]
