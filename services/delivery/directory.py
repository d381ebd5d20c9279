"""Reads the recipients' files: `*.yaml`, each one recipient, a list of them, or `recipients: [...]`.

A signing secret never stands in a file: a webhook's `secrets` name where to find one or two, as
`env:NAME` (an environment variable) or `file:PATH` (relative to the folder of the recipients' files).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import yaml
from pydantic import ConfigDict, Field, ValidationError

from services.delivery.domain.recipients import TEST_PREFIX, Channel, Directory, Recipient
from shared import telemetry
from shared.areas import Areas
from shared.contracts import area as contract
from shared.errors import BadSettings
from shared.privacy import OPERATIONAL, Secret

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
SHORTEST_SECRET: Final = 24
"""Bytes, as the Standard Webhooks specification asks."""

_log = telemetry.logger()


class Described(contract.Recipient):
    """A recipient as its file describes it; a word that means nothing is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    test: Annotated[bool, OPERATIONAL] = False
    """Gets test records, and nothing else."""
    stand_in: Annotated[bool, OPERATIONAL] = False
    """Gets a case only when a deadline was missed, or because an area names it."""
    name: Annotated[str | None, OPERATIONAL, Field(max_length=200)] = None


def read_directory(
    folder: Path,
    areas: Areas,
    *,
    environment: Mapping[str, str],
    allow_loopback: bool = False,
) -> Directory:
    """All recipients described in `folder`. Raises BadSettings with a sentence for each fault found.

    `environment`: where secrets of the kind `env:NAME` are looked up.
    """
    if not folder.is_dir():
        raise BadSettings(f"There is no folder of recipients at {folder}.")
    faults: list[str] = []
    left_out: list[str] = []
    recipients: list[Recipient] = []
    for path in sorted(folder.glob("*.yaml")):
        for number, entry in enumerate(_entries(path, faults), start=1):
            try:
                recipients.append(_recipient(entry, folder, allow_loopback, environment, left_out))
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                where = ".".join(str(step) for step in first["loc"])
                faults.append(f"{path.name}, recipient {number}: {where or 'the entry'}: {first['msg']}.")
            except BadSettings as error:
                faults.append(f"{path.name}: {error}")
    if left_out:
        _log.warning("directory.webhooks_without_secret", recipients=left_out)
    if not recipients and not faults:
        faults.append(f"There is no recipient in {folder}.")
    directory = Directory(
        tuple(recipients),
        {area.id: area.rules.childrens_services for area in areas.by_id.values()},
    )
    faults += directory.faults()
    if faults:
        raise BadSettings(" ".join(faults))
    return directory


def _entries(path: Path, faults: list[str]) -> Iterator[Any]:
    try:
        described = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        faults.append(f"{path.name} cannot be read ({type(error).__name__}).")
        return
    if isinstance(described, dict) and set(described) == {"recipients"}:
        described = described["recipients"]
    yield from described if isinstance(described, list) else [described]


def _recipient(
    entry: Any,
    folder: Path,
    allow_loopback: bool,
    environment: Mapping[str, str],
    left_out: list[str],
) -> Recipient:
    described = Described.model_validate(entry)
    channels: list[Channel] = []
    missing: list[str] = []
    for channel in described.channels:
        try:
            channels.append(_channel(described.id, channel, folder, allow_loopback, environment))
        except _NoSecret as error:
            if not allow_loopback:
                raise
            missing.append(str(error))
    if not channels:
        raise BadSettings(" ".join(missing))
    if missing:
        left_out.append(described.id)
    return Recipient(
        id=described.id,
        role=described.role,
        areas=tuple(described.areas),
        channels=tuple(channels),
        school_urns=tuple(described.school_urns),
        escalate_to=tuple(described.escalate_to),
        test=described.test or described.id.startswith(TEST_PREFIX),
        stand_in=described.stand_in,
    )


class _NoSecret(BadSettings):
    """The secret that a channel names is not there."""


def _channel(
    recipient: str,
    channel: contract.Channel,
    folder: Path,
    allow_loopback: bool,
    environment: Mapping[str, str],
) -> Channel:
    if channel.kind != "webhook":
        if channel.url or channel.secrets:
            raise BadSettings(f"{recipient}: a channel of kind {channel.kind} has no url and no secrets.")
        return Channel(channel.kind)
    if not channel.url:
        raise BadSettings(f"{recipient}: a webhook needs a url.")
    check_url(recipient, channel.url, allow_loopback)
    named = channel.secrets or []
    if not 1 <= len(named) <= 2:
        raise BadSettings(f"{recipient}: a webhook needs one secret, or two while one replaces the other.")
    return Channel(
        "webhook", channel.url, tuple(_secret(recipient, where, folder, environment) for where in named)
    )


def check_url(recipient: str, url: str, allow_loopback: bool) -> None:
    """Raises BadSettings unless webhooks may go to `url`: https, without a name or password in it, or in
    development this machine."""
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


def _secret(recipient: str, where: str, folder: Path, environment: Mapping[str, str]) -> Secret:
    kind, _, name = where.partition(":")
    if kind not in ("env", "file") or not name:
        raise BadSettings(
            f"{recipient}: a secret does not stand in a file; name where it is, as env:NAME or file:PATH."
        )
    if kind == "env":
        value = environment.get(name)
        if not value:
            raise _NoSecret(f"{recipient}: the environment variable {name} with its signing secret is not set.")
    else:
        try:
            value = (folder / name).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise _NoSecret(f"{recipient}: the file {name} with its signing secret cannot be read.") from None
    try:
        size = len(base64.b64decode(value.removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size < SHORTEST_SECRET:
        raise BadSettings(
            f"{recipient}: the secret at {where} is not `whsec_` and {SHORTEST_SECRET} or more bytes in base64."
        )
    return Secret(value)
