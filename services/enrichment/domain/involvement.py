"""What children's services know of a child: five levels of involvement (NSPCC 2009 s6.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.enrichment.domain.accounts import Taken
from shared import vocabulary as v
from shared.contracts.history import Involvement, PathwayTaken

_ASSESSED: Final = frozenset({"early_help", "section_17", "section_47", "open_case_updated"})
"""Pathways that begin with an assessment, or that only an open case has."""

_OF_SUPPORT: Final = frozenset(
    {"childinneed", "cin", "cinplan", "childinneedplan", "earlyhelp", "earlyhelpplan", "familysupport"}
)
"""Plans that follow an assessment without protection or care; any other word may stand for those."""

_NO_PLAN: Final = frozenset({"", "none", "no", "na", "nil", "noplan"})


def level_of(known: Involvement) -> v.InvolvementLevel | None:
    """The level by what was done, or the council's own word where that is higher (it only ever raises).

    Open: a case is open now. High: a protection plan, a conference, care or a residence order in the past.
    Medium: an assessment or enquiry in the past, a plan of support among them. Low: known from
    notifications that were closed without one.
    None (the word): known of, with nothing done. None (the value): nothing recorded tells.
    """
    derived = _derive(known)
    if derived is None or known.level is None:
        return derived or known.level
    return max(derived, known.level, key=v.INVOLVEMENT_LEVELS.index)


def _derive(known: Involvement) -> v.InvolvementLevel | None:
    if known.open:
        return "open"
    plans = {"".join(c for c in plan.casefold() if c.isalpha()) for plan in known.plans or ()} - _NO_PLAN
    if plans - _OF_SUPPORT:
        return "high"
    if plans or any(one.pathway in _ASSESSED for one in known.pathways or ()):
        return "medium"
    if known.pathways or known.re_referrals:
        return "low"
    return None if known.plans is None or known.pathways is None or known.open is None else "none"


def involvement_recorded(child: str, known: Involvement) -> Involvement:
    """A council's record of a child, by the id that the child has in the history, with its level."""
    update = {"child": child, "level": level_of(known), "stop_start": stop_start(known), "link": "certain"}
    return known.model_copy(update=update)


def stop_start(known: Involvement) -> bool | None:
    """Whether an assessment or a service was closed and another begun, or the child referred again, after it:
    the pattern that leaves families without lasting help (NSPCC 2009 s7.3.4, s10.4.3). None: nobody says."""
    if known.pathways is None:
        return known.stop_start
    begun = [one for one in known.pathways if one.pathway in _ASSESSED]
    closed = [one for one in begun if one.to is not None]
    again = any(
        later is not one and later.from_ is not None and one.to is not None and later.from_ >= one.to
        for one in closed
        for later in begun
    )
    return again or bool(closed and known.re_referrals) or bool(known.stop_start)


def involvement_answered(child: str, taken: Sequence[Taken]) -> Involvement:
    """What children's services answered to earlier cases of a child.

    An answer tells which way a case went then. Whether it is open now only the council's record can say.
    """
    pathways = [PathwayTaken(pathway=one.pathway, from_=one.at.date()) for one in taken]
    assessed = any(one.pathway in _ASSESSED for one in taken)
    return Involvement(
        child=child,
        level="medium" if assessed else "low",
        pathways=pathways,
        as_of=max(one.at for one in taken),
    )
