"""A recipient as somebody described it, and what is made of that: addresses judged, secrets found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field

from services.delivery.domain.recipients import TEST_PREFIX, Channel, Recipient
from services.delivery.sealing import SHORTEST_SECRET, Sealer, is_secret
from shared.contracts import area as contract
from shared.errors import BadSettings
from shared.privacy import OPERATIONAL, Secret

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class DescribedChannel(contract.Channel):
    """A channel as it is described; a word that means nothing is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


class Described(contract.Recipient):
    """A recipient as it is described; a word that means nothing is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    channels: Annotated[list[DescribedChannel], OPERATIONAL, Field(min_length=1, max_length=5)]  # type: ignore[assignment]
    test: Annotated[bool, OPERATIONAL] = False
    """Gets test records, and nothing else."""
    stand_in: Annotated[bool, OPERATIONAL] = False
    """Gets a case only when a deadline was missed, or because an area names it."""
    name: Annotated[str | None, OPERATIONAL, Field(max_length=200)] = None


class NoSecret(BadSettings):
    """The secret that a channel names is not there."""


class SecretPlaces:
    """Where secrets are: `env:NAME` in the environment, `file:PATH` relative to `folder`, `sealed:...` in the
    table, to be opened by `sealer`."""

    def __init__(self, environment: Mapping[str, str], folder: Path, sealer: Sealer) -> None:
        self._environment = environment
        self._folder = folder
        self._sealer = sealer

    def find(self, recipient: str, where: str) -> Secret:
        """The secret. Raises NoSecret where it is not there, BadSettings where it is none."""
        kind, _, name = where.partition(":")
        if kind == "sealed" and name:
            return self._sealer.open(name)
        if kind not in ("env", "file") or not name:
            raise BadSettings(
                f"{recipient}: a secret does not stand in a file; name where it is, as env:NAME or file:PATH."
            )
        if kind == "env":
            value = self._environment.get(name)
            if not value:
                raise NoSecret(
                    f"{recipient}: the environment variable {name} with its signing secret is not set."
                )
        else:
            try:
                value = (self._folder / name).read_text(encoding="ascii").strip()
            except (OSError, UnicodeDecodeError):
                raise NoSecret(
                    f"{recipient}: the file {name} with its signing secret cannot be read."
                ) from None
        if not is_secret(value):
            raise BadSettings(
                f"{recipient}: the secret at {where} is not `whsec_` and {SHORTEST_SECRET} or more bytes"
                " in base64."
            )
        return Secret(value)


def recipient_of(
    described: Described, secrets: SecretPlaces, *, allow_loopback: bool
) -> tuple[Recipient, bool]:
    """The recipient, and whether a webhook was left out for want of its secret, which in development is no
    fault where there is another channel. Raises BadSettings."""
    channels: list[Channel] = []
    missing: list[str] = []
    for channel in described.channels:
        try:
            channels.append(_channel(described.id, channel, secrets, allow_loopback))
        except NoSecret as error:
            if not allow_loopback:
                raise
            missing.append(str(error))
    if not channels:
        raise BadSettings(" ".join(missing))
    if len({(channel.kind, channel.url) for channel in channels}) < len(channels):
        raise BadSettings(f"{described.id}: a channel stands there twice.")
    return (
        Recipient(
            id=described.id,
            role=described.role,
            areas=tuple(described.areas),
            channels=tuple(channels),
            school_urns=tuple(described.school_urns),
            escalate_to=tuple(described.escalate_to),
            test=described.test or described.id.startswith(TEST_PREFIX),
            stand_in=described.stand_in,
            named_staff=tuple(described.named_staff),
            always_open=described.hours == "always",
            out_of_hours=described.out_of_hours,
            notice=_email(described.notice),
            contact=_email(described.contact),
            second_contact=_email(described.second_contact),
            on_call=_email(described.on_call),
        ),
        bool(missing),
    )


def _email(contact: contract.Contact | None) -> Secret | None:
    return Secret(contact.email) if contact is not None and contact.email else None


def _channel(recipient: str, channel: contract.Channel, secrets: SecretPlaces, allow_loopback: bool) -> Channel:
    if channel.kind != "webhook":
        if channel.url or channel.secrets:
            raise BadSettings(f"{recipient}: a channel of kind {channel.kind} has no url and no secrets.")
        return Channel(channel.kind, hours=channel.hours)
    if not channel.url:
        raise BadSettings(f"{recipient}: a webhook needs a url.")
    check_url(recipient, channel.url, allow_loopback)
    named = channel.secrets or []
    if not 1 <= len(named) <= 2:
        raise BadSettings(f"{recipient}: a webhook needs one secret, or two while one replaces the other.")
    return Channel(
        "webhook", channel.url, tuple(secrets.find(recipient, where) for where in named), channel.hours
    )


def is_loopback(url: str) -> bool:
    """Whether an address that was checked leads to this machine."""
    return urlsplit(url).hostname in LOOPBACK


def check_url(recipient: str, url: str, allow_loopback: bool) -> None:
    """Raises BadSettings unless webhooks may go to `url`: https, without a name or password in it, or in
    development this machine. What its name leads to is judged when a connection is made."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadSettings(f"{recipient}: its url cannot be read.") from None
    if not host or parts.username or parts.password or parts.fragment:
        raise BadSettings(f"{recipient}: its url needs a host, and no name, password or fragment.")
    if allow_loopback and host in LOOPBACK and parts.scheme in ("http", "https"):
        return
    if host in LOOPBACK:
        raise BadSettings(
            f"{recipient}: its url leads to this machine, which only WAYMARK_ALLOW_LOOPBACK allows."
        )
    if parts.scheme != "https":
        raise BadSettings(f"{recipient}: its url is not https.")
