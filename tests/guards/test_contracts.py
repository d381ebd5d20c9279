"""Contracts: each field classed once, silent about people when printed, and every sample still readable."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import shared.contracts
from shared.contracts.base import Contract
from shared.contracts.topics import TOPICS
from shared.privacy import MASK

ROOT = Path(__file__).resolve().parents[2]
SERVICES = {"intake", "enrichment", "triage", "delivery", "console"}


def contracts() -> list[type[Contract]]:
    found: set[type[Contract]] = set()
    for module in pkgutil.iter_modules(shared.contracts.__path__):
        for _, kind in inspect.getmembers(
            importlib.import_module(f"shared.contracts.{module.name}"), inspect.isclass
        ):
            if issubclass(kind, Contract) and kind is not Contract:
                found.add(kind)
    return sorted(found, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")


@pytest.mark.parametrize("kind", contracts(), ids=lambda kind: kind.__qualname__)
def test_every_field_says_whose_it_is_and_how_sensitive(kind: type[Contract]) -> None:
    assert [name for name in kind.model_fields if kind.field_class(name) is None] == []


def test_a_person_is_not_printed() -> None:
    from shared.contracts.incident import Adult, Name

    adult = Adult(id="a1", name=Name(given="Sian", family="Hughes"), pnc_id="2009/0123456X")
    assert "Hughes" not in f"{adult!r} {adult} {[adult]}"
    assert "2009" not in repr(adult)
    assert MASK in repr(adult)
    assert "a1" in repr(adult)


def test_topics_have_known_writers_and_readers_and_one_key() -> None:
    for topic in TOPICS:
        assert topic.producer in SERVICES | {"any"}
        assert set(topic.consumers) <= SERVICES
        assert topic.key == "case"
        assert topic.contract.schema_id.startswith("waymark.")
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


SAMPLES = sorted((ROOT / "tests" / "contracts" / "samples" / "v1").glob("*.json"))


def missing_from(written: Any, said: Any, at: str = "") -> list[str]:
    """Where `written` lacks or changed something that was said; null says nothing."""
    if isinstance(said, dict) and isinstance(written, dict):
        return [
            fault
            for key, inner in said.items()
            if inner is not None
            for fault in missing_from(written.get(key), inner, f"{at}/{key}")
        ]
    if isinstance(said, list) and isinstance(written, list) and len(said) == len(written):
        return [
            fault
            for i, (one, other) in enumerate(zip(written, said, strict=True))
            for fault in missing_from(one, other, f"{at}/{i}")
        ]
    return [] if said == written else [at]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_published_sample_is_read_and_written_without_loss(sample: Path) -> None:
    modules = {
        "incident": ("incident", "Incident"),
        "history": ("history", "History"),
        "decision": ("decision", "Decision"),
        "notification": ("notification", "Notification"),
        "receipt": ("notification", "ReceiptGiven"),
        "records": ("records", "Records"),
        "accepted": ("accepted", "Accepted"),
        "recipient": ("area", "Recipient"),
    }
    module, name = modules[sample.stem]
    kind = getattr(importlib.import_module(f"shared.contracts.{module}"), name)
    said = json.loads(sample.read_bytes())
    assert missing_from(kind.model_validate(said).as_json(), said) == []


def test_there_is_a_sample_of_every_contract_by_example() -> None:
    assert {path.stem for path in SAMPLES} >= {
        "incident", "history", "decision", "notification", "receipt", "records", "accepted", "recipient",
    }  # fmt: skip
