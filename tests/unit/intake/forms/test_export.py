"""A CSV export, row by row: what does not fit is named, nothing is left out in silence."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from services.intake.forms import CsvRow, read_form, rows_of, write_csv
from shared.errors import Refused
from tests.builders import an_incident

HEADER = "force,reference,incident_date,incident_time,circumstances"


def rows(*lines: str, header: str = HEADER) -> list[CsvRow]:
    return list(rows_of("north", "\n".join([header, *lines]).encode()))


def test_a_row_is_what_stands_under_the_header() -> None:
    (row,) = rows("northshire,NS-1,20/11/2026,22:40,Shouting heard.")
    assert row.number == 2
    assert row.faults == []
    assert read_form("north", row.fields).incident == {
        "force": "northshire", "reference": "NS-1", "occurred_at": "2026-11-20T22:40",
        "summary": "Shouting heard.",
    }  # fmt: skip


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    (row,) = rows_of("north", b"\xef\xbb\xbf" + f"{HEADER}\r\nnorthshire,NS-1,20/11/2026,22:40,\r\n".encode())
    assert row.fields["force"] == "northshire"


def test_a_quoted_cell_may_hold_lines_commas_and_quotation_marks() -> None:
    told = 'He said "go",\r\nthen left.\n\n=1+1'
    quoted = told.replace('"', '""')
    first, second = rows(f'n,1,20/11/2026,22:40,"{quoted}"', "n,2,20/11/2026,22:40,")
    assert first.fields["circumstances"] == told
    assert (first.number, second.number) == (2, 6)
    assert first.as_written.startswith("n,1,")


def test_a_cell_of_five_megabytes_is_a_cell() -> None:
    (row,) = rows("n,1,20/11/2026,22:40," + "a" * 5_000_000)
    assert len(row.fields["circumstances"]) == 5_000_000


def test_too_few_cells_are_named_and_the_rest_is_unknown() -> None:
    (row,) = rows("n,1,20/11/2026")
    assert [fault.because.split(":")[0] for fault in row.faults] == ["3 cells under 5 columns"]
    assert row.fields == {"force": "n", "reference": "1", "incident_date": "20/11/2026"}


def test_too_many_cells_are_named_one_by_one() -> None:
    (row,) = rows("n,1,20/11/2026,22:40,told,,and more")
    (fault,) = read_form("north", row.fields).faults
    assert (fault.at, fault.said) == ("/cell_7", "and more")
    assert row.fields["cell_7"] == "and more"  # what is stored of the row has it


def test_an_unknown_column_is_named_where_something_stands_in_it() -> None:
    first, second = rows("n,1,20/11/2026,22:40,,x", "n,2,20/11/2026,22:40,,", header=f"{HEADER},arested")
    (fault,) = read_form("north", first.fields).faults
    assert fault.at == "/arested"
    assert fault.because.endswith("did you mean arrested?")
    assert read_form("north", second.fields).faults == []


def test_a_column_that_stands_twice_and_says_two_things_is_kept_whole_and_unknown() -> None:
    columns = f"{HEADER},children_present,child_1_given_name,children_present,Children present"
    (row,) = rows("n,1,20/11/2026,22:40,,No,Mia,Yes,No", header=columns)
    assert [cell for cell in row.fields.values() if cell in ("Yes", "No")] == ["No", "Yes", "No"]
    reading = read_form("north", row.fields)
    assert "presence" not in reading.incident["children"][0]
    assert all(fault.because.endswith("treated as unknown") for fault in reading.faults)
    assert len(reading.faults) == 2


def test_a_column_that_stands_twice_and_says_the_same_is_no_fault() -> None:
    (row,) = rows("n,1,20/11/2026,22:40,told,told,", header=f"{HEADER},circumstances,circumstances")
    reading = read_form("north", row.fields)
    assert (reading.incident["summary"], reading.faults) == ("told", [])


def test_rows_with_nothing_in_them_say_nothing() -> None:
    assert [row.number for row in rows("", ",,,,", "n,1,20/11/2026,22:40,", "  ,")] == [4]


def test_a_row_whose_quotation_marks_do_not_match_is_named_and_the_next_is_read() -> None:
    broken, whole = rows('n,1,20/11/2026,22:40,"one"two', "n,2,20/11/2026,22:40,")
    assert broken.fields == {}
    assert "quotation marks" in broken.faults[0].because
    assert broken.as_written.startswith("n,1,")
    assert whole.fields["reference"] == "2"


def test_a_cell_that_is_never_closed_names_how_far_it_reaches() -> None:
    first, broken = rows("n,1,20/11/2026,22:40,", 'n,2,20/11/2026,22:40,"told', "n,3,20/11/2026,22:40,")
    assert first.faults == []
    assert broken.fields == {}
    assert broken.faults[0].because.endswith("it reaches to line 4")
    assert "n,3," in broken.as_written


@pytest.mark.parametrize(
    ("header", "missing"),
    [("reference,incident_date", ["force"]), ("", ["force", "reference", "incident_date"]),
     ("force;reference;incident_date", ["force", "reference", "incident_date"]),
     ("force\treference\tincident_date", ["force", "reference", "incident_date"]),
     ('"force', ["force", "reference", "incident_date"])],
)  # fmt: skip
def test_a_header_without_the_columns_that_every_row_needs_is_refused(header: str, missing: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        rows("n,1,20/11/2026", header=header)
    assert refused.value.status == 422
    assert refused.value.extra["missing"] == missing
    assert all(name in refused.value.detail for name in missing)


def test_a_header_of_people_is_not_repeated_in_the_refusal() -> None:
    with pytest.raises(Refused) as refused:
        rows(header="northshire,NS-1,Hughes")
    assert "Hughes" not in refused.value.detail + str(refused.value.extra)


@pytest.mark.parametrize("where", [0, 200, 2_000_000])
def test_what_is_not_utf8_is_refused_wherever_it_stands(where: int) -> None:
    text = bytearray(f"{HEADER}\nn,1,20/11/2026,22:40,".encode() + b"a" * 3_000_000)
    text[where] = 0xE9
    with pytest.raises(Refused) as refused:
        rows_of("north", bytes(text))
    assert refused.value.status == 400


def test_ten_thousand_rows_are_read_one_by_one() -> None:
    header, line = write_csv("south", [an_incident(summary="Shouting heard.")]).split(b"\r\n", 1)
    text = header + b"\r\n" + line * 10_000
    tracemalloc.start()
    seen = 0
    reading: Iterator[CsvRow] = rows_of("south", text)
    for seen, row in enumerate(reading, start=1):  # noqa: B007
        assert row.faults == []
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen == 10_000
    assert row.number == 10_001
    assert most < len(text) / 10
