"""A register as files: CSV, JSON lines and one document read to the same entries, and bad lines by number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from services.enrichment.importing import open_source
from services.enrichment.importing.files import LeftOut, Line
from services.enrichment.records import read_records

SAMPLES = Path(__file__).resolve().parents[2] / "contracts" / "samples" / "records"
HEADER = "id,role,given,family,born\n"


def entries(path: Path) -> list[Line]:
    return [one for one in open_source(path).entries() if isinstance(one, Line)]


def left_out(path: Path) -> list[tuple[int, str, str | None]]:
    return [
        (one.number, one.because, one.about) for one in open_source(path).entries() if isinstance(one, LeftOut)
    ]


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def by_list(path: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for line in entries(path):
        found.setdefault(line.list, []).append(line.entry)
    return found


def test_the_sample_folder_and_the_sample_lines_say_the_same() -> None:
    folder, lines = by_list(SAMPLES), by_list(SAMPLES / "register.jsonl")
    assert folder == lines
    assert {name: len(listed) for name, listed in folder.items()} == {
        "people": 4,
        "relationships": 3,
        "involvement": 2,
    }


def test_the_samples_are_records_without_a_fault() -> None:
    found = read_records({"source": "northbury-css", "as_of": "2026-11-20T02:00:00Z", **by_list(SAMPLES)})
    assert (found.bad, found.faults) == ([], [])


def test_a_document_is_read_entry_by_entry(tmp_path: Path) -> None:
    document = {"source": "northbury-css", "as_of": "2026-11-20T02:00:00Z", **by_list(SAMPLES)}
    path = written(tmp_path, "records.json", orjson.dumps(document))
    assert by_list(path) == by_list(SAMPLES)
    assert open_source(path).head["source"] == "northbury-css"


def test_people_come_first_whatever_the_order_of_the_lines() -> None:
    order = [line.list for line in entries(SAMPLES / "register.jsonl")]
    assert order == sorted(order, key=["people", "relationships", "involvement"].index)


def test_an_empty_cell_is_unknown_and_a_dash_is_known_none(tmp_path: Path) -> None:
    path = written(tmp_path, "involvement.csv", "child,open,plans,pathway\na,,,\nb,no,-,-\n")
    assert [line.entry for line in entries(path)] == [
        {"child": "a"},
        {"child": "b", "open": False, "plans": [], "pathways": []},
    ]


def test_rows_of_one_child_are_one_entry_and_must_not_contradict(tmp_path: Path) -> None:
    path = written(tmp_path, "involvement.csv", "child,open,pathway\na,no,letter\na,,letter\nb,no,\nb,yes,\n")
    assert [(line.number, len(line.entry["pathways"])) for line in entries(path)] == [(2, 2)]
    assert [(number, because) for number, because, _ in left_out(path)] == [
        (4, "the child's rows say different things in open")
    ]


def test_a_child_whose_rows_stand_apart_is_told_of_once(tmp_path: Path) -> None:
    path = written(tmp_path, "involvement.csv", "child,open\na,no\nb,no\na,yes\n")
    assert [line.entry["child"] for line in entries(path)] == ["a", "b"]
    assert left_out(path) == [(4, "the child stands further up already", "a")]


def test_the_same_person_twice_is_the_first(tmp_path: Path) -> None:
    path = written(tmp_path, "people.csv", HEADER + "a,child,Owen,,\nb,child,,,\na,child,Owain,,\n")
    assert [line.number for line in entries(path)] == [2, 3]
    assert left_out(path) == [(4, "the id stands further up already", "a")]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("id,rôle", "Did you mean 'role'?"),
        ("id,surname", "It takes id, role, given"),
        ("id,date_of_birth", "'date_of_birth'"),
        ("role,given", "lacks the column 'id'"),
        ("id,given,given", "twice"),
        ("id;given;family", "separated by commas"),
    ],
)
def test_a_wrong_column_is_named_before_anything_is_sent(tmp_path: Path, header: str, says: str) -> None:
    path = written(tmp_path, "people.csv", f"{header}\na,b,c\n")
    with pytest.raises(ValueError, match=r"people\.csv") as wrong:
        open_source(path)
    assert says in str(wrong.value)


def test_a_wrongly_named_file_is_named_with_what_was_meant(tmp_path: Path) -> None:
    written(tmp_path, "peoples.csv", HEADER)
    with pytest.raises(ValueError, match=r"Did you mean people\.csv"):
        open_source(tmp_path)


@pytest.mark.parametrize("name", ["people.csv", "register.jsonl", "records.json"])
@pytest.mark.parametrize("said", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, name: str, said: bytes) -> None:
    with pytest.raises(ValueError, match="is empty"):
        open_source(written(tmp_path, name, said))


def test_an_empty_folder_and_utf_16_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none of people\.csv"):
        open_source(tmp_path)
    with pytest.raises(ValueError, match="UTF-16"):
        open_source(written(tmp_path, "people.csv", HEADER.encode("utf-16")))


def test_a_line_in_windows_1252_is_named_and_the_person_stays_as_known(tmp_path: Path) -> None:
    said = (HEADER + "a,adult,Sian,Hughes,\nb,adult,Siân,Hughes,\nc,adult,Mark,Doyle,\n").encode("cp1252")
    path = written(tmp_path, "people.csv", said)
    assert [line.entry["id"] for line in entries(path)] == ["a", "c"]
    assert left_out(path) == [(3, "not UTF-8: saved in another encoding, such as Windows-1252", "b")]
    lines = '{"kind":"person","id":"a"}\n{"kind":"person","id":"b","name":{"given":"Siân"}}\n'.encode("cp1252")
    assert [(number, about) for number, _, about in left_out(written(tmp_path, "register.jsonl", lines))] == [
        (2, "b")
    ]


def test_a_nul_is_named_by_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "people.csv", HEADER + "a,adult,Si\0an,Hughes,\nb,adult,,,\n")
    assert [line.entry["id"] for line in entries(path)] == ["b"]
    assert left_out(path) == [(2, "holds a NUL character", "a")]


def test_a_quote_that_never_closes_spoils_its_own_row_only(tmp_path: Path) -> None:
    rows = "".join(f"p{i},adult,,,\n" for i in range(200))
    path = written(tmp_path, "people.csv", HEADER + 'a,adult,"Sian,Hughes,\n' + rows)
    assert len(entries(path)) == 200
    assert [(number, because) for number, because, _ in left_out(path)] == [
        (2, "a quote opens and does not close")
    ]


def test_a_cell_over_several_lines_is_one_row_numbered_by_its_first(tmp_path: Path) -> None:
    path = written(tmp_path, "people.csv", 'id,line1,given\na,"Flat 1\n14 Mill Lane",Sian\nb,,\n')
    assert [(line.number, line.entry["id"]) for line in entries(path)] == [(2, "a"), (4, "b")]
    assert entries(path)[0].entry["address"] == {"line1": "Flat 1\n14 Mill Lane"}


def test_rows_that_do_not_fit_their_columns_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "people.csv", HEADER + "a,adult\n,adult,Sian,Hughes,\nb,adult,,,\n")
    assert [because for _, because, _ in left_out(path)] == ["2 cells in a row of 5 columns", "id is empty"]
    assert [line.entry["id"] for line in entries(path)] == ["b"]


def test_bad_lines_of_json_are_named_once_each(tmp_path: Path) -> None:
    lines = [
        '{"kind":"person","id":"a"}',
        "{",
        "[1]",
        '{"id":"b"}',
        '{"kind":"dog","id":"c"}',
        "",
        '{"kind":7}',
    ]
    path = written(tmp_path, "register.jsonl", "\n".join(lines))
    assert left_out(path) == [
        (2, "not JSON", None),
        (3, "not an object", None),
        (4, "kind is missing", "b"),
        (5, "kind is none of person, relationship, involvement, removed", "c"),
        (7, "kind is none of person, relationship, involvement, removed", None),
    ]


def test_a_line_longer_than_a_mebibyte_is_left_out_and_the_next_is_read(tmp_path: Path) -> None:
    huge = orjson.dumps({"kind": "person", "id": "a", "name": {"given": "x" * 3_000_000}})
    path = written(
        tmp_path, "register.jsonl", b'{"kind":"person","id":"z"}\n' + huge + b'\n{"kind":"person","id":"b"}'
    )
    assert [line.entry["id"] for line in entries(path)] == ["z", "b"]
    assert left_out(path) == [(2, "longer than 1 MiB", None)]


def test_no_reason_tells_what_the_line_said(tmp_path: Path) -> None:
    path = written(tmp_path, "involvement.csv", "child,open,re_referrals\na,perhaps,\nb,,often\n")
    assert [because for _, because, _ in left_out(path)] == [
        "open is neither yes nor no",
        "re_referrals is not a count",
    ]


def test_several_documents_in_one_file_are_not_taken_for_lines(tmp_path: Path) -> None:
    document = orjson.dumps({"source": "northbury-css", "people": []})
    with pytest.raises(ValueError, match="whole documents"):
        open_source(written(tmp_path, "month.records.jsonl", document + b"\n" + document))


def test_a_file_that_is_nothing_of_the_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither JSON nor JSON lines"):
        open_source(written(tmp_path, "records.json", "Dear all,"))
    with pytest.raises(ValueError, match="people is not a list"):
        open_source(written(tmp_path, "records.json", '{"people": {}}'))


def test_the_digest_is_of_the_content_of_every_file(tmp_path: Path) -> None:
    written(tmp_path, "people.csv", HEADER + "a,,,,\n")
    first = open_source(tmp_path).digest
    written(tmp_path, "involvement.csv", "child\na\n")
    second = open_source(tmp_path).digest
    written(tmp_path, "people.csv", HEADER + "b,,,,\n")
    assert len({first, second, open_source(tmp_path).digest}) == 3
