"""Slices that are always the same, a journal that survives being cut short, a report without a person in it."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.enrichment.importing.files import LISTS, LeftOut, Line
from services.enrichment.importing.journal import Answered, Journal, Task
from services.enrichment.importing.report import NAMED_AT_MOST, Remark, Report, ReportFile
from services.enrichment.importing.slices import slices_of

TASK = Task("d1", "http://enrichment/v1/records", "northbury-css", True, "2026-11-20T02:00:00Z", "i1")


def line(list_: str, number: int) -> Line:
    return Line(list_, f"{list_}.csv", number, number * 10, {"id": f"p{number}"})


def left(list_: str, number: int, about: str | None) -> LeftOut:
    return LeftOut(list_, f"{list_}.csv", number, "not JSON", about)


@given(st.lists(st.tuples(st.sampled_from(LISTS), st.sampled_from(["line", "about", "nobody"])), max_size=60))
def test_every_entry_is_in_one_slice_in_order_and_no_slice_mixes_lists(drawn: list[tuple[str, str]]) -> None:
    drawn.sort(key=lambda one: LISTS.index(one[0]))
    entries: list[Line | LeftOut] = [
        line(name, n) if kind == "line" else left(name, n, f"p{n}" if kind == "about" else None)
        for n, (name, kind) in enumerate(drawn)
    ]
    slices = list(slices_of(entries))
    assert [one for slice_ in slices for one in slice_.lines] == [e for e in entries if isinstance(e, Line)]
    assert [one for slice_ in slices for one in slice_.left_out] == [
        e for e in entries if isinstance(e, LeftOut)
    ]
    assert all({one.list for one in slice_.lines} <= {slice_.of} for slice_ in slices)
    assert [slice_.number for slice_ in slices] == list(range(1, len(slices) + 1))
    assert sum(slice_.unread for slice_ in slices) == sum(kind == "nobody" for _, kind in drawn)


def test_nothing_at_all_is_one_empty_slice() -> None:
    [only] = slices_of([])
    assert (only.number, only.of, only.lines) == (1, "people", [])


def test_a_slice_is_given_before_the_next_is_read() -> None:
    read = itertools.count(1)

    def endless() -> Iterator[Line]:
        for number in read:
            yield line("people", number)

    first = next(iter(slices_of(endless())))
    assert len(first.lines) == 1000
    assert next(read) == 1002


def test_a_slice_is_bounded_in_bytes_too() -> None:
    large: list[Line | LeftOut] = [Line("people", "f", n, n, {"id": "x" * 1_000_000}) for n in range(9)]
    assert [len(slice_.lines) for slice_ in slices_of(large)] == [5, 4]


def journal(tmp_path: Path, task: Task = TASK, **options: Any) -> Journal:
    return Journal.beside(tmp_path / "export", task, **options)


def begun(tmp_path: Path) -> Journal:
    first = journal(tmp_path)
    first.open()
    first.note(Answered(1, {"people": 2}, [Remark("people.csv", 3, "people", "cannot be read", "born")]))
    first.note(Answered(2, {"people": 1}, []))
    first.close(finished=False)
    return first


def renewed(**changes: Any) -> Task:
    fields = {name: getattr(TASK, name) for name in Task.__slots__}
    return Task(**{**fields, "id": "i2", **changes})


def test_an_interrupted_import_goes_on_under_its_own_name_and_moment(tmp_path: Path) -> None:
    begun(tmp_path)
    after = journal(tmp_path, renewed(as_of="2026-11-21T00:00:00Z"))
    assert after.task == TASK
    assert sorted(after.before) == [1, 2]
    assert [one.as_data() for one in after.before[1].remarks] == [
        {"file": "people.csv", "number": 3, "list": "people", "because": "cannot be read", "at": "born"}
    ]


def test_another_content_address_source_moment_or_kind_begins_anew(tmp_path: Path) -> None:
    for change in ({"digest": "d2"}, {"to": "http://other"}, {"source": "southmere-css"}, {"whole": False}):
        begun(tmp_path)
        after = journal(tmp_path, renewed(**change))
        assert (after.before, after.changed, after.task.id) == ({}, True, "i2")
    begun(tmp_path)
    assert journal(tmp_path, renewed(as_of="2026-11-21T00:00:00Z"), as_of_given=True).before == {}
    begun(tmp_path)
    assert (journal(tmp_path, renewed(), again=True).before, (tmp_path / "export.imported.jsonl").exists()) == (
        {},
        False,
    )


def test_a_line_of_the_journal_cut_short_counts_as_not_written(tmp_path: Path) -> None:
    place = begun(tmp_path).place
    place.write_bytes(place.read_bytes()[:-5])
    after = journal(tmp_path, renewed())
    assert sorted(after.before) == [1]
    after.open()
    after.note(Answered(2, {"people": 1}, []))
    after.close(finished=False)
    assert sorted(journal(tmp_path, renewed()).before) == [1, 2]


def test_a_finished_import_leaves_no_journal(tmp_path: Path) -> None:
    begun(tmp_path)
    last = journal(tmp_path, renewed())
    last.open()
    last.close(finished=True)
    assert list(tmp_path.iterdir()) == []


def test_a_report_counts_all_and_names_so_many(tmp_path: Path) -> None:
    report, file = Report("northbury-css", "2026-11-20T02:00:00Z", True), ReportFile(tmp_path / "out.csv")
    for number in range(NAMED_AT_MOST + 5):
        remark = Remark("=people.csv", number, "people", "cannot be read", None if number % 2 else "born")
        report.note(remark)
        file.note(remark)
    file.close()
    with (tmp_path / "out.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert (report.left_out, report.in_part, len(rows)) == (502, 503, NAMED_AT_MOST + 5)
    assert rows[0] == {
        "file": "'=people.csv", "line": "0", "list": "people", "left_out": "no", "at": "born",
        "because": "cannot be read",
    }  # fmt: skip
    assert any("and 482 more" in told for told in report.lines())
