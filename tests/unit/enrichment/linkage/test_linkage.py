"""What joins two records: each known kind of error alone never hides a person, and every weight is told."""

from __future__ import annotations

import copy
import json
from importlib import resources
from typing import Any

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from services.enrichment.domain.linkage import (
    Directory,
    Person,
    pack,
    read_model,
    read_person,
    shipped_model,
    unpack,
)
from services.enrichment.domain.linkage.comparisons import FIELDS, compare
from services.enrichment.domain.linkage.keys import keys_of, probes_of
from services.enrichment.domain.linkage.person import read_birth
from services.enrichment.domain.linkage.spelling import name_words
from shared.errors import BadSettings
from tests.unit.enrichment.linkage.people import ELSEWHERE, ask, child, data, person


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"given": "Sain"},
        {"family": "Hughs"},
        {"given": "Hughes", "family": "Sian"},
        {"family": "Doyle"},
        {"family": "Hughes-Doyle"},
        {"given": "Sian Mair"},
        {"born": "1994-07-03"},
        {"born": "1994-03-17"},
        {"born": "1949-03-07"},
        {"born": "1994"},
        {"born": None},
        {"born": "1900-01-01"},
        {"sex": None},
        {"address": ELSEWHERE, "area": "southmere"},
        {"address": None},
        {"given": "SÎAN", "family": "O'Hughes"},
        {"given": "Sean", "family": "Hughs", "also": ["Sian Hughes"]},
    ],
    ids=str,
)
def test_one_error_of_a_known_kind_does_not_hide_a_person(said: dict[str, Any]) -> None:
    link = ask(person("q", **said), person("r"))
    expected = "likely" if said.get("born") == "1949-03-07" else "same"
    assert (link.decision, link.record) == (expected, "r")


@pytest.mark.parametrize(
    ("called", "named"),
    [("Kate", "Katherine"), ("Bob", "Robert"), ("Mohammed", "Muhammad"), ("Мария", "Maria")],
)
def test_short_forms_and_transliterations_are_the_same_name(called: str, named: str) -> None:
    assert ask(person("q", called), person("r", named)).decision == "same"


@pytest.mark.parametrize(
    ("given", "family"),
    [("Hughes", "Sian"), ("Sian", "Hughes-Doyle"), ("Sian", "Doyle Hughes"), ("Sian", "Doyle")],
    ids=["the two boxes changed places", "double-barrelled", "both names", "married"],
)
def test_a_woman_is_known_again_by_whichever_of_her_names_she_gives(given: str, family: str) -> None:
    assert ask(person("q", given, family), person("r")).decision == "same"


def test_a_former_name_is_as_good_as_the_present_one_wherever_she_lives() -> None:
    former = person("r", "Sian", "Doyle", also=["Sian Hughes"], address=ELSEWHERE, area="southmere")
    link = ask(person("q"), former)
    assert link.decision == "same"
    assert link.as_json()["weights"]["family"]["level"] == "also_known_as"


def test_another_family_name_in_another_town_is_for_a_person_to_look_at() -> None:
    link = ask(person("q", family="Doyle", address=ELSEWHERE, area="southmere"), person("r"))
    assert link.decision != "same"


def test_a_short_form_that_no_list_holds_is_at_least_shown_to_a_person() -> None:
    assert ask(person("q", "Tunde"), person("r", "Babatunde")).decision != "new"
    assert ask(person("q", "Loz"), person("r", "Lauren")).decision == "likely"
    assert ask(child("q", "Artie"), child("r", "Arthur")).decision == "likely"


def test_a_person_who_is_not_known_is_new() -> None:
    link = ask(person("q", "Zelda", "Fitzwarren", born="1971-01-30", address=ELSEWHERE, area=None), person("r"))
    assert (link.decision, link.record) == ("new", None)


def test_what_is_missing_says_nothing() -> None:
    levels = compare(person("a"), read_person({"id": "b"}))
    assert set(levels) == {None}


@pytest.mark.parametrize(
    "said", ["UNKNOWN", "baby", "Not known", "X", "", "Mr", "N/A", "Unborn Baby", "twin 1"]
)
def test_a_word_that_is_no_name_is_a_missing_name(said: str) -> None:
    assert name_words(said) == ()


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("1994-03-07", "19940307"),
        ("07/03/1994", "19940307"),
        ("19940307", "19940307"),
        ("1994-03", "199403"),
        ("1994", "1994"),
        ("00/00/1994", "1994"),
        ("about 1994", "1994"),
        ("1994-31-31", "19943131"),
        ("1900-01-01", ""),
        ("n/a", ""),
        (None, ""),
        (True, ""),
        (["1994"], ""),
    ],
)
def test_a_birth_date_is_read_as_far_as_it_goes(said: Any, read: str) -> None:
    assert read_birth(said) == read


def test_people_without_a_name_of_the_same_placeholder_date_are_not_joined() -> None:
    nobody = {"name": {"given": "UNKNOWN", "family": "UNKNOWN"}, "born": "1900-01-01"}
    directory = Directory(shipped_model(), [read_person({"id": "r", **nobody})])
    assert directory.link(read_person({"id": "q", **nobody})).decision == "new"


def test_the_weights_told_add_up_to_the_probability() -> None:
    link = ask(person("q", family="Hughs"), person("r")).as_json()
    bits = sum(part["bits"] for part in link["weights"].values())
    assert link["probability"] == pytest.approx(1 / (1 + 2**-bits), abs=1e-5)
    assert link["weights"]["family"]["level"] == "one_slip"
    assert link["weights"]["given"]["term_frequency"] != 0


def test_another_record_that_fits_takes_its_share_and_is_told() -> None:
    twice = ask(person("q", None, born=None), person("r1", "Mark", born=None), person("r2", "Luke", born=None))
    assert twice.decision != "same"
    told = twice.as_json()
    bits = sum(part["bits"] for part in told["weights"].values())
    assert told["probability"] == pytest.approx(1 / (1 + 2**-bits), abs=1e-3)
    assert told["rivals"] == ["r2"]
    assert told["weights"]["others"]["bits"] < 0


def test_a_rule_is_told_with_its_reason_and_its_bits_are_counted_in() -> None:
    link = ask(child("q", "Dylan"), child("r", "Owen")).as_json()
    assert link["weights"]["rule"]["level"] == "twins"
    assert link["probability"] < 0.01


def test_a_rare_name_says_more_than_a_common_one() -> None:
    common = ask(person("q", "Sarah", "Smith"), person("r", "Sarah", "Smith")).match
    rare = ask(person("q", "Tamsin", "Featherstonehaugh"), person("r", "Tamsin", "Featherstonehaugh")).match
    assert common is not None
    assert rare is not None
    assert rare.bits > common.bits + 5


def test_two_records_that_fit_as_well_are_for_a_person_to_choose_from() -> None:
    link = ask(child("q", None), child("r1", "Owen"), child("r2", "Dylan"))
    assert link.decision == "likely"


def test_the_same_person_filed_twice_is_still_the_same() -> None:
    assert ask(person("q"), person("r1"), person("r2")).decision == "same"


def test_two_queries_may_come_to_one_record() -> None:
    directory = Directory(shipped_model(), [person("r")])
    assert {directory.link(person(name)).record for name in ("q1", "q2")} == {"r"}


def test_two_people_of_one_incident_do_not_come_to_one_record() -> None:
    directory = Directory(shipped_model(), [person("r")])
    links = directory.link_incident([person("a1"), person("a2", "Sain", born="1994-07-03")])
    assert [link.decision for link in links] == ["same", "likely"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"given": "Zoe"}, {"family": "Quirke"}, {"born": "1961-12-25"},
        {"address": ELSEWHERE, "area": "southmere"},
        {"given": "Zoe", "family": "Quirke"}, {"family": "Quirke", "address": ELSEWHERE, "area": "southmere"},
    ],
    ids=str,
)  # fmt: skip
def test_no_one_or_two_wrong_fields_hide_a_person_from_the_keys(wrong: dict[str, Any]) -> None:
    assert not set(keys_of(person("r"))).isdisjoint(probes_of(person("q", **wrong)))


def test_keys_are_texts_without_repeats_and_a_stranger_shares_none() -> None:
    keys = keys_of(person("r", also=["Sian Doyle"], phones=[{"number": "+44 7700 900123"}]))
    assert len(keys) == len(set(keys))
    assert "tel:7700900123" in keys
    stranger = person("q", "Amir", "Qureshi", born="1961-12-25", address=ELSEWHERE, area="southmere")
    assert set(keys).isdisjoint(probes_of(stranger))


def test_a_person_is_not_printed() -> None:
    assert "Hughes" not in repr(person("r"))
    assert "hughes" not in repr(person("r"))


@pytest.mark.parametrize("bad", [{}, {"id": ""}, {"id": None}, {"id": ["x"]}])
def test_a_person_without_an_id_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no id"):
        read_person(bad)


def test_values_of_another_kind_count_as_missing() -> None:
    odd = {"id": 7, "name": "Sian", "born": {}, "address": [], "phones": {"a": 1}, "school": 3, "sex": 4}
    assert read_person(odd).name.given == ""


def model() -> dict[str, Any]:
    folder = resources.files("services.enrichment.domain.linkage")
    return dict(json.loads((folder / "model.v1.json").read_text()))


def test_the_shipped_model_says_what_it_was_trained_on_and_holds_every_level() -> None:
    assert model()["waymark"]["trained"]["people"] > 10_000
    assert [len(row) for row in shipped_model().bits] == [len(levels) for levels in FIELDS.values()]


def test_agreeing_says_more_than_differing_in_every_field() -> None:
    for name, row in zip(FIELDS, shipped_model().bits, strict=True):
        assert row[0] > 0 > row[-1], name


@pytest.mark.parametrize(
    "spoil",
    [
        lambda m: m.pop("waymark"),
        lambda m: m["comparisons"].pop(),
        lambda m: m["comparisons"][0]["comparison_levels"].pop(),
        lambda m: m["comparisons"][0]["comparison_levels"][1].update(m_probability=0),
        lambda m: m["comparisons"][0]["comparison_levels"][1].update(m_probability=0.1),
        lambda m: m["waymark"].update(likely=0.995),
        lambda m: m["waymark"]["terms"].pop("given"),
    ],
)
def test_a_model_with_a_fault_is_refused_with_a_sentence(spoil: Any) -> None:
    broken = copy.deepcopy(model())
    spoil(broken)
    with pytest.raises(BadSettings, match="linkage model"):
        read_model(broken)


def test_reading_the_same_data_twice_gives_the_same_person() -> None:
    one, other = read_person(data("r")), read_person(data("r"))
    assert compare(one, other)[:3] == (0, 0, 0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def vars_of(one: Person) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Person.__slots__}


@given_that(
    st.fixed_dictionaries(
        {"id": st.text(min_size=1)},
        optional=dict.fromkeys(
            ("name", "born", "sex", "address", "area", "phones", "pnc_id", "school", "role"), json_values
        ),
    ),
    st.fixed_dictionaries({"given": json_values, "family": json_values, "also_known_as": json_values}),
)
def test_whatever_stands_in_a_field_a_person_is_read_compared_and_filed(
    said: dict[str, Any], name: dict[str, Any]
) -> None:
    for odd in (read_person(said), read_person({**said, "name": name})):
        assert vars_of(unpack(odd.id, pack(odd))) == vars_of(odd)
        assert len(compare(odd, person("r"))) == len(FIELDS)
        assert all(isinstance(key, str) for key in (*keys_of(odd), *probes_of(odd)))
