"""Need to know as a page: what each role sees, field by field, worked out from the very profiles that the
notifications are made by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from services.delivery.domain import fields
from services.delivery.domain.profiles import (
    CONTACT_ONLY,
    DUTY,
    NOTHING_MORE,
    POLICE,
    PROFILES,
    Profile,
    profile_of,
    view_of,
)

_SECTIONS: Final[Sequence[tuple[str, str, Mapping[str, str]]]] = (
    ("The incident", "case", fields.ABOUT_THE_CASE),
    ("The victim", "victim", fields.ABOUT_AN_ADULT),
    ("The suspect", "suspect", fields.ABOUT_AN_ADULT),
    ("Other adults", "other", fields.ABOUT_AN_ADULT),
    ("Children", "child", fields.ABOUT_A_CHILD),
    ("The past", "past", fields.ABOUT_THE_PAST),
)
_ROWS: Final[Sequence[tuple[str, Profile]]] = (*PROFILES.items(), ("police_at_a_meeting", POLICE))
_SHORT: Final = {"child_abuse_investigation": "child abuse inv.", "specialist_domestic_abuse": "specialist DA"}


def page() -> str:
    """The page, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Need to know: what each role sees"
    yield ""
    yield (
        "Made by `waymark recipients profiles` from the profiles that notifications are made by; a test holds "
        "it to them. A field that stands in no group is withheld from everybody until it is said who may see "
        "it. What was there and is withheld is named in the notification's `sharing.withheld`, with why; a "
        "perpetrator programme is told only that something was: the list itself would tell of the victim."
    )
    yield ""
    yield "## In short"
    yield ""
    yield "| role | her whereabouts | the suspect's | children | rules told | without the victim's consent |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for role, profile in _ROWS:
        yield (
            f"| {_words(role)} | {_yes(profile.whereabouts)} | {_yes(profile.suspect_whereabouts)} "
            f"| {_children(profile)} | {profile.reasons} | {_unasked(role)} |"
        )
    for title, part, groups in _SECTIONS:
        yield ""
        yield f"## {title}"
        yield ""
        yield "| role | sees of it |"
        yield "| --- | --- |"
        for role, profile in _ROWS:
            yield f"| {_words(role)} | {_seen(profile, part, groups)} |"
    yield ""
    yield "## What the groups hold"
    for title, groups in (
        ("The incident", fields.ABOUT_THE_CASE),
        ("An adult", fields.ABOUT_AN_ADULT),
        ("A child", fields.ABOUT_A_CHILD),
        ("The past", fields.ABOUT_THE_PAST),
    ):
        yield ""
        yield f"### {title}"
        yield ""
        yield "| group | fields |"
        yield "| --- | --- |"
        for name, paths in groups.items():
            yield f"| {_words(name)} | {', '.join(f'`{path}`' for path in paths.split())} |"
    yield ""
    yield "Nobody sees: " + "; ".join(f"`{path}` ({why})" for path, why in fields.NOBODY_SEES.items())


def _seen(profile: Profile, part: str, groups: Mapping[str, str]) -> str:
    """The groups of which it sees anything, by the plan itself; `in part` where not all of one."""
    plan = plan_of(profile, part)
    if plan is None:
        return "not even that there is one"
    shown = fields.shown_in(plan)
    told = []
    for name, paths in groups.items():
        of_group = frozenset(paths.split())
        if of_group & shown:
            told.append(_words(name) if of_group <= shown else f"{_words(name)} (in part)")
    return ", ".join(told) or "nothing"


def plan_of(profile: Profile, part: str) -> fields.Plan | None:
    """What is shown of the incident (`case`), of an adult by kind, of a `child`, or of the `past`; None: not
    even that there is such a person."""
    view = view_of(profile)
    match part:
        case "case":
            return view.case
        case "child":
            return view.child
        case "past":
            return view.past
        case "victim" | "suspect" | "other":
            return view.adults[part]
    raise ValueError(part)


def _children(profile: Profile) -> str:
    if profile.child is None:
        return "none"
    return "those it is about" if profile.children_told_of == "about" else "all"


def _unasked(role: str) -> str:
    if role in DUTY or role not in PROFILES:
        return "the same: it has a duty of its own"
    unasked = profile_of(role, consent="not_given", basis="consent")  # type: ignore[arg-type]
    if unasked == CONTACT_ONLY:
        return "only what it needs to reach her safely; all of it at a high level"
    if unasked == NOTHING_MORE:
        return "the reference only, where it is told by her consent"
    return "the same"


def _words(name: str) -> str:
    return _SHORT.get(name, name.replace("_", " "))


def _yes(yes: bool) -> str:
    return "yes" if yes else "never"
