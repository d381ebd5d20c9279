"""What the door makes of a council's entries: each by itself, nothing lost for a field, nobody guessed."""

from __future__ import annotations

from typing import Any

import pytest

from services.enrichment import domain
from services.enrichment.records import Import, read_records, relate_only_known
from shared.errors import Refused


def records(**lists: Any) -> Import:
    return read_records({"source": "northbury-css", "as_of": "2026-11-20T02:00:00Z", **lists})


def person(id: str = "css-1", **said: Any) -> dict[str, Any]:
    return {"id": id, "name": {"given": "Owen", "family": "Hughes"}, "born": "2017-05-16", **said}


def faults(found: Import) -> list[tuple[str, str]]:
    return [(one.at, one.because) for one in found.faults]


@pytest.mark.parametrize("born", ["31/02/2016", "2016", "03/2016", "2016-03", "16 May", "", 2016, "\x00"])
def test_a_birth_date_that_is_none_is_unknown_and_the_person_is_kept(born: object) -> None:
    found = records(people=[person(born=born)])
    assert found.people["css-1"].born is None
    assert faults(found) == [("born", "cannot be read")]
    assert (found.bad, found.unsaid) == ([], {"css-1": frozenset({"born"})})


@pytest.mark.parametrize("born", ["1900-01-01", "01/01/1901", "1066-10-14", "2027-11-20", "9999-12-31"])
def test_a_placeholder_or_impossible_birth_date_is_unknown(born: str) -> None:
    found = records(people=[person(born=born)])
    assert found.people["css-1"].born is None
    assert faults(found) == [("born", "cannot be true")]
    assert found.unsaid == {}


@pytest.mark.parametrize("born", ["1910-01-01", "2026-11-20", "2027-08-20"])
def test_the_very_old_the_new_born_and_the_unborn_are_believed(born: str) -> None:
    found = records(people=[person(born=born)])
    assert str(found.people["css-1"].born) == born
    assert found.faults == []


@pytest.mark.parametrize(
    "name",
    [
        {"given": "O", "family": "Hughes"},
        {"given": "UNKNOWN", "family": "Hughes"},
        {"given": "Baby", "family": "Hughes"},
        {"given": "Owen", "family": "unknown"},
        {"family": "Hughes"},
        {"given": "?", "family": "-"},
    ],
)
def test_a_name_that_names_nobody_is_kept_and_ties_nobody_to_anybody(name: dict[str, str]) -> None:
    found = records(people=[person("one", name=name), person("other", name=name)])
    assert set(found.people) == {"one", "other"}
    assert not any(domain.mention_recorded(one).told_apart for one in found.people.values())


def test_every_field_that_can_be_done_without_is_left_unread_by_itself() -> None:
    odd: dict[str, Any] = {
        "role": "baby",
        "sex": 7,
        "address": "14 Mill Lane",
        "area": 3,
        "phones": "07700 900101",
        "school": [],
    }
    found = records(people=[person(**odd)])
    assert [at for at, _ in faults(found)] == ["address", "area", "phones", "role", "school", "sex"]
    assert str(found.people["css-1"].born) == "2017-05-16"


def test_what_was_left_out_says_whom_it_was_about_so_that_they_stay_as_known() -> None:
    found = records(
        people=[{"id": "css-1", "name": "Owen"}, {"name": {}}, 7, {"id": "a\x00"}],
        relationships=[{"from": "css-1", "to": "css-2", "kind": "friend"}, {"from": "css-1"}],
        involvement=[{"child": "css-1", "open": 7}, {"open": True}],
    )
    assert (found.kept, found.kept_pairs, found.kept_children) == ({"css-1"}, {("css-1", "css-2")}, {"css-1"})
    assert found.unread == 5
    assert [(one.list, one.index) for one in found.bad] == [
        ("people", 0), ("people", 1), ("people", 2), ("people", 3), ("relationships", 0), ("relationships", 1),
        ("involvement", 0), ("involvement", 1),
    ]  # fmt: skip


def test_nothing_that_an_entry_says_is_told_back() -> None:
    said = [person(born="31/02/2016", sex="Hughes-like"), {"id": 3, "name": {"given": ["Owen"]}}]
    found = records(people=said, relationships=[{"from": "Owen", "to": "Owen", "kind": "Owen"}])
    told = str([*(one.as_data() for one in found.bad), *(one.as_data() for one in found.faults)])
    assert not any(word in told for word in ("2016", "Hughes", "Owen"))


def test_the_same_person_twice_is_the_first_and_the_other_is_named() -> None:
    found = records(people=[person(), person(born="2018-01-01")])
    assert str(found.people["css-1"].born) == "2017-05-16"
    assert [(one.index, one.because) for one in found.bad] == [(1, "this id stands for another entry already")]


def related(from_: str, to: str, kind: str = "parent") -> dict[str, str]:
    return {"from": from_, "to": to, "kind": kind}


def test_nobody_is_a_parent_of_their_own_parent() -> None:
    found = records(
        people=[person("a"), person("b"), person("c")],
        relationships=[related("a", "b"), related("b", "a"), related("c", "c"), related("c", "a", "sibling")],
    )
    relate_only_known(found, set(), [])
    assert [(one.from_, one.to) for _, one in found.relationships] == [("a", "b"), ("c", "a")]
    assert [(one.index, one.because.partition(":")[0]) for one in found.bad] == [
        (1, "circular"),
        (2, "relates a person to itself"),
    ]


def test_a_circle_with_what_was_told_before_is_one_too_and_siblings_are_none() -> None:
    found = records(relationships=[related("b", "a"), related("d", "c", "sibling")])
    relate_only_known(found, {"a", "b", "c", "d"}, [("a", "b", "parent"), ("c", "d", "sibling")])
    assert [index for index, _ in found.relationships] == [1]


@pytest.mark.parametrize(
    "part",
    [{"id": ""}, {"id": "a\x00"}, {"id": "a", "slice": 0}, {"id": "a", "unread": -1}, {"slice": 1}, 7],
)
def test_a_part_of_an_import_that_cannot_be_read_is_refused(part: object) -> None:
    with pytest.raises(Refused) as refused:
        records(whole=True, **{"import": part})
    assert refused.value.status == 422


def test_only_a_whole_import_has_slices() -> None:
    with pytest.raises(Refused, match="slices"):
        records(**{"import": {"id": "a", "slice": 1}})
