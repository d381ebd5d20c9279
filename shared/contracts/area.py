"""How an area works: who answers, which protocol, its calendar and its deadlines (deploy/areas/*.yaml)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from shared import vocabulary as v
from shared.contracts.base import Contract, Day
from shared.privacy import OPERATIONAL, about


class _Closed(Contract):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


class ProtocolChange(_Closed):
    """From that day on another protocol decides."""

    live: Annotated[str, OPERATIONAL, Field(pattern=r"^[a-z0-9-]+/\d+$")]
    since: Annotated[Day, OPERATIONAL, Field(alias="from")]


class ProtocolChoice(_Closed):
    """`live` decides, after each day in `then` what stands there; `shadow` runs beside it and decides
    nothing. Written `id/version`."""

    live: Annotated[str, OPERATIONAL, Field(pattern=r"^[a-z0-9-]+/\d+$")]
    shadow: Annotated[str | None, OPERATIONAL] = None
    then: Annotated[list[ProtocolChange] | None, OPERATIONAL] = None

    def live_on(self, day: date) -> str:
        """What decides on that day."""
        changes = [one for one in self.then or () if one.since <= day]
        return max(changes, key=lambda one: one.since).live if changes else self.live


class Escalation(_Closed):
    """So many incidents in so many months are an escalation."""

    incidents: Annotated[int, OPERATIONAL, Field(ge=2)] = 3
    months: Annotated[int, OPERATIONAL, Field(ge=1)] = 12


class MeetingCycle(_Closed):
    """When a meeting is held, and how many working days before it its list closes.

    `every`: so many weeks, on the `weekday` of the week of `first`; or every working day from `first` on.
    """

    every: Annotated[str, OPERATIONAL, Field(pattern=r"^([1-9]\d* weeks?|working day)$")] = "2 weeks"
    weekday: Annotated[str, OPERATIONAL] = "tuesday"
    first: Annotated[Day, OPERATIONAL]
    cut_off_working_days: Annotated[int, OPERATIONAL, Field(ge=0)] = 6


class MaracCycle(MeetingCycle):
    """When the MARAC meets and what counts as a repeat (London 2008 app. 6)."""

    repeat_months: Annotated[int, OPERATIONAL, Field(ge=1)] = 12
    escalation: Annotated[Escalation, OPERATIONAL] = Escalation()


class Calendar(_Closed):
    """Holidays, time zone, office hours and school terms."""

    holidays: Annotated[Literal["england", "wales", "scotland", "northern_ireland"], OPERATIONAL] = "england"
    timezone: Annotated[str, OPERATIONAL] = "Europe/London"
    office: Annotated[str, OPERATIONAL, Field(pattern=r"^\d\d:\d\d-\d\d:\d\d$")] = "09:00-17:00"
    school_terms: Annotated[str | None, OPERATIONAL] = None


class AreaRules(_Closed):
    """One area."""

    id: Annotated[str, OPERATIONAL]
    name: Annotated[str, OPERATIONAL]
    forces: Annotated[list[str], OPERATIONAL]
    childrens_services: Annotated[str, OPERATIONAL]
    out_of_hours: Annotated[str | None, OPERATIONAL] = None
    protocol: Annotated[ProtocolChoice, OPERATIONAL]
    marac: Annotated[MaracCycle, OPERATIONAL]
    allocation_panel: Annotated[MeetingCycle | None, OPERATIONAL] = None
    """When the allocation panel meets; None: on the days of the MARAC, with its cut-off."""
    calendar: Annotated[Calendar, OPERATIONAL] = Calendar()
    due: Annotated[dict[str, str], OPERATIONAL]
    """Per CSS response, per service, and `default`: how soon (design.md, promise 10)."""


class Channel(Contract):
    """A way to reach a recipient. A webhook has a `url` and one or two signing `secrets`. `hours`: when it is
    used, by the office hours of the recipient's area."""

    kind: Annotated[v.ChannelKind, OPERATIONAL]
    url: Annotated[str | None, OPERATIONAL, Field(max_length=2000)] = None
    secrets: Annotated[list[str] | None, about("service", "contact")] = None
    hours: Annotated[Literal["always", "office", "out_of_hours"], OPERATIONAL] = "always"


class Contact(_Closed):
    """Whom to reach about a recipient's deliveries, at work. They get notices, never content."""

    email: Annotated[
        str | None, about("service", "contact"), Field(max_length=254, pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")
    ] = None
    phone: Annotated[
        str | None, about("service", "contact"), Field(max_length=40, pattern=r"^[+0-9 ()-]+$")
    ] = None


class Recipient(Contract):
    """`waymark.recipient/1`: who gets cases, how, and who stands in.

    Channels are used in their order: the next where one fails. `hours` and `out_of_hours`: outside the
    office hours of its area a case that cannot wait for them goes to the stand-in as well. `contact` is told
    what concerns the connection, `second_contact` when a deadline is about to be missed, `on_call` when it was.
    """

    schema_: Annotated[Literal["waymark.recipient/1"], OPERATIONAL, Field(alias="schema")] = (
        "waymark.recipient/1"
    )
    id: Annotated[str, OPERATIONAL, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    role: Annotated[v.Service, OPERATIONAL]
    areas: Annotated[list[str], OPERATIONAL]
    school_urns: Annotated[list[str], OPERATIONAL] = []
    channels: Annotated[list[Channel], OPERATIONAL, Field(min_length=1, max_length=5)]
    notice: Annotated[Contact | None, OPERATIONAL] = None
    hours: Annotated[Literal["office", "always"], OPERATIONAL] = "office"
    out_of_hours: Annotated[str | None, OPERATIONAL] = None
    escalate_to: Annotated[list[str], OPERATIONAL] = []
    contact: Annotated[Contact | None, OPERATIONAL] = None
    second_contact: Annotated[Contact | None, OPERATIONAL] = None
    on_call: Annotated[Contact | None, OPERATIONAL] = None
    named_staff: Annotated[list[str], OPERATIONAL] = []
    """Who of its people may open a restricted case, by their accounts (London 2008 app. 2)."""
