"""Protocol files: read, checked with the line of every fault, and kept as a library.

Reading is strict YAML: no anchors or aliases (a few lines of those can grow to gigabytes), no tags, no
key twice, at most 256 KiB and 32 levels deep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from services.triage.domain.conditions import OPERATORS, Unfit
from services.triage.domain.facts import FACTS
from services.triage.domain.points import unreachable
from services.triage.domain.protocol import Protocol, build_protocol
from services.triage.protocols.shape import ProtocolFile
from shared.canonical import digest
from shared.errors import BadSettings

LIBRARY: Final = Path(__file__).resolve().parent
LARGEST: Final = 256 * 1024
DEEPEST: Final = 32
SAFEGUARDS: Final = "safeguards"


class ProtocolFault(BadSettings):
    """A protocol file that is refused: `file`, `line` (from 1) and what to write instead."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}, line {line}: {message}")
        self.file = file
        self.line = line
        self.message = message


@dataclass(frozen=True)
class Library:
    """The protocols by `id/version`, and the safeguards that hold under each."""

    protocols: Mapping[str, Protocol]
    safeguards: Protocol

    def get(self, ref: str) -> Protocol | None:
        """A protocol by `id/version`, or the newest version by `id`; None where there is none."""
        if ref in self.protocols:
            return self.protocols[ref]
        versions = [one for one in self.protocols.values() if one.id == ref]
        return max(versions, key=lambda one: one.version, default=None)


def load_library(folder: Path = LIBRARY) -> Library:
    """Every published protocol in `folder`. Raises ProtocolFault at the first fault."""
    found: dict[str, Protocol] = {}
    for path in sorted(folder.glob("*.v*.yaml")):
        if path.name.endswith(".cases.yaml"):
            continue
        protocol = load_protocol(path)
        found[protocol.ref] = protocol
    safeguards = [one for one in found.values() if one.id == SAFEGUARDS]
    if not safeguards:
        raise BadSettings(f"There are no safeguards in {folder}: nothing is decided without them.")
    newest = max(safeguards, key=lambda one: one.version)
    return Library({ref: one for ref, one in found.items() if one.id != SAFEGUARDS}, newest)


def load_protocol(path: Path) -> Protocol:
    """Read one file. Its name is `id.vVERSION.yaml`. Raises ProtocolFault."""
    protocol = read_protocol(path.read_bytes(), path.name)
    if path.name != f"{protocol.id}.v{protocol.version}.yaml":
        raise ProtocolFault(path.name, 1, f"the file's name must be {protocol.id}.v{protocol.version}.yaml")
    return protocol


def read_protocol(content: bytes, name: str = "protocol") -> Protocol:
    """A protocol from the bytes of a file called `name`. Raises ProtocolFault, the first there is."""
    read = read_whole(content, name)
    if read.faults:
        raise read.faults[0]
    assert read.protocol is not None  # noqa: S101 (without a fault there is one)
    return read.protocol


@dataclass(frozen=True)
class ReadFile:
    """What became of a file: its protocol, or every fault that it is refused for, in the order of lines."""

    protocol: Protocol | None
    faults: tuple[ProtocolFault, ...]
    root: Node | None = None
    document: Mapping[str, Any] | None = None

    def line(self, path: Sequence[int | str]) -> int:
        """The line of the file at which `path` stands."""
        return 1 if self.root is None else _line(self.root, list(path))


def read_whole(content: bytes, name: str) -> ReadFile:
    """Read a file to its end, whatever is wrong with it."""
    try:
        root, document = read_yaml(content, name)
    except ProtocolFault as fault:
        return ReadFile(None, (fault,))
    try:
        shaped = ProtocolFile.model_validate(document)
    except ValidationError as error:
        return ReadFile(None, _misshapen(error, root, name), root)
    plain = shaped.model_dump(by_alias=True, exclude_none=True)
    seal = digest(shaped.model_dump(mode="json", by_alias=True, exclude_none=True))
    rules: list[Any] = plain["rules"]
    kept = list(range(len(rules)))
    faults: list[ProtocolFault] = []
    while True:
        try:
            protocol = build_protocol({**plain, "rules": [rules[i] for i in kept]}, seal)
            break
        except Unfit as unfit:
            path = list(unfit.path)
            if path[:1] != ["rules"] or len(path) < 2:
                faults.append(ProtocolFault(name, _line(root, path), f"{unfit.message}."))
                return ReadFile(None, tuple(faults), root)
            # Read on without this rule. Who is covered by one left out has no fault of its own.
            path[1] = out = kept.pop(int(path[1]))
            gone = {rule["id"] for i, rule in enumerate(rules) if i not in kept}
            if "covered_by" not in path or rules[out]["covered_by"][int(path[3])] not in gone:
                faults.append(ProtocolFault(name, _line(root, path), f"{unfit.message}."))
    ids = [rule["id"] for rule in rules]
    for rule in unreachable(protocol):
        place = ids.index(rule.ref.partition("#")[2])
        part = "only_if" if rules[place].get("only_if") else "when"
        faults.append(
            ProtocolFault(
                name,
                _line(root, ["rules", place, part]),
                f"{ids[place]!r} can never hold, whatever the facts: mend its condition, or leave it out.",
            )
        )
    faults.sort(key=lambda fault: fault.line)
    return ReadFile(None if faults else protocol, tuple(faults), root, plain)


def _misshapen(error: ValidationError, root: Node, name: str) -> tuple[ProtocolFault, ...]:
    faults: dict[tuple[int, str], ProtocolFault] = {}
    for one in error.errors(include_url=False):
        path = [step for step in one["loc"] if not str(step).startswith("function-")]
        fault = ProtocolFault(name, _line(root, path), _in_plain_words(one, path))
        faults.setdefault((fault.line, fault.message), fault)
    return tuple(sorted(faults.values(), key=lambda fault: fault.line))


def read_yaml(content: bytes, name: str) -> tuple[Node, Any]:
    """The document as nodes (which know their lines) and as plain data. Raises ProtocolFault."""
    if len(content) > LARGEST:
        raise ProtocolFault(name, 1, f"larger than {LARGEST} bytes.")
    try:
        text = content.decode("utf-8")
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            mark: Any = event.start_mark
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ProtocolFault(name, mark.line + 1, f"more than {DEEPEST} levels deep.")
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise ProtocolFault(name, mark.line + 1, "anchors and aliases are not taken: write it out.")
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            raise ProtocolFault(name, 1, "the file is empty.")
        _no_key_twice(root, name)
        return root, loader.construct_document(root)
    except UnicodeDecodeError:
        raise ProtocolFault(name, 1, "not UTF-8 text.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or "not YAML"
        if "'\\t'" in problem:
            problem = "a tab: indent with spaces"
        raise ProtocolFault(name, 1 if mark is None else mark.line + 1, f"{problem}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ProtocolFault(name, 1, f"not YAML that can be read: {error}.") from None


def _no_key_twice(node: Node, name: str) -> None:
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise ProtocolFault(name, key.start_mark.line + 1, f"{key.value!r} stands here twice.")
            seen.add(key.value)
            _no_key_twice(value, name)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            _no_key_twice(value, name)


def _line(root: Node, path: list[int | str]) -> int:
    """The line of the deepest node on `path`; steps that only name a variant are passed over."""
    node = root
    line: int = node.start_mark.line
    for step in path:
        if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        elif isinstance(node, MappingNode):
            found = next(((k, val) for k, val in node.value if k.value == str(step)), None)
            if found is not None:
                line = found[0].start_mark.line
                node = found[1]
        elif isinstance(node, ScalarNode):
            break
    return line + 1


_KEYS: Final = {
    "rules": (
        "id", "when", "only_if", "at_least", "step_up", "routes", "consider", "handling", "covered_by",
        "mitigating", "because", "source",
    ),
    "": (
        "id", "version", "title", "source", "in_force_from", "baseline", "levels", "without_child", "rules",
        "never_lower", "after_waiting",
    ),
}  # fmt: skip


def _in_plain_words(error: Any, path: list[int | str]) -> str:
    where = ".".join(str(step) for step in path)
    kind, message = error["type"], error["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        keys = _KEYS["rules" if path[0] == "rules" and len(path) == 3 else ""]
        close = get_close_matches(str(path[-1]), keys, n=1)
        return f"{path[-1]!r} is not known here" + (f"; did you mean {close[0]!r}?" if close else ".")
    if kind == "missing":
        return f"{path[-1]} is missing."
    if kind == "operator":
        return _which_operator(error["input"], path)
    if kind == "literal_error":
        close = get_close_matches(str(error["input"]), _choices(error), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f": one of {', '.join(_choices(error))}."
        return f"{error['input']!r} is not known for {where}" + hint
    return f"{where}: {message[0].lower()}{message[1:]}."


def _which_operator(said: Any, path: list[int | str]) -> str:
    """What to write instead of a test that is none."""
    fact = FACTS.get(str(path[-1]))
    fitting = OPERATORS[fact.kind] if fact is not None else tuple(dict.fromkeys(sum(OPERATORS.values(), ())))
    if isinstance(said, Mapping) and len(said) == 1:
        written = str(next(iter(said)))
        close = get_close_matches(written, fitting, n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]!r}?" if close else f": write one of {', '.join(fitting)}."
        return f"there is no operator {written!r}" + hint
    return f"{path[-1]}: write one operator of {', '.join(fitting)}, such as {{{fitting[0]}: ...}}."


def _choices(error: Any) -> list[str]:
    expected = error.get("ctx", {}).get("expected", "")
    return [part.strip(" '\"") for part in expected.replace(" or ", ", ").split(",") if part.strip()]
