"""A decision in plain English, and receipts that are the same bytes wherever they are made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from services.triage.evaluate import evaluate_incident
from services.triage.explaining import explain
from shared.canonical import canonical_bytes
from shared.contracts.history import History
from shared.contracts.reading import read_incident
from tests.unit.triage.builders import AREAS, LIBRARY, raw
from waymark.main import app
from waymark.simulate import load_profile, simulate

ROOT = Path(__file__).resolve().parents[3]


def a_decision(**changes: Any) -> dict[str, Any]:
    incident = read_incident(raw(**changes)).incident
    return evaluate_incident(incident, History(status="complete"), library=LIBRARY, areas=AREAS)


def test_it_says_what_why_who_by_when_and_by_which_rule_of_which_source() -> None:
    told = explain(a_decision(incident__strangulation=True))
    assert "Children's services: section 47." in told
    assert "Strangulation is among the gravest signs." in told
    assert "london-dvrim/1#strangulation, London 2008 s9.2" in told
    assert "children's services of northbury for section 47, about c1, by 20 November 2026" in told
    assert "A person looks at this:" in told


def test_it_says_what_is_not_known_and_never_that_it_is_no() -> None:
    told = explain(a_decision(incident__strangulation=None))
    assert "strangulation? Ask the police." in told
    assert "A yes could add:" in told
    assert "strangulation: no" not in told


def test_every_rule_of_every_route_and_reason_is_named() -> None:
    decision = a_decision(incident__threats=["kill"], children__0__born="2026-05-01")
    told = explain(decision)
    for reason in decision["receipt"]["reasons"]:
        assert reason["rule"] in told
        assert reason["because"] in told
    for route in decision["receipt"]["routes"]:
        assert all(rule.partition("#")[2] in told for rule in route["rules"])


def test_every_element_of_the_result_cites_a_rule() -> None:
    month = simulate(load_profile("nspcc-2009"), 60, 2007)
    for protocol in LIBRARY.protocols:
        for one in month.incidents:
            incident = read_incident(one).incident
            decision = evaluate_incident(incident, None, library=LIBRARY, areas=AREAS, protocol=protocol)
            receipt = decision["receipt"]
            given = {reason["rule"]: reason for reason in receipt["reasons"]}
            routed = {route["service"]: route for route in receipt["routes"]}
            assert set(receipt["result"]["services"]) == set(routed)
            for route in routed.values():
                assert route["rules"], (protocol, incident.case, route["service"])
                assert set(route["rules"]) <= set(given), (protocol, incident.case, route["service"])
            for handling in receipt["result"]["handling"]:
                assert any(handling in (reason.get("handling") or ()) for reason in given.values())
            if receipt["result"]["victim_level"] != "standard":
                assert any(
                    reason["at_least"].get("victim_level") == receipt["result"]["victim_level"]
                    for reason in given.values()
                )


MADE = """
import sys, hashlib
from services.triage.evaluate import evaluate_incident
from services.triage.protocols import load_library
from shared.areas import load_areas
from shared.canonical import canonical_bytes
from shared.contracts.reading import read_incident
from waymark.simulate import load_profile, simulate
library, areas = load_library(), load_areas()
for one in simulate(load_profile("nspcc-2009"), 20, 2007).incidents:
    for protocol in library.protocols:
        incident = read_incident(one).incident
        made = evaluate_incident(incident, None, library=library, areas=areas, protocol=protocol)
        sys.stdout.buffer.write(canonical_bytes(made["receipt"]) + b"\\n")
"""


def _made_by(python: str, seed: str, **environment: str) -> bytes:
    return subprocess.run(
        [python, "-c", MADE],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, **environment},
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout


def test_the_same_inputs_give_the_same_bytes_in_another_process_with_another_hash_seed() -> None:
    first = _made_by(sys.executable, "1")
    assert first.count(b"\n") == 20 * len(LIBRARY.protocols)
    assert first == _made_by(sys.executable, "4242")
    assert all(canonical_bytes(orjson.loads(line)) == line for line in first.splitlines())


def _another_python() -> str | None:
    """A Python of another version that can load what is installed here, on this machine or named."""
    for place in (os.environ.get("WAYMARK_OTHER_PYTHON"), "/usr/bin/python3", *_PYTHONS):
        found = shutil.which(place) if place else None
        if found is not None:
            code = "import sys, orjson, pydantic, rapidfuzz; print(sys.version)"
            asked = subprocess.run(
                [found, "-c", code], env=_packages(), capture_output=True, text=True, check=False
            )
            if asked.returncode == 0 and asked.stdout.strip() != sys.version:
                return found
    return None


_PYTHONS = tuple(f"python3.{minor}" for minor in range(11, 16))


def _packages() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_paths()["purelib"]])}


def test_the_same_inputs_give_the_same_bytes_on_another_python() -> None:
    other = _another_python()
    if other is None:
        pytest.skip("no other Python here: name one in WAYMARK_OTHER_PYTHON")
    assert _made_by(sys.executable, "1") == _made_by(other, "2", PYTHONPATH=_packages()["PYTHONPATH"])


def test_the_command_explains_a_file_of_decisions(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(a_decision(reference=name)) for name in ("NS-1", "NS-2")))
    found = CliRunner().invoke(app, ["explain", str(file)])
    assert found.exit_code == 0
    assert "Case northshire/NS-1" in found.stdout
    assert "Case northshire/NS-2" in found.stdout
    file.write_text("{}")
    assert CliRunner().invoke(app, ["explain", str(file)]).exit_code == 2
    assert CliRunner().invoke(app, ["explain", "northshire/NS-1", "--data", str(tmp_path)]).exit_code == 2


@pytest.mark.parametrize("content", ['{"receipt": {}}', '{"case": "a/1", "receipt": []}', '{"receipt": null}'])
def test_what_is_no_decision_is_wrong_use_and_no_traceback(tmp_path: Path, content: str) -> None:
    path = tmp_path / "decision.json"
    path.write_text(content)
    done = CliRunner().invoke(app, ["explain", str(path)])
    assert done.exit_code == 2
    assert "decision" in done.stderr
