"""A protocol file checked: shape, directions, what its board will not have meant, its cases, its proofs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from services.triage.domain.findings import find
from services.triage.domain.proofs import Proof, prove
from services.triage.domain.protocol import Protocol
from services.triage.protocols.cases import load_cases, run_cases
from services.triage.protocols.files import ProtocolFault, ReadFile, read_whole, read_yaml
from services.triage.protocols.mutants import Judgement, judge_mutants, summarise

Severity = Literal["refused", "mend", "note"]


@dataclass(frozen=True)
class Remark:
    """One line of a report. `refused`: the file is not taken; `mend`: it is not as it should be; `note`."""

    file: str
    line: int
    severity: Severity
    kind: str
    message: str

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "file": self.file, "line": self.line, "severity": self.severity, "kind": self.kind,
            "message": self.message,
        }  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What a check found. `cases`: how many were tried, none where there is no cases file."""

    file: str
    protocol: Protocol | None
    remarks: tuple[Remark, ...]
    cases: int = 0
    proof: Proof | None = None
    mutants: dict[str, Any] | None = None

    @property
    def good(self) -> bool:
        """Nothing to mend."""
        return all(one.severity == "note" for one in self.remarks)

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "file": self.file,
            "protocol": None if self.protocol is None else self.protocol.ref,
            "digest": None if self.protocol is None else self.protocol.digest,
            "good": self.good,
            "remarks": [one.as_data() for one in self.remarks],
            "cases": self.cases,
            "proof": None if self.proof is None else self.proof.as_data(),
            "mutants": self.mutants,
        }


def check_file(path: Path, safeguards: Protocol, *, mutants: bool = False) -> Report:
    """Check a file with the cases beside it; with `mutants`, the cases too, by breaking each rule.

    Raises OSError where the file cannot be read.
    """
    read = read_whole(path.read_bytes(), path.name)
    faults = list(read.faults)
    if read.protocol is not None and path.name != (wanted := f"{read.protocol.ref.replace('/', '.v')}.yaml"):
        faults.append(ProtocolFault(path.name, 1, f"the file's name must be {wanted}."))
    refused = [Remark(fault.file, fault.line, "refused", "file", fault.message) for fault in faults]
    if read.protocol is None:
        return Report(path.name, None, tuple(refused))
    protocol = read.protocol
    proof = prove(protocol, protocol if protocol.id == safeguards.id else safeguards)
    remarks = [*refused, *_found(read, protocol, safeguards, path.name), *_unproved(read, proof, path.name)]
    cases = path.with_name(path.name.removesuffix(".yaml") + ".cases.yaml")
    tried, broken = 0, None
    if cases.exists():
        tried, failing = try_cases(cases, protocol, safeguards)
        remarks += failing
        if mutants and not failing:
            own = protocol if protocol.id == safeguards.id else safeguards
            judged = list(judge_mutants(read.document or {}, protocol, own, load_cases(cases)))
            broken = summarise(judged)
            remarks += [_unnoticed(one, read, path.name) for one in judged if one.verdict == "survived"]
    else:
        remarks.append(
            Remark(path.name, 1, "mend", "cases", f"there are no cases: write {cases.name} beside it.")
        )
    return Report(path.name, protocol, tuple(remarks), tried, proof, broken)


def _found(read: ReadFile, protocol: Protocol, safeguards: Protocol, name: str) -> Iterator[Remark]:
    order = [rule["id"] for rule in (read.document or {}).get("rules", ())]
    own = protocol.id == safeguards.id
    for one in find(protocol, order, protocol if own else safeguards):
        yield Remark(name, read.line(one.path), "note" if one.note else "mend", one.kind, one.message)


def _unproved(read: ReadFile, proof: Proof, name: str) -> Iterator[Remark]:
    ids = [rule["id"] for rule in (read.document or {}).get("rules", ())]
    for statement in proof.statements:
        for one in statement.against:
            rule = one.at.partition("#")[2]
            path: list[int | str] = ["rules", ids.index(rule)] if rule in ids else ["levels"]
            yield Remark(
                name, read.line(path), "refused", statement.name, f"{one.at}: {one.because} ({one.facts})."
            )


def _unnoticed(one: Judgement, read: ReadFile, name: str) -> Remark:
    ids = [rule["id"] for rule in (read.document or {}).get("rules", ())]
    rule = one.mutant.rule
    path: list[int | str] = ["rules", ids.index(rule)] if rule in ids else list(rule.split())
    if path[-1:] and str(path[-1]).isdigit() and path[0] != "rules":
        path[-1] = int(path[-1])
    return Remark(
        name,
        read.line(path),
        "mend",
        "mutant",
        f"no case notices {rule} with {one.mutant.how}: write one that comes out otherwise.",
    )


def try_cases(path: Path, protocol: Protocol, safeguards: Protocol) -> tuple[int, list[Remark]]:
    """How many cases there are, and a remark for each that comes out otherwise."""
    try:
        cases = load_cases(path)
        root, _ = read_yaml(path.read_bytes(), path.name)
    except ProtocolFault as fault:
        return 0, [Remark(fault.file, fault.line, "refused", "cases", fault.message)]
    lines = ReadFile(None, (), root)
    remarks = []
    if cases.protocol != protocol.ref:
        remarks.append(
            Remark(
                path.name, lines.line(["protocol"]), "mend", "cases", f"these cases are of {cases.protocol}."
            )
        )
    own = protocol if protocol.id == safeguards.id else safeguards
    for place, outcome in enumerate(run_cases(cases, protocol, own)):
        if outcome.differences:
            told = "; ".join(outcome.differences)
            remarks.append(
                Remark(
                    path.name, lines.line(["cases", place]), "mend", "cases", f"{outcome.case.name}: {told}."
                )
            )
    return len(cases.cases), remarks


def worst(reports: Iterable[Report]) -> int:
    """The exit status for these reports: 0 where all are good, else 1."""
    return 0 if all(report.good for report in reports) else 1
