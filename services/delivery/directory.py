"""Reads the recipients' files: `*.yaml`, each one recipient, a list of them, or `recipients: [...]`.

A signing secret never stands in a file: a webhook's `secrets` name where to find one or two, as
`env:NAME` (an environment variable) or `file:PATH` (relative to the folder of the recipients' files).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

from services.delivery.describing import Described, SecretPlaces, recipient_of
from services.delivery.domain.recipients import Directory, Recipient
from services.delivery.sealing import Sealer
from shared import telemetry
from shared.areas import Areas
from shared.errors import BadSettings

_log = telemetry.logger()


@dataclass(frozen=True, slots=True)
class Filed:
    """A recipient of a file: as it is described there, and what was made of it."""

    described: Described
    recipient: Recipient
    place: str
    """The file and the line it begins on."""


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
    secrets = SecretPlaces(environment, folder, Sealer(None))
    filed, faults = read_files(folder, secrets, allow_loopback=allow_loopback)
    directory = directory_of([one.recipient for one in filed], areas)
    faults += with_places(directory.faults(), filed)
    if faults:
        raise BadSettings(" ".join(faults))
    return directory


def directory_of(recipients: Sequence[Recipient], areas: Areas) -> Directory:
    """The directory of `recipients`; the areas say who answers for a child."""
    return Directory(
        tuple(recipients), {area.id: area.rules.childrens_services for area in areas.by_id.values()}
    )


def with_places(faults: Sequence[str], filed: Sequence[Filed]) -> list[str]:
    """Faults of a directory, each led by the place of the recipient that it names last."""
    placed = []
    for fault in faults:
        words = {word.strip(".,:") for word in fault.split()}
        places = [one.place for one in filed if one.recipient.id in words]
        placed.append(f"{places[-1]}: {fault}" if places else fault)
    return placed


def read_files(folder: Path, secrets: SecretPlaces, *, allow_loopback: bool) -> tuple[list[Filed], list[str]]:
    """The recipients of all files of `folder` and a sentence, with file and line, per fault found. Raises
    BadSettings where there is no such folder."""
    if not folder.is_dir():
        raise BadSettings(f"There is no folder of recipients at {folder}.")
    faults: list[str] = []
    left_out: list[str] = []
    filed: list[Filed] = []
    for path in sorted(folder.glob("*.yaml")):
        for entry, node in _entries(path, faults):
            place = f"{path.name}, line {node.start_mark.line + 1}"
            try:
                described = Described.model_validate(entry)
                recipient, without = recipient_of(described, secrets, allow_loopback=allow_loopback)
            except ValidationError as error:
                for one in error.errors(include_url=False, include_input=False):
                    where = ".".join(str(step) for step in one["loc"])
                    line = _line(node, one["loc"])
                    faults.append(f"{path.name}, line {line}: {where or 'the entry'}: {one['msg']}.")
            except BadSettings as error:
                faults.append(f"{place}: {error}")
            else:
                filed.append(Filed(described, recipient, place))
                if without:
                    left_out.append(described.id)
    if left_out:
        _log.warning("directory.webhooks_without_secret", recipients=left_out)
    if not filed and not faults:
        faults.append(f"There is no recipient in {folder}.")
    return filed, faults


def _entries(path: Path, faults: list[str]) -> Iterator[tuple[Any, Node]]:
    """What a file describes, and where in it that stands."""
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        described = loader.construct_document(root) if root is not None else None
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{path.name} cannot be read ({type(error).__name__}).")
        return
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        faults.append(
            f"{path.name}{f', line {mark.line + 1}' if mark else ''}: cannot be read"
            f" ({getattr(error, 'problem', None) or type(error).__name__})."
        )
        return
    if root is None:
        faults.append(f"{path.name}, line 1: the entry: the file is empty.")
        return
    if isinstance(described, dict) and set(described) == {"recipients"}:
        described = described["recipients"]
        root = root.value[0][1]
    if isinstance(described, list) and isinstance(root, SequenceNode):
        yield from zip(described, root.value, strict=True)
    else:
        yield described, root


def _line(node: Node, path: Sequence[int | str]) -> int:
    """The line of the deepest part that `path` leads to."""
    line: int = node.start_mark.line
    for step in path:
        if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        elif isinstance(node, MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
    return line + 1
