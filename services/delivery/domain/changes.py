"""Which changes of a recipient take two people, and what is shown of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

BY_ONE: Final = frozenset({"name", "hours"})
"""Who it is called and when somebody is there: everything else decides who gets cases, or by which way."""


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields in which two descriptions differ. An address and a secret are told from other changes of
    the channels: `address`, `secret`, `channels`. A new recipient differs in everything: `new`."""
    if before is None:
        return ("new",)
    found = {name for name in {*before, *after} - {"channels", "schema"} if before.get(name) != after.get(name)}
    was, becomes = before.get("channels") or [], after.get("channels") or []
    if [one.get("url") for one in was] != [one.get("url") for one in becomes]:
        found.add("address")
    if [one.get("secrets") for one in was] != [one.get("secrets") for one in becomes]:
        found.add("secret")
    if [(one["kind"], one.get("hours")) for one in was] != [(one["kind"], one.get("hours")) for one in becomes]:
        found.add("channels")
    return tuple(sorted(found))


def takes_two(what: tuple[str, ...]) -> bool:
    """Whether a change needs a second person."""
    return not BY_ONE.issuperset(what)
