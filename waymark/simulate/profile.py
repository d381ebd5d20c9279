"""A profile: the figures of a source that a simulated month must show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from shared.errors import BadSettings


@dataclass(frozen=True)
class Profile:
    """The figures of one source, by name; see `profiles/*.yaml` for which table each comes from."""

    id: str
    figures: Mapping[str, Any]

    def shares(self, *path: str) -> dict[str, float]:
        """Counts or shares by label, numbers only: `shares("caller")["child"]` is 11."""
        found = self._at(path)
        if not isinstance(found, Mapping):
            raise BadSettings(f"Profile {self.id}: {'.'.join(path)} is not a table of figures.")
        return {label: float(value) for label, value in found.items() if isinstance(value, int | float)}

    def number(self, *path: str) -> float:
        """One figure."""
        found = self._at(path)
        if not isinstance(found, int | float):
            raise BadSettings(f"Profile {self.id}: {'.'.join(path)} is not a figure.")
        return float(found)

    def per_incident(self, *path: str) -> float:
        """A count of the source's month, for one incident: the threats to kill are 6 / 251."""
        return self.number(*path) / self.number("cohort", "incidents")

    def _at(self, path: tuple[str, ...]) -> Any:
        found: Any = self.figures
        for step in path:
            if not isinstance(found, Mapping) or step not in found:
                raise BadSettings(f"Profile {self.id} has no figure {'.'.join(path)}.")
            found = found[step]
        return found


def profiles() -> list[str]:
    """The names of the profiles that are there."""
    folder = resources.files(__package__) / "profiles"
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def load_profile(name: str = "nspcc-2009") -> Profile:
    """Read a profile by name. Raises BadSettings where there is none of that name."""
    if name not in profiles():
        raise BadSettings(f"There is no profile {name}; there are: {', '.join(profiles())}.")
    text = (resources.files(__package__) / "profiles" / f"{name}.yaml").read_text(encoding="utf-8")
    # Everything as text first: YAML 1.1 would read the label 1_2 as the number 12.
    return Profile(id=name, figures=_numbers(yaml.load(text, Loader=yaml.BaseLoader)))  # noqa: S506


def _numbers(read: Any) -> Any:
    if isinstance(read, dict):
        return {label: _numbers(value) for label, value in read.items()}
    if isinstance(read, list):
        return [_numbers(value) for value in read]
    try:
        number = float(read)
    except ValueError:
        return read
    return int(number) if number.is_integer() and "." not in read else number
