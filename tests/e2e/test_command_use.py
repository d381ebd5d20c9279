"""Help, examples, and what wrong use is told: of every command, with nothing started."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import waymark
from waymark import main


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WAYMARK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "300")


def commands() -> dict[str, Any]:
    """Every command there is, by its whole name."""
    found: dict[str, Any] = {}
    left = [(name, main.load(name, place)) for name, place in main.COMMANDS.items()]
    while left:
        name, command = left.pop()
        inner = getattr(command, "commands", None)
        if inner is None:
            found[name] = command
        else:
            left += [(f"{name} {one}", inner[one]) for one in inner]
    return found


def example_of(name: str) -> list[str]:
    """The words of the example in a command's help, from the first after its name."""
    said = waymark(*name.split(), "--help")
    assert (said.status, said.errors) == (0, "")
    shown = re.search(rf"Example: (?:\w+=\S+ )*waymark {name}(.*?)(?: Options:| Arguments:|$)", said.text)
    assert shown is not None, said.text
    return shlex.split(shown[1])


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_help_with_an_example_that_it_would_take(name: str) -> None:
    options = {option for parameter in commands()[name].params for option in parameter.opts}

    unknown = [word for word in example_of(name) if re.match(r"-\D", word) and word not in options]

    assert unknown == []


def test_every_services_commands_are_mounted() -> None:
    named = {name.split()[0] for name in commands()}

    assert named == {
        "audit", "bench", "check-sender", "compare", "dead-letters", "demo", "evaluate", "explain", "keys",
        "link", "migrate", "protocols", "receive", "recipients", "reconcile", "records", "replay", "run",
        "send", "simulate", "status", "train-linkage", "up",
    }  # fmt: skip


# Exit statuses


@pytest.mark.parametrize(
    "wrong",
    [
        "nonsense",
        "status --nonsense",
        "run",
        "run nothing",
        "keys create",
        "keys create --role king",
        "keys create --role police",
        "keys create --role person --person me",
        "dead-letters show nonsense",
        "dead-letters resend nowhere:1",
        "evaluate no-such-file.json",
        "evaluate --protocol nope tests/contracts/samples/stories/machete-at-the-door.json",
        "simulate",
        "simulate --profile nope -o month.jsonl",
        "simulate --month then -o month.jsonl",
        "send no-such-file.json --url http://127.0.0.1:1 --key x",
        "send --concurrency 0 x",
        "bench pipeline --seconds 0",
        "bench linkage --sizes 5",
        "demo --incidents 0",
        "replay",
        "replay --case a/1 --insist",
        "audit",
        "audit --case a/1 --since yesterday",
    ],
)
def test_wrong_use_ends_with_2_and_a_sentence(wrong: str) -> None:
    said = waymark(*wrong.split())

    assert said.status == 2
    assert said.errors.strip() != ""
    assert said.out == ""


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "reconcile",
        "keys list",
        "keys revoke 1a2b3c4d",
        "dead-letters list",
        "dead-letters show triage:1",
        "dead-letters resend triage:1",
        "replay --case a/1",
        "audit --case a/1",
        "migrate",
    ],
)
def test_where_nothing_runs_it_ends_with_1_and_says_how_to_start_it(command: str, tmp_path: Path) -> None:
    said = waymark(*command.split(), "--data", tmp_path)

    assert said.status == 1
    assert f"Nothing runs on {tmp_path}" in said.text
    assert "waymark up" in said.errors
    assert said.out == ""


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("postgresql://me:hush@127.0.0.1:1/x", "the database cannot be reached"),
        ("mysql://me:hush@127.0.0.1/x", "cannot be read: it is postgresql://"),
        ("hush", "cannot be read: it is postgresql://"),
        ("postgresql://me:hush@127.0.0.1:1/x?connect_timeout=3", "not taken here: connect_timeout"),
    ],
)
@pytest.mark.parametrize("command", ["keys list", "migrate", "dead-letters list"])
def test_a_database_that_cannot_be_had_is_told_in_a_sentence_without_its_password(
    command: str, address: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYMARK_DATABASE", address)

    said = waymark(*command.split())

    assert said.status == 1
    assert sentence in said.text
    assert "hush" not in said.text


def test_a_service_without_settings_names_what_is_missing() -> None:
    said = waymark("run", "intake")

    assert said.status == 1
    assert "WAYMARK_DATABASE is not set" in said.text
    assert "WAYMARK_KAFKA is not set" in said.text
