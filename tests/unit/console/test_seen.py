"""What the console takes of an event is a part of the contract, and no part of it is about a person."""

from __future__ import annotations

from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from typing_extensions import is_typeddict

from services.console import seen
from shared.contracts.base import Contract
from shared.contracts.decision import Receipt
from shared.contracts.topics import TOPICS, Topic

BODIES: dict[str, type[BaseModel]] = {
    "waymark.incidents.v1": seen.AcceptedSeen,
    "waymark.enriched.v1": seen.EnrichedSeen,
    "waymark.decided.v1": seen.DecidedSeen,
    "waymark.outcomes.v1": seen.AnsweredSeen,
    "waymark.dead-letters.v1": seen.DeadLetterSeen,
}
# `state` of a history is whether it was there; levels, response and services are what the page is for.
SHOWN_THOUGH_CASE_LEVEL = {"incident", "history", "decision", "receipt"}
# For a board's month: whether there is any entry at all, and a pathway as a word of a closed list.
COUNTED = {"incidents", "involvement", "pathway"}
ADDED_HERE = {"/body/branches/received_at", "/branches/received_at"}


def parts(kind: Any) -> list[Any]:
    """A type and what it is made of."""
    return [kind, *(inner for one in get_args(kind) for inner in parts(one))]


def taken(kind: Any, contract: type[Contract], at: str = "") -> list[tuple[str, type[Contract], str]]:
    """(path, contract, field) of everything that `kind` takes off `contract`."""
    fields = (
        kind.__annotations__ if is_typeddict(kind) else {n: f.annotation for n, f in kind.model_fields.items()}
    )
    found: list[tuple[str, type[Contract], str]] = []
    for name, annotation in fields.items():
        field = "from_" if name == "from" else name
        found.append((f"{at}/{name}", contract, field))
        inner_kinds = [p for p in parts(annotation) if is_typeddict(p) or _is_model(p)]
        if inner_kinds and field in contract.model_fields:
            if name == "receipt":
                found += taken(inner_kinds[0], Receipt, f"{at}/{name}")
                continue
            (inner_contract,) = [p for p in parts(contract.model_fields[field].annotation) if _is_contract(p)]
            found += taken(inner_kinds[0], inner_contract, f"{at}/{name}")
    return found


def _is_model(kind: Any) -> bool:
    return get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_contract(kind: Any) -> bool:
    return get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, Contract)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_field_that_is_taken_is_in_the_contract_and_open_to_ops(topic: Topic) -> None:
    for path, contract, name in taken(BODIES[topic.name], topic.contract):
        if path in ADDED_HERE:
            continue
        assert name in contract.model_fields, f"{topic.name}{path} is not in {contract.__name__}"
        classed = contract.field_class(name)
        assert classed is not None
        if name not in SHOWN_THOUGH_CASE_LEVEL | COUNTED:
            assert classed.sensitivity == "operational", f"{topic.name}{path} is {classed.sensitivity}"


def test_there_is_a_decoder_for_every_topic() -> None:
    assert {topic.name for topic in seen.DECODERS} == {topic.name for topic in TOPICS}
