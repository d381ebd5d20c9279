"""`waymark.history/1`: what was already known when the incident was joined to its family.

`status` complete, incomplete or unavailable; no history at all is unavailable. Ids of people are those
of the incident it goes with; a child whom the police did not name goes by its own `id`.
Sources: NSPCC 2009 s6.4 (involvement), s7 (repeats); London 2008 app. 6 (MARAC).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared import vocabulary as v
from shared.contracts.base import Contract, Day, Moment
from shared.contracts.incident import School
from shared.privacy import CIRCUMSTANCE, OPERATIONAL, about


class Pair(Contract):
    """Who was the victim and who the perpetrator, by the ids of this case's incident."""

    victim: Annotated[str | None, OPERATIONAL] = None
    perpetrator: Annotated[str | None, OPERATIONAL] = None


class EarlierIncident(Contract):
    """An earlier incident of the family, accepted before this one."""

    force: Annotated[str, OPERATIONAL]
    reference: Annotated[str, OPERATIONAL]
    occurred_at: Annotated[Moment, CIRCUMSTANCE]
    pairs: Annotated[list[Pair] | None, OPERATIONAL] = None
    children: Annotated[list[str] | None, OPERATIONAL] = None
    children_present: Annotated[bool | None, CIRCUMSTANCE] = None
    police_level: Annotated[v.PoliceLevel | None, CIRCUMSTANCE] = None
    violence_level: Annotated[v.ViolenceLevel | None, CIRCUMSTANCE] = None
    violence: Annotated[list[v.Violence] | None, CIRCUMSTANCE] = None
    injury: Annotated[bool | None, CIRCUMSTANCE] = None
    child_level: Annotated[int | None, CIRCUMSTANCE, Field(ge=0, le=4)] = None
    notified_css: Annotated[bool | None, CIRCUMSTANCE] = None
    link: Annotated[v.Link, OPERATIONAL] = "certain"


class PairRepeats(Contract):
    """How often a victim and a perpetrator were in an incident together."""

    victim: Annotated[str | None, OPERATIONAL] = None
    perpetrator: Annotated[str | None, OPERATIONAL] = None
    incidents: Annotated[int, CIRCUMSTANCE]


class Repeats(Contract):
    """The earlier incidents of the last so many calendar months before this one, both ends counted; those of
    certain links. By level: of the police, of violence (NSPCC 2009 box 10); `unknown` where nobody said."""

    months: Annotated[int, OPERATIONAL]
    incidents: Annotated[int, CIRCUMSTANCE]
    by_police_level: Annotated[dict[str, int], CIRCUMSTANCE] = {}
    by_violence_level: Annotated[dict[str, int], CIRCUMSTANCE] = {}
    pairs: Annotated[list[PairRepeats], CIRCUMSTANCE] = []


class KnownOrder(Contract):
    """An order, or bail with conditions, against somebody of this incident, as an earlier one told it last.
    Whether it still stands nobody has said since."""

    person: Annotated[str, OPERATIONAL]
    order: Annotated[v.OrderOrBail, about("adult", "personal")]
    breached: Annotated[bool, about("adult", "personal")] = False
    """Whether that incident breached it."""
    told_on: Annotated[Day, CIRCUMSTANCE]
    """The day of the incident that told it."""
    link: Annotated[v.Link, OPERATIONAL] = "certain"


class KnownRelationship(Contract):
    """Who is or was what to whom, and from when to when it was said: `from` is `kind` of `to`."""

    from_: Annotated[str, OPERATIONAL, Field(alias="from")]
    to: Annotated[str, OPERATIONAL]
    kind: Annotated[v.RelationshipKind | None, about("family", "personal")] = None
    lives_together: Annotated[bool | None, about("family", "personal")] = None
    """As it was said last."""
    separated_on: Annotated[Day | None, about("family", "personal")] = None
    told_first: Annotated[Day | None, about("family", "personal")] = None
    """The day of the first incident that said so; none of what social care's records say alone."""
    told_last: Annotated[Day | None, about("family", "personal")] = None
    ended: Annotated[Day | None, about("family", "personal")] = None
    """The day they parted, or of the incident that first said that they had."""
    recorded: Annotated[bool, about("family", "personal")] = False
    """Whether social care's records say so too."""
    link: Annotated[v.Link, OPERATIONAL] = "certain"


class PathwayTaken(Contract):
    """A pathway of children's services with its dates."""

    pathway: Annotated[v.Pathway | None, about("child", "personal")] = None
    from_: Annotated[Day | None, about("child", "personal"), Field(alias="from")] = None
    to: Annotated[Day | None, about("child", "personal")] = None
    reason_closed: Annotated[str | None, about("child", "personal")] = None


class Involvement(Contract):
    """What children's services know; level by NSPCC 2009 s6.4. Without `child`: of the family."""

    child: Annotated[str | None, OPERATIONAL] = None
    level: Annotated[v.InvolvementLevel | None, about("child", "personal")] = None
    open: Annotated[bool | None, about("child", "personal")] = None
    worker: Annotated[str | None, about("service", "contact")] = None
    pathways: Annotated[list[PathwayTaken] | None, about("child", "personal")] = None
    plans: Annotated[list[str] | None, about("child", "personal")] = None
    re_referrals: Annotated[int | None, about("child", "personal")] = None
    stop_start: Annotated[bool | None, about("child", "personal")] = None
    """Whether an assessment or a service was closed and one begun again after it (NSPCC 2009 s10.4.3)."""
    as_of: Annotated[Moment | None, OPERATIONAL] = None
    """When this was so: of a council's record the moment of the import that last told it."""
    source_as_of: Annotated[Moment | None, OPERATIONAL] = None
    """Of a council's record: how far the council has told all it knows, of this child or any other."""
    stale: Annotated[bool | None, OPERATIONAL] = None
    """Of a council's record: whether the council had not been heard of for too long when this was told."""
    link: Annotated[v.Link, OPERATIONAL] = "certain"


class MaracHearing(Contract):
    """A referral of this victim and perpetrator to a MARAC."""

    victim: Annotated[str | None, OPERATIONAL] = None
    perpetrator: Annotated[str | None, OPERATIONAL] = None
    referred_on: Annotated[Day | None, CIRCUMSTANCE] = None
    heard_on: Annotated[Day | None, CIRCUMSTANCE] = None
    link: Annotated[v.Link, OPERATIONAL] = "certain"


class KnownChild(Contract):
    """A child of the family. `child` is the incident's id of it; None: the police did not name it."""

    id: Annotated[str, OPERATIONAL]
    child: Annotated[str | None, OPERATIONAL] = None
    born: Annotated[Day | None, about("child", "identifying")] = None
    area: Annotated[str | None, about("child", "personal")] = None
    school: Annotated[School | None, about("child", "personal")] = None
    homes: Annotated[int | None, about("child", "personal")] = None
    """In how many homes it was said to live within twelve months before the incident, where any was said."""
    link: Annotated[v.Link, OPERATIONAL] = "certain"


class History(Contract):
    """The whole of it."""

    schema_id: ClassVar[str] = "waymark.history/1"

    schema_: Annotated[Literal["waymark.history/1"], OPERATIONAL, Field(alias="schema")] = "waymark.history/1"
    status: Annotated[v.HistoryStatus, OPERATIONAL] = "unavailable"
    as_of: Annotated[Moment | None, OPERATIONAL] = None
    incidents: Annotated[list[EarlierIncident] | None, about("family", "circumstance")] = None
    involvement: Annotated[list[Involvement] | None, about("child", "personal")] = None
    marac: Annotated[list[MaracHearing] | None, about("family", "circumstance")] = None
    children_known: Annotated[list[KnownChild] | None, about("child", "identifying")] = None
    repeats: Annotated[list[Repeats] | None, about("family", "circumstance")] = None
    """Counts over 6, 12 and 24 months."""
    escalating: Annotated[list[v.Escalation] | None, about("family", "circumstance")] = None
    """More incidents in the last six months than in the six before them; graver violence, or a higher police
    level, than at first within twelve months. What is not known counts for neither."""
    orders: Annotated[list[KnownOrder] | None, about("family", "circumstance")] = None
    relationships: Annotated[list[KnownRelationship] | None, about("family", "personal")] = None


UNAVAILABLE = History(status="unavailable")
