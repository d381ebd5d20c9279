"""Which versions are published, each by the digest of what it says. What is published is never edited.

`published.yaml` is committed beside the files. A service does not start with a file that says something else
than was published under its name; a change is a new version in a new file.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import yaml

from services.triage.domain.protocol import Protocol
from services.triage.protocols.files import LIBRARY
from shared.errors import BadSettings

PUBLISHED: Final = LIBRARY / "published.yaml"
_HEAD: Final = """\
# What each published version says, by its digest. Lines are added (waymark protocols publish), never changed:
# a change is a new version in a new file.
"""


def read_published(path: Path = PUBLISHED) -> dict[str, str]:
    """Digests by `id/version`. Raises BadSettings where the file cannot be read."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise BadSettings(f"{path.name} cannot be read: {error}") from None
    return {str(ref): str(digest) for ref, digest in found.items()}


def edited(protocols: Iterable[Protocol], published: dict[str, str]) -> list[str]:
    """What is wrong: versions that say something else than was published, and those nobody published."""
    wrong = []
    for one in protocols:
        digest = published.get(one.ref)
        if digest is None:
            wrong.append(f"{one.ref} is not published: run `waymark protocols publish` when it is ready.")
        elif digest != one.digest:
            wrong.append(
                f"{one.ref} was published and has been edited since: what is published stays, so make it "
                f"version {one.version + 1} in a file of its own."
            )
    return wrong


def add_published(protocols: Iterable[Protocol], path: Path = PUBLISHED) -> list[str]:
    """Add the versions that are not in the file; gives them. Lines that are there stay as they are."""
    there = read_published(path) if path.exists() else {}
    added = {one.ref: one.digest for one in protocols if one.ref not in there}
    lines = "".join(f"{ref}: {digest}\n" for ref, digest in sorted({**there, **added}.items()))
    path.write_text(_HEAD + lines, encoding="utf-8")
    return sorted(added)
