"""`waymark link` and `waymark train-linkage` as they are run: files in, lines out, bad lines by number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.enrichment.commands import app
from services.enrichment.domain.linkage import read_model
from services.enrichment.training import read_told, train
from shared.errors import BadSettings
from tests.unit.enrichment.linkage.people import data


def lines(path: Path, *people: Any) -> Path:
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in people))
    return path


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_every_query_is_answered_in_its_order(tmp_path: Path) -> None:
    records = lines(
        tmp_path / "r.jsonl", data("r1"), data("r2", "Mark", "Doyle", born="1991-11-30", sex="male")
    )
    queries = lines(
        tmp_path / "q.jsonl",
        data("q1", "Mark", "Doyl", born="1991-11-30", sex="male"),
        data("q2"),
        data("q3", "Zelda", "Quirke", born="1950-01-31", address=None, area=None),
    )
    out = tmp_path / "links.jsonl"
    result = run("link", "--records", records, "--queries", queries, "-o", out, "--json")
    assert result.exit_code == 0
    links = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(link["query"], link["record"], link["decision"]) for link in links] == [
        ("q1", "r2", "same"),
        ("q2", "r1", "same"),
        ("q3", None, "new"),
    ]
    assert set(links[0]) == {"query", "record", "decision", "probability", "weights"}
    assert json.loads(result.stdout)["same"] == 2


def test_a_bad_line_is_named_by_its_number_and_the_rest_goes_on(tmp_path: Path) -> None:
    records = lines(tmp_path / "r.jsonl", data("r1"), "{broken", data("r1"), "[]", data("r2", "Mark"))
    queries = lines(tmp_path / "q.jsonl", '{"name": {"given": "Sian"}}', data("q1"))
    result = run("link", "--records", records, "--queries", queries, "-o", tmp_path / "o", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(bad["file"], bad["line"]) for bad in told["bad"]] == [
        ("r.jsonl", 2),
        ("r.jsonl", 3),
        ("r.jsonl", 4),
        ("q.jsonl", 1),
    ]
    assert (told["records"], told["queries"]) == (2, 1)
    assert "Sian" not in result.stderr


NOBODY = {"address": None, "area": None, "sex": None}


@pytest.mark.parametrize(
    ("said", "decisions"),
    [
        ({"given": "UNKNOWN", "family": "UNKNOWN", "born": "1900-01-01", **NOBODY}, {"new"}),
        ({"given": "Baby", "family": "Hughes", "born": None, **NOBODY}, {"new"}),
        ({"given": "S", "family": "H", "born": "1994-03-07", **NOBODY}, {"new", "likely"}),
        ({"given": "S", "family": "Hughes", "born": "1994-03-07"}, {"likely", "same"}),
        ({"born": "1994-13-41"}, {"likely", "same"}),
        ({"born": "1994-02-31"}, {"likely", "same"}),
        ({"born": "01/01/1900"}, {"likely", "same"}),
        ({"born": "about 1994"}, {"likely", "same"}),
        ({"born": {"year": 1994}, "name": ["Sian"], "phones": "none", "relationships": []}, {"new", "likely"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_what_says_nothing_of_a_person_joins_nobody_and_one_impossible_date_hides_nobody(
    tmp_path: Path, said: dict[str, Any], decisions: set[str]
) -> None:
    """What is no name and no date counts as missing; a date that no calendar has is a slip of one."""
    records = lines(tmp_path / "r.jsonl", data("r1"), data("r2", "Grace", "Okafor", born="1950-02-02"))
    result = run("link", "--records", records, "--queries", lines(tmp_path / "q.jsonl", data("q", **said)))
    assert result.exit_code == 0, result.output
    link = json.loads(next(line for line in result.stdout.splitlines() if line.startswith("{")))
    assert link["decision"] in decisions
    assert link["record"] == (None if link["decision"] == "new" else "r1")


def test_relationships_that_go_round_in_a_circle_say_nothing_of_who_is_whom(tmp_path: Path) -> None:
    parent = {"from": "r1", "to": "r2", "kind": "parent"}
    circle = [parent, {"from": "r2", "to": "r1", "kind": "parent"}]
    records = lines(
        tmp_path / "r.jsonl", data("r1", relationships=circle), data("r2", "Mark", relationships=circle)
    )
    queries = lines(tmp_path / "q.jsonl", data("q1", relationships=circle))
    told = json.loads(
        run("link", "--records", records, "--queries", queries, "-o", tmp_path / "o", "--json").stdout
    )
    assert (told["same"], told["bad"]) == (1, [])


def test_somebody_put_down_twice_in_one_incident_is_for_a_person_to_look_at(tmp_path: Path) -> None:
    records = lines(tmp_path / "r.jsonl", data("r1"))
    queries = lines(tmp_path / "q.jsonl", data("a1", incident="NS-1"), data("a2", incident="NS-1"))
    result = run("link", "--records", records, "--queries", queries)
    links = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert [(link["record"], link["decision"]) for link in links] == [("r1", "likely"), ("r1", "likely")]


def test_people_of_one_incident_do_not_come_to_one_record(tmp_path: Path) -> None:
    records = lines(tmp_path / "r.jsonl", data("r1"))
    queries = lines(
        tmp_path / "q.jsonl",
        data("a1", incident="NS-1"),
        data("a2", "Sain", born="1994-07-03", incident="NS-1"),
        data("a1", "Sain", incident="NS-2"),
    )
    result = run("link", "--records", records, "--queries", queries)
    answers = [json.loads(line)["decision"] for line in result.stdout.splitlines() if line.startswith("{")]
    assert answers == ["same", "likely", "same"]


def test_nobody_known_means_everybody_is_new(tmp_path: Path) -> None:
    result = run(
        "link", "--records", lines(tmp_path / "r.jsonl"), "--queries", lines(tmp_path / "q.jsonl", data("q1"))
    )
    link = json.loads(result.stdout.splitlines()[0])
    assert (link["record"], link["decision"], link["probability"]) == (None, "new", 0.0)


def test_a_missing_file_and_a_file_that_is_no_model_are_wrong_use(tmp_path: Path) -> None:
    people = lines(tmp_path / "r.jsonl", data("r1"))
    assert run("link", "--records", tmp_path / "none", "--queries", people).exit_code == 2
    assert run("link", "--records", people, "--queries", people, "--model", people).exit_code == 2


def test_weights_learnt_from_told_truth_follow_what_was_seen(tmp_path: Path) -> None:
    pytest.importorskip("names", reason="needs `make train`")
    people = [
        {**data(f"{n}-{copy}", f"Name{n:04d}", f"Family{n:04d}", born=born), "truth": f"t{n}"}
        for n in range(600)
        for copy, born in (("a", "1994-03-07"), ("b", "1994-07-03" if n % 2 else "1994-03-07"))
    ]
    learnt = train(read_told([lines(tmp_path / "people.jsonl", *people)]))
    read_model(learnt)
    born = next(one for one in learnt["comparisons"] if one["output_column_name"] == "born")
    shares = {level["label_for_charts"]: level.get("m_probability") for level in born["comparison_levels"]}
    assert shares["day_month_swapped"] > 0.25
    assert shares["different"] < 0.05


def test_files_that_tell_no_truth_teach_nothing_by_counting(tmp_path: Path) -> None:
    people = lines(tmp_path / "people.jsonl", data("a"), data("b"))
    with pytest.raises(BadSettings, match="nothing to learn"):
        train(read_told([people]))


def test_a_training_line_that_is_no_person_is_named(tmp_path: Path) -> None:
    people = lines(tmp_path / "people.jsonl", data("a"), "{}")
    with pytest.raises(BadSettings, match="line 2"):
        read_told([people])
