"""What is published is never edited: each version says what its digest in published.yaml says it does."""

from __future__ import annotations

from pathlib import Path

from services.triage.protocols import load_library, read_protocol
from services.triage.protocols.published import add_published, edited, read_published
from tests.protocols.test_files import HEAD, rule

LIBRARY = load_library()


def test_every_version_says_what_was_published_under_its_name() -> None:
    """Where this fails for a version that no release has yet: take its line out of published.yaml and run
    `waymark protocols publish`. Where a release has it: make a new version in a new file."""
    assert edited([*LIBRARY.protocols.values(), LIBRARY.safeguards], read_published()) == []


def test_an_edited_version_and_one_that_nobody_published_are_told(tmp_path: Path) -> None:
    path = tmp_path / "published.yaml"
    text = HEAD + rule("handling: [restricted]")
    first = read_protocol(text.encode())
    again = read_protocol(text.replace("Said for the trial.", "Said again.").encode())
    second = read_protocol(text.replace("version: 1", "version: 2").encode())
    assert add_published([first], path) == ["trial/1"]
    assert edited([first], read_published(path)) == []
    assert "version 2" in edited([again], read_published(path))[0]
    assert "not published" in edited([second], read_published(path))[0]
    assert add_published([again, second], path) == ["trial/2"]
    assert read_published(path)["trial/1"] == first.digest
