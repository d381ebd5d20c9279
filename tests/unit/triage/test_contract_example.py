"""The published example: incident and history in, exactly the published decision out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from services.triage.commands import app
from shared.contracts.decision import Decision, Receipt

SAMPLES = Path(__file__).resolve().parents[2] / "contracts" / "samples" / "v1"


def evaluated() -> dict[str, Any]:
    done = CliRunner().invoke(
        app,
        [
            "evaluate", "--protocol", "london-dvrim", "--history", str(SAMPLES / "history.json"),
            "--area", "northbury", "--as-of", "2026-11-21T01:15:02Z", str(SAMPLES / "incident.json"),
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    decision: dict[str, Any] = json.loads(done.stdout)
    return decision


def test_the_published_example_is_decided_exactly_as_published() -> None:
    expected = json.loads((SAMPLES / "decision.json").read_text())
    decision = evaluated()
    assert set(decision["receipt"]["inputs"]) == set(expected["receipt"]["inputs"])
    assert all(
        decision["receipt"]["inputs"][name].startswith("sha256:")
        for name in ("incident", "history", "protocol", "safeguards", "area")
    )
    for one in (decision, expected):
        for name in ("incident", "history", "protocol", "safeguards", "area"):
            del one["receipt"]["inputs"][name]
    expected["family"] = None  # only a running system knows it
    assert decision == expected


def test_the_receipt_reads_as_its_contract() -> None:
    decision = Decision.model_validate(evaluated())
    receipt = Receipt.model_validate(decision.receipt)
    assert [route.service for route in receipt.routes] == ["childrens_services", "marac", "education"]
    assert receipt.questions[0].fact == "victim_pregnant"
