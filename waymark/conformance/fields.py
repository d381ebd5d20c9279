"""Which fields matter, in which messages each of them could be filled, and what rests on it.

`settles` names the question of the filter that the field answers: `costs` finds by deciding how often it is
open. A field without one serves something that happens before or after the decision; `serves` says what.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from shared.contracts.incident import Adult, Happened, Incident


@dataclass(frozen=True, slots=True)
class Field:
    """One field that matters. `at`: its place, `*` for each entry of a list. `of`: whose it is."""

    at: str
    of: str
    name: str
    settles: tuple[str, ...] = ()
    serves: str = ""

    def places(self, incident: Incident) -> Iterator[bool]:
        """For each place where the incident could have the field, whether it has."""
        for subject in _SUBJECTS[self.of](incident):
            yield getattr(subject, self.name, None) is not None


def _adults(incident: Incident, *roles: str | None) -> list[Adult]:
    return [adult for adult in incident.adults or () if adult.role in roles]


def _victims(incident: Incident) -> list[Adult]:
    return _adults(incident, "victim", "both")


def _who_could_be_pregnant(people: Iterable[Adult]) -> list[Adult]:
    return [adult for adult in people if adult.sex != "male"]


_SUBJECTS: Final[dict[str, Any]] = {
    "case": lambda incident: [incident],
    "adults": lambda incident: incident.adults or (),
    "victims": _victims,
    "victims who could be pregnant": lambda incident: _who_could_be_pregnant(_victims(incident)),
    "suspects": lambda incident: _adults(incident, "suspect", "both"),
    "suspects who could be pregnant": lambda incident: _who_could_be_pregnant(_adults(incident, "suspect")),
    "phones": lambda incident: [phone for victim in _victims(incident) for phone in victim.phones or ()],
    "children": lambda incident: incident.children or (),
    "separations": lambda incident: [
        one for one in incident.relationships or () if one.kind in ("ex_partner", "ex_spouse")
    ],
    "incident": lambda incident: [incident.incident or Happened()],
    "risk": lambda incident: [incident.risk],
    "consent": lambda incident: [incident.consent],
}

_TRACING = "Finding the family's earlier incidents and records (NSPCC 2009 t32: one in five not traced)."
_CONTACT = "Reaching the victim without endangering her (NSPCC 2009 s6.5.2)."
_FRESH = "How fresh a separation is: a time of danger (London 2008 s14.4)."
_ASKED_FOR_HELP = "A child who asks for help is always referred (London 2008 s10.1)."
_OF_ADULTS: Final = ("victim_pregnant", "victim_vulnerable", "orders_breached", "adults")
"""`adults` itself is asked only of a family with a past."""


def _happened(name: str, *settles: str) -> Field:
    return Field(f"/incident/{name}", "incident", name, settles)


FIELDS: Final = (
    Field("/reported_at", "case", "reported_at", serves="The clock that shows how long a case took."),
    Field("/recorded_at", "case", "recorded_at", serves="The clock that shows how long a case took."),
    Field("/attended", "case", "attended", ("attended",)),
    Field("/area", "case", "area", serves="Whose rules and calendar the case is decided by."),
    Field("/caller", "case", "caller", ("child_called_for_help",)),
    Field("/summary", "case", "summary", serves="What a screener reads first."),
    Field("/adults", "case", "adults", _OF_ADULTS),
    Field("/children", "case", "children", ("children",)),
    Field("/relationships", "case", "relationships", ("days_since_separation",)),
    Field("/relationships/*/separated_on", "separations", "separated_on", serves=_FRESH),
    Field("/adults/*/role", "adults", "role", ("orders_breached",)),
    Field("/adults/*/name", "adults", "name", serves=_TRACING),
    Field("/adults/*/born", "adults", "born", serves=_TRACING),
    Field("/adults/*/address", "victims", "address", serves=_TRACING),
    Field("/adults/*/area", "victims", "area", ("victim_home_area", "child_home_area")),
    Field("/adults/*/phones", "victims", "phones", serves=_CONTACT),
    Field("/adults/*/phones/*/safe", "phones", "safe", serves=_CONTACT),
    Field("/adults/*/pregnant", "victims who could be pregnant", "pregnant", ("victim_pregnant",)),
    Field("/adults/*/pregnant", "suspects who could be pregnant", "pregnant", ("suspect_pregnant",)),
    Field("/adults/*/needs", "victims", "needs", ("mother_special_needs", "victim_vulnerable")),
    Field("/adults/*/disabilities", "victims", "disabilities", ("mother_special_needs", "victim_vulnerable")),
    Field("/adults/*/factors", "victims", "factors", ("victim_vulnerable", "family_factors")),
    Field("/adults/*/factors", "suspects", "factors", ("family_factors",)),
    Field("/adults/*/controlling", "suspects", "controlling", ("controlling_behaviour",)),
    Field("/adults/*/orders_breached", "suspects", "orders_breached", ("orders_breached",)),
    Field("/children/*/name", "children", "name", serves=_TRACING),
    Field("/children/*/born", "children", "born", ("youngest_child_months",)),
    Field("/children/*/area", "children", "area", ("child_home_area",)),
    Field("/children/*/school", "children", "school", serves="Telling the child's school in time."),
    Field("/children/*/presence", "children", "presence", ("child_saw_or_heard",)),
    Field("/children/*/called_for_help", "children", "called_for_help", serves=_ASKED_FOR_HELP),
    Field("/children/*/intervened", "children", "intervened", ("child_intervened",)),
    Field("/children/*/threatened", "children", "threatened", ("child_threatened",)),
    Field("/children/*/assaulted", "children", "assaulted", ("child_hurt",)),
    Field("/children/*/injured", "children", "injured", ("child_hurt",)),
    Field("/children/*/needs", "children", "needs", ("child_special_needs",)),
    _happened("violence", "violence"),
    _happened("weapons", "weapon_use"),
    _happened("injuries", "injury_severity"),
    _happened("threats", "threats"),
    _happened("strangulation", "strangulation"),
    _happened("sexual_offence", "serious_sexual_offence"),
    _happened("property_damaged", "property_damaged"),
    _happened("stalking", "stalking"),
    _happened("contact_dispute", "contact_dispute"),
    _happened("separation_intended", "separation_intended"),
    _happened("honour_based", "honour_based"),
    _happened("forced_marriage", "forced_marriage"),
    _happened("animals_harmed", "animals_harmed"),
    _happened("escalating", "escalating"),
    Field("/risk/level", "risk", "level", ("police_level",)),
    Field("/risk/yes_answers", "risk", "yes_answers", ("dash_yes_answers", "police_level")),
    Field("/risk/concern", "risk", "concern", ("assessor_concern", "police_level")),
    Field("/consent/given", "consent", "given", ("victim_consents",)),
)
"""In the order of the contract."""
