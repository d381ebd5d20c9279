"""Who needs a person's look, protocol by protocol: `docs/protocols/looked-at.md`.

design.md, "A person looks": the first class is section 47 or level 4, looked at after routing. Beyond it, and
beyond protocols that screen everything by design (P6-P8), at most one case in five.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.triage.domain.protocol import Protocol
from waymark.compare.decisions import Decided
from waymark.compare.figures import must_escalate

AT_MOST = 0.2
_TOP = frozenset({"section_47", "child_level_4"})


@dataclass(frozen=True)
class Share:
    """Counts of cases. `beyond`: looked at though not at the top; then why, a case once under each reason."""

    protocol: str
    screens_all: bool
    cases: int
    top: int
    beyond: int
    suggested: int
    doubt: int
    nobody: int
    questions: int
    must: int
    must_outside: int
    """Must be escalated (S1-S4), and neither at section 17 or above nor looked at."""

    @property
    def share(self) -> float:
        """Of all cases, those looked at beyond the first class."""
        return self.beyond / self.cases


def shares(protocols: Sequence[Protocol], decided: Mapping[str, Sequence[Decided]]) -> list[Share]:
    """One per protocol, in the order given."""
    return [_share(one, decided[one.ref]) for one in protocols]


def _share(protocol: Protocol, ours: Sequence[Decided]) -> Share:
    because = [frozenset(one.receipt["review"]["because"]) for one in ours]
    beyond = [reasons for reasons in because if reasons and not reasons & _TOP]
    must = [one for one in ours if must_escalate(one)]
    return Share(
        protocol=protocol.ref,
        screens_all=protocol.screen_all is not None,
        cases=len(ours),
        top=sum(bool(reasons & _TOP) for reasons in because),
        beyond=len(beyond),
        suggested=sum(any(one.endswith("_suggested") for one in reasons) for reasons in beyond),
        doubt=sum("doubt" in reasons for reasons in beyond),
        nobody=sum("nobody_routed" in reasons for reasons in beyond),
        questions=sum(len(one.receipt["questions"]) for one in ours),
        must=len(must),
        must_outside=sum(
            one.receipt["result"]["css_response"] not in ("section_17", "section_47")
            and not one.receipt["review"]["needed"]
            for one in must
        ),
    )


def shares_page(found: Sequence[Share], of: str) -> str:
    """The table as Markdown; `of`: which cases, in words."""
    lines = [
        "# Who needs a person's look",
        "",
        f"Measured on {of} by `waymark compare --shares`; a test holds this page to it. What its",
        "incidents tell of one another is their history. The first class is section 47 or level 4: it goes out",
        "at once and is looked at after. Beyond it at most one case in five is looked at, except where a",
        "protocol screens every case by design. Everything else is a question only. *Must be escalated*: cases",
        "of safeguards S1-S4; *outside* would be one that is neither at section 17 or above nor looked at.",
        "",
        "| protocol | cases | first class | looked at beyond | share | suggested unknown | doubt "
        "| nobody routed | questions per case | must be escalated | outside |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        share = "screens all" if one.screens_all else f"{one.share:.0%}"
        lines.append(
            f"| {one.protocol} | {one.cases} | {one.top} | {one.beyond} | {share} | {one.suggested} "
            f"| {one.doubt} | {one.nobody} | {one.questions / one.cases:.1f} "
            f"| {one.must} | {one.must_outside} |"
        )
    return "\n".join(lines) + "\n"
