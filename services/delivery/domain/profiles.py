"""One profile per role: which groups of fields (`fields.py`) a recipient of that role may see.

Sources: domain.md "Rules of handling"; London 2008 s8.2.2, s9.5 (sharing), s17.1.4-5 (the victim's
whereabouts); NSPCC 2009 s6.2.3, s6.5.2; the schools duty (Victims and Prisoners Act 2024): child's name
and birth date, reference, when and where, where the child was, what it said, the circumstances, what was
done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from services.delivery.domain import fields
from services.delivery.domain.fields import Plan, plan_for
from shared import vocabulary as v
from shared.contracts.history import History
from shared.contracts.incident import Adult, Child, Incident
from shared.privacy import About, Whose

Subject = Literal["victim", "suspect", "other"]
Groups = frozenset[str] | None
"""Groups shown of a person; None: that there is such a person is not shown either."""


@dataclass(frozen=True)
class Profile:
    """What one role sees. `children_told_of`: `about`, only the children the route is about."""

    case: frozenset[str]
    victim: Groups = None
    suspect: Groups = None
    other: Groups = None
    child: Groups = None
    past: frozenset[str] = frozenset()
    whereabouts: bool = False
    """Whether it may learn where the victim and those with her can be found or rung."""
    suspect_whereabouts: bool = False
    never_of: frozenset[Whose] = frozenset()
    children_told_of: Literal["all", "about"] = "all"
    reasons: Literal["all", "own"] = "own"
    """`own`: only the reasons of the rules that led to its own route."""
    questions: bool = True
    because: str = "role"
    """What `sharing.withheld` gives as the reason."""

    def groups_of(self, subject: Subject) -> Groups:
        """The groups shown of an adult of this kind."""
        return {"victim": self.victim, "suspect": self.suspect, "other": self.other}[subject]


def _of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_EVENT: Final = "ref when where happened arrest done"
_WHOLE_EVENT: Final = (
    f"{_EVENT} scene called narrative plans intimate honour injuries risk protective consent faults family"
)
_WHOLE_ADULT: Final = (
    "identity person contact ethnicity pregnancy health factors support conduct bail willing record occupation"
)
_WHOLE_CHILD: Final = "identity contact area school ethnicity health presence voice"
_WHOLE_PAST: Final = "ref earlier involvement social_care marac children orders relationships"
_NOBODY_AT_HOME: Final[frozenset[Whose]] = frozenset({"victim", "child", "caller", "family"})

PROTECTION: Final = Profile(
    case=_of(_WHOLE_EVENT),
    victim=_of(_WHOLE_ADULT),
    suspect=_of(_WHOLE_ADULT),
    other=_of("identity person contact factors"),
    child=_of(_WHOLE_CHILD),
    past=_of(_WHOLE_PAST),
    whereabouts=True,
    suspect_whereabouts=True,
    reasons="all",
)
"""Those with the overriding duty to the child (London 2008 s8.2.2)."""

ADVOCACY: Final = Profile(
    case=_of(f"{_EVENT} scene called plans intimate honour injuries risk protective consent family"),
    victim=_of("identity person contact ethnicity pregnancy health factors support"),
    suspect=_of("identity person factors conduct bail"),
    other=_of(""),
    child=_of("identity contact school presence"),
    past=_of("ref earlier marac orders"),
    whereabouts=True,
)
"""Specialist services for the victim: enough to reach her safely and plan with her (NSPCC 2009 s6.5.2)."""

EDUCATION: Final = Profile(
    case=_of("ref when where happened arrest family"),
    victim=_of(""),
    suspect=_of(""),
    other=_of(""),
    child=_of("identity presence voice school"),
    children_told_of="about",
    questions=False,
)

PROFILES: Final[Mapping[v.Service, Profile]] = {
    "childrens_services": PROTECTION,
    "child_abuse_investigation": replace(
        PROTECTION, victim=PROTECTION.victim, suspect=_of(f"{_WHOLE_ADULT} police_id")
    ),
    "sexual_offence_unit": Profile(
        case=_of(f"{_EVENT} intimate honour injuries risk consent family"),
        victim=_of("identity person health support pregnancy"),
        suspect=_of("identity person factors conduct record police_id"),
        other=_of("identity"),
        child=_of("identity presence voice"),
        past=_of("ref earlier orders"),
    ),
    "marac": Profile(
        case=_of(_WHOLE_EVENT),
        victim=_of(_WHOLE_ADULT),
        suspect=_of(_WHOLE_ADULT),
        other=_of("identity person"),
        child=_of(_WHOLE_CHILD),
        past=_of("ref earlier involvement marac children orders relationships"),
        whereabouts=True,
        suspect_whereabouts=True,
        reasons="all",
    ),
    "idva": replace(
        ADVOCACY,
        case=ADVOCACY.case | {"narrative"},
        suspect=_of("identity person factors conduct bail record"),
        reasons="all",
    ),
    "child_idva": replace(
        ADVOCACY,
        victim=_of("identity person contact support"),
        child=_of("identity contact area school health presence voice"),
    ),
    "specialist_domestic_abuse": ADVOCACY,
    "multi_agency_centre": ADVOCACY,
    "victim_support": replace(
        ADVOCACY,
        case=_of("ref when where risk consent"),
        victim=_of("identity person contact support"),
        suspect=_of(""),
        child=None,
        past=_of("ref"),
    ),
    "family_support": Profile(
        case=_of("ref when where happened consent family"),
        victim=_of("identity support"),
        child=_of("identity area school presence"),
        suspect=_of(""),
    ),
    "health_visitor": Profile(
        case=_of(f"{_EVENT} injuries family"),
        victim=_of("identity pregnancy health support"),
        suspect=_of("identity"),
        child=_of("identity area health presence"),
    ),
    "midwifery": Profile(
        case=_of(f"{_EVENT} injuries family"),
        victim=_of("identity pregnancy health support"),
        suspect=_of("identity"),
    ),
    "school_nurse": replace(EDUCATION, child=_of("identity school health presence")),
    "education": EDUCATION,
    "camhs": Profile(
        case=_of("ref when where happened family"),
        victim=_of(""),
        suspect=_of(""),
        child=_of("identity area school health presence voice"),
        children_told_of="about",
    ),
    "adult_safeguarding": Profile(
        case=_of(f"{_EVENT} injuries intimate honour risk consent"),
        victim=_of("identity person health factors support ethnicity"),
        suspect=_of("identity factors"),
        other=_of(""),
    ),
    "community_safety": Profile(
        case=_of("ref when where happened risk"), suspect=_of("conduct"), questions=False
    ),
    "perpetrator_programme": Profile(
        case=_of("ref when arrest"),
        suspect=_of("identity person contact factors support conduct willing"),
        suspect_whereabouts=True,
        never_of=_NOBODY_AT_HOME,
        questions=False,
        because="nothing of the victim",
    ),
    "supervised_contact": Profile(
        case=_of("ref family"),
        victim=_of(""),
        suspect=_of("identity conduct"),
        child=_of("identity"),
        children_told_of="about",
        questions=False,
    ),
    "housing": Profile(
        case=_of("ref when where consent"), victim=_of("identity health support pregnancy"), questions=False
    ),
    "interpreter": Profile(case=_of("ref"), victim=_of("support"), questions=False),
    "no_recourse_advice": Profile(
        case=_of("ref when consent"), victim=_of("identity person support"), questions=False
    ),
    "joint_visit": Profile(
        case=_of(f"{_EVENT} injuries risk family"),
        victim=_of("identity pregnancy support"),
        suspect=_of("identity conduct"),
        child=_of("identity area health presence"),
    ),
    "allocation_panel": Profile(
        case=_of(f"{_EVENT} plans intimate honour injuries risk protective consent family"),
        victim=_of("identity person pregnancy health factors support"),
        suspect=_of("identity person factors conduct"),
        child=_of("identity area school health presence"),
        past=_of("ref earlier involvement marac children orders relationships"),
        reasons="all",
    ),
}

POLICE: Final = replace(PROTECTION, past=_of("ref earlier marac"))
"""The police at a meeting: theirs is the incident; what social care knows of the family is not for them
(design.md, promise 11). No route goes to them."""

DUTY: Final = frozenset({"childrens_services", "child_abuse_investigation", "sexual_offence_unit", "marac"})
"""Who is told because somebody is to be protected, whether or not the victim agrees."""

CONTACT_ONLY: Final = replace(
    ADVOCACY,
    case=_of("ref consent"),
    victim=_of("identity contact support"),
    suspect=None,
    other=None,
    child=None,
    past=_of(""),
    questions=False,
    because="no consent",
)
"""A victim's service where consent is needed and not given: what it needs to reach her safely."""

NOTHING_MORE: Final = Profile(case=_of("ref"), questions=False, because="no consent")


def profile_of(
    service: v.Service, *, consent: str = "given", basis: str = "", level: str | None = None
) -> Profile:
    """What a recipient of this role may see. A role nobody has made a profile for sees the reference only.

    `consent`, `basis`: as in `sharing`; `level`: the victim's. Those with a duty of their own see the same
    with consent and without (London 2008 s8.2.2, s9.5). A victim's service needs her consent unless the
    level is high: without it, it gets what it needs to reach her safely (domain.md; NSPCC 2009 s9.4).
    """
    profile = PROFILES.get(service)
    if profile is None:
        return replace(NOTHING_MORE, because="no profile")
    if consent == "given" or service in DUTY:
        return profile
    if profile.whereabouts:
        return CONTACT_ONLY if basis == "consent" or level != "high" else profile
    return NOTHING_MORE if basis == "consent" else profile


@dataclass(frozen=True)
class View:
    """A profile worked out over the contracts: what of each kind of thing is shown."""

    profile: Profile
    case: Plan
    adults: Mapping[Subject, Plan | None]
    child: Plan | None
    past: Plan


@lru_cache(maxsize=128)
def view_of(profile: Profile) -> View:
    """The profile worked out over the contracts, once per process."""
    case_groups = fields.group_of(fields.ABOUT_THE_CASE)
    adult_groups = fields.group_of(fields.ABOUT_AN_ADULT)
    child_groups = fields.group_of(fields.ABOUT_A_CHILD)
    past_groups = fields.group_of(fields.ABOUT_THE_PAST)

    def of_case(path: str, about: About) -> bool:
        return case_groups.get(path) in profile.case and _locks_open(profile, about, "victim")

    def of_past(path: str, about: About) -> bool:
        return past_groups.get(path) in profile.past and _locks_open(profile, about, "victim")

    def of_adult(subject: Subject) -> Plan | None:
        groups = profile.groups_of(subject)
        if groups is None:
            return None
        shown = groups | {"structure"}
        return plan_for(
            Adult,
            lambda path, about: adult_groups.get(path) in shown and _locks_open(profile, about, subject),
        )

    def of_child() -> Plan | None:
        if profile.child is None:
            return None
        shown = profile.child | {"structure"}
        return plan_for(
            Child, lambda path, about: child_groups.get(path) in shown and _locks_open(profile, about, "child")
        )

    return View(
        profile=profile,
        case={**plan_for(Incident, of_case), "adults": True, "children": True},
        adults={subject: of_adult(subject) for subject in ("victim", "suspect", "other")},
        child=of_child(),
        past=plan_for(History, of_past),
    )


def _locks_open(profile: Profile, about: About, of: Subject | Literal["child"]) -> bool:
    """The second lock, by the field's own class rather than by its name."""
    whose: Whose = about.whose
    if whose == "adult":
        whose = "adult" if of == "other" else "suspect" if of == "suspect" else "victim"
    if whose in profile.never_of:
        return False
    if about.sensitivity == "contact" and whose != "service":
        return profile.suspect_whereabouts if whose == "suspect" else profile.whereabouts
    return True
