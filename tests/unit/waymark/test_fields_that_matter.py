"""The table of fields that matter, held against the filter: each field settles the question it claims to."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any, Final

import pytest

from services.triage.domain.facts import INQUIRIES
from services.triage.protocols import Library, load_library
from shared.areas import Areas, load_areas
from shared.contracts.incident import Incident
from tests.builders import an_incident
from waymark.conformance.costs import Costs
from waymark.conformance.fields import FIELDS, Field

_NO: Final = (
    "strangulation", "sexual_offence", "property_damaged", "stalking", "contact_dispute",
    "separation_intended", "honour_based", "forced_marriage", "animals_harmed", "escalating",
)  # fmt: skip


def a_calm_incident() -> dict[str, Any]:
    """Everything recorded, and nothing grave: the filter has nothing to ask."""
    said = an_incident()
    for adult in said["adults"]:
        adult |= {
            "needs": [], "disabilities": [], "pregnant": False, "controlling": False, "orders_breached": [],
        }  # fmt: skip
    said["adults"][1]["sex"] = "female"
    for child in said["children"]:
        child |= {"needs": [], "intervened": False, "distressed": False, "presence": "not_on_premises"}
    said["incident"] = {
        "violence": ["verbal"], "weapons": [], "injuries": [], "threats": [], "offences": [],
        **dict.fromkeys(_NO, False),
    }  # fmt: skip
    said["risk"] = {"tool": "dash", "level": "standard", "yes_answers": 2, "concern": False}
    said["consent"] = {"asked": True, "given": False, "aware": True}
    return said


@cache
def rules() -> tuple[Library, Areas]:
    return load_library(), load_areas()


def questions(said: dict[str, Any], protocol: str | None = None) -> set[str]:
    costs = Costs(*rules(), protocol)
    costs.note(Incident.model_validate(said))
    return set(costs.questions)


def without(said: dict[str, Any], field: Field) -> dict[str, Any]:
    """The incident with the field left out wherever it stands."""
    said = deepcopy(said)
    *path, last = field.at.strip("/").split("/")
    subjects: list[Any] = [said]
    for step in path:
        subjects = [inner for one in subjects for inner in (one if step == "*" else [one.get(step)]) if inner]
    for subject in subjects:
        subject.pop(last, None)
    return said


def test_a_calm_incident_with_everything_recorded_leaves_nothing_to_ask() -> None:
    assert questions(a_calm_incident()) == set()


def where_it_counts(field: Field) -> dict[str, Any]:
    """A calm incident, with what else has to be so for the field to count."""
    said = a_calm_incident()
    if field.at == "/attended":
        said.pop("attended_at")  # says it as well
    elif field.at == "/relationships":
        said["incident"]["violence"] = ["push"]
    elif field.at == "/incident/escalating":
        said["incident"]["stalking"] = True
        said["relationships"][0] |= {"kind": "ex_partner", "separated_on": "2025-01-01"}
    elif field.at == "/children/*/area":
        for adult in said["adults"]:
            adult.pop("area")  # a child is taken to live with the victim
    elif field.at == "/adults/*/area":
        said["consent"]["given"] = True  # so that a service of her own is told
    return said


@pytest.mark.parametrize("field", [one for one in FIELDS if one.settles], ids=lambda one: f"{one.at} {one.of}")
def test_leaving_a_field_out_opens_the_question_that_it_settles(field: Field) -> None:
    said = where_it_counts(field)
    # Drink and drugs of those who are not owed safeguarding themselves count under some protocols only.
    protocol = "blackburn-with-darwen" if field.settles == ("family_factors",) else None
    assert not questions(said, protocol) & set(field.settles)
    assert questions(without(said, field), protocol) & set(field.settles)


def test_every_question_that_the_filter_can_ask_the_police_is_settled_by_some_field() -> None:
    settled = {name for field in FIELDS for name in field.settles}
    assert settled == set(INQUIRIES)
