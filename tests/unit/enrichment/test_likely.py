"""What is known if somebody is who they only may be: marked as such, one step far, and told to nobody."""

from __future__ import annotations

from typing import Any, get_args

import orjson
import pytest

from services.delivery.domain.profiles import profile_of
from services.delivery.domain.projection import show
from services.enrichment import domain
from shared import vocabulary as v
from shared.contracts.history import History, Involvement
from tests.unit.enrichment.builders import accepted, case, child, decided, record, suspect, told, victim

PERHAPS = victim(born=None)
"""The same rare name and nothing else: perhaps Sian Hughes, of whom earlier incidents tell."""

EARLIER = case("OLD-1", victim(), suspect(), child(), at=1, decided=decided(4, marac="2026-10-05"))
RECORDS = [
    record("css-1", "Sian Hughes", "1994-03-07", child=False),
    record("css-2", "Cerys Hughes", "2026-03-02", ("css-1", "parent"), involvement=Involvement(open=True)),
]


def history_of(reference: str, *cases: domain.Case, records: list[domain.Record] | None = None) -> History:
    return domain.join_in_order(cases, records or [])[f"northshire/{reference}"]


def test_all_that_another_family_would_tell_is_marked() -> None:
    known = history_of("NEW-2", EARLIER, case("NEW-2", PERHAPS, at=2), records=RECORDS)
    everything = [*(known.incidents or ()), *(known.marac or ()), *(known.children_known or ())]
    everything += known.involvement or ()
    assert {one.link for one in everything} == {"likely"}
    assert told(known) == ["OLD-1"]
    assert [one.victim for one in known.marac or ()] == ["a1"]
    assert len(known.children_known or ()) == 2
    assert [one.open for one in known.involvement or ()] == [True]
    assert all(one.incidents == 0 for one in known.repeats or ())


def test_what_is_sure_stays_sure_beside_what_is_likely() -> None:
    home = case("NEW-1", PERHAPS, child("Al Hughes", "2019-01-01"), at=2)
    known = history_of("NEW-2", EARLIER, home, case("NEW-2", child("Al Hughes", "2019-01-01"), at=3))
    assert [(one.reference, one.link) for one in known.incidents or ()] == [
        ("NEW-1", "certain"),
        ("OLD-1", "likely"),
    ]
    assert [(one.child, one.link) for one in known.children_known or ()] == [
        ("c1", "certain"),
        (None, "likely"),
    ]


def test_the_earlier_family_is_told_of_the_later_one_from_then_on() -> None:
    cases = [EARLIER, case("NEW-2", PERHAPS, at=2), case("OLD-3", victim(), at=3)]
    assert [(one.reference, one.link) for one in history_of("OLD-3", *cases).incidents or ()] == [
        ("OLD-1", "certain"),
        ("NEW-2", "likely"),
    ]


def test_likely_is_told_one_step_far() -> None:
    """The woman of OLD-1 may be NEW-2's, whose suspect may be another family's: OLD-3 hears nothing of that."""
    cases = [
        EARLIER,
        case("FAR-1", suspect("Kit Marsh", "1988-08-08"), at=1.5),
        case("NEW-2", PERHAPS, suspect("Kit Marsh", None), at=2),
        case("OLD-3", victim(), at=3),
    ]
    assert sorted(told(history_of("NEW-2", *cases))) == ["FAR-1", "OLD-1"]
    assert sorted(told(history_of("OLD-3", *cases))) == ["NEW-2", "OLD-1"]


def test_an_adult_of_the_family_who_may_be_somebody_here_goes_by_no_id() -> None:
    cases = [case("R1", victim(), suspect(), at=1), case("R2", victim(born=None), suspect(), at=2)]
    [pair] = (history_of("R2", *cases).incidents or [])[0].pairs or []
    assert (pair.victim, pair.perpetrator) == (None, "a2")


@pytest.mark.parametrize("service", get_args(v.Service))
def test_nobody_who_is_notified_is_told_of_what_is_only_likely(service: Any) -> None:
    new = accepted("NEW-2", PERHAPS, suspect("Kit Marsh", "1988-08-08"), at=2)
    known = history_of("NEW-2", EARLIER, domain.case_of(new), records=RECORDS)
    assert known.incidents
    shown = show(new.incident.as_json(), known.as_json(), profile_of(service), ("a1",))
    everything = orjson.dumps([shown.incident, shown.history, shown.withheld]).decode()
    for word in ("OLD-1", "2026-03-02", "2017-05-16", "2026-10-05", "k-", "css"):
        assert word not in everything
