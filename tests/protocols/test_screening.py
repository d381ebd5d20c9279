"""Teams that screen every case (P6-P8), and baselines that may never decide (P1, P2)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.triage.domain import decide
from services.triage.domain.protocol import Protocol
from services.triage.protocols import load_library
from services.triage.protocols.commands import app
from shared.areas import AREAS
from tests.unit.triage.builders import AS_OF, NORTHBURY, history, incident

LIBRARY = load_library()
JOINT = {"coventry", "walsall", "darlington"}
BASELINES = {"north-2007", "south-2007"}
PANELS = JOINT | {"st-helens"}


@pytest.mark.parametrize("protocol", LIBRARY.protocols.values(), ids=lambda protocol: protocol.ref)
def test_joint_screening_looks_at_every_case_and_no_other_protocol_does(protocol: Protocol) -> None:
    body = decide(protocol, LIBRARY.safeguards, NORTHBURY, incident(), history(), AS_OF).body
    assert ("joint_screening" in body["review"]["because"]) == (protocol.id in JOINT)
    assert body["review"]["needed"] == (protocol.id in JOINT)
    panels = [route for route in body["routes"] if route["service"] == "allocation_panel"]
    assert bool(panels) == (protocol.id in PANELS)
    for route in panels:
        assert set(route["about"]) == {"a1", "a2"}


def test_the_sixteen_systems_and_the_safeguards_are_all_there() -> None:
    assert len(LIBRARY.protocols) == 16
    assert {one.id for one in LIBRARY.protocols.values() if one.never_live is not None} == BASELINES


def checked(folder: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["areas", "--areas", str(folder)])
    return done.exit_code, done.output


def test_the_areas_as_they_are_may_decide_as_they_do() -> None:
    code, output = checked(AREAS)
    assert code == 0, output


@pytest.mark.parametrize("live", [*(f"{name}/1" for name in sorted(BASELINES)), "nowhere/1"])
def test_an_area_may_not_decide_by_a_baseline_or_an_unknown_protocol(live: str, tmp_path: Path) -> None:
    shutil.copytree(AREAS, tmp_path / "areas")
    path = tmp_path / "areas" / "northbury.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("live: london-dvrim/1", f"live: {live}"))
    code, output = checked(tmp_path / "areas")
    assert code == 1
    assert "northbury" in output
    assert live in output
