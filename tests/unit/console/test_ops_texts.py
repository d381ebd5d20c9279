"""What comes from outside stands on the pages of ops and boards as text, and in a spreadsheet as text."""

from __future__ import annotations

from typing import Any

import pytest

from services.console.access import Viewer
from services.console.dead_letters import STANDINGS, _fields
from services.console.domain.condition import Notice
from services.console.domain.month import Cell, month_of, rows_of
from services.console.month import WORDS
from services.console.pages import Pages
from services.console.protocols import compared
from shared.spreadsheets import cell

OPS = Viewer("k1", "ops", None, "olu")
BOARD = Viewer("k2", "board", ("northbury",), "bea")
HOSTILE = 'x"><script>alert(1)</script>{{ 7 * 7 }}'


def text_of(template: str, viewer: Viewer = OPS, **shown: Any) -> str:
    pages = Pages("https://traces.example/t/{trace_id}")
    pages.put_on_top(lambda: [Notice("wrong", f"{HOSTILE} does not answer.")])
    return bytes(pages.page(template, viewer=viewer, here="", **shown).body).decode()


def is_text(page: str) -> None:
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "49" not in page.replace("#484949", "")


def letter(**other: Any) -> dict[str, Any]:
    known = {
        "id": "triage:7", "service": "triage", "at": "2026-11-21T01:15:02.000Z", "topic": "waymark.enriched.v1",
        "partition": 1, "offset": 5, "case": HOSTILE, "sender": HOSTILE, "seq": 3, "revision": 1,
        "reason": HOSTILE, "size_bytes": 100, "state": "waiting", "resolved_at": None, "resolution": None,
        "again": None, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }  # fmt: skip
    return {**known, **other}


@pytest.mark.parametrize("state", STANDINGS)
def test_a_dead_letter_is_text_however_it_stands(state: str) -> None:
    one = letter(state=state)
    if state not in ("waiting", "overtaken"):
        one |= {"resolved_at": "2026-11-21T02:15:02.000Z", "resolution": f"resent by {HOSTILE}"}
    if state == "put_aside_again":
        one["again"] = "triage:8"
    lists: dict[str, Any] = (
        {"waiting": [], "done": [one]} if one["resolved_at"] else {"waiting": [one], "done": []}
    )
    is_text(text_of("dead_letters.html", **lists, silent=[], standings=STANDINGS, sent=2, kept=1))
    page = text_of(
        "dead_letter.html",
        letter=one,
        fields=[("/body", "text")],
        standings=STANDINGS,
        done=False,
        refused=None,
    )
    is_text(page)
    assert 'href="https://traces.example/t/4bf92f3577b34da6a3ce929d0e0e4736"' in page
    assert ("Send it again" in page) is (one["resolved_at"] is None)


def test_a_shape_is_said_field_by_field_as_people_say_it() -> None:
    shape = {"case": "str", "body": {"adults": "list(2)", "gone": "NoneType", "deep": "object(3)"}, "n": "int"}
    assert list(_fields(shape)) == [
        ("/case", "text"), ("/body/adults", "a list of 2"), ("/body/gone", "nothing"),
        ("/body/deep", "a part of 3"), ("/n", "a number"),
    ]  # fmt: skip
    assert list(_fields("not JSON")) == [("the whole of it", "not JSON")]


def test_a_boards_own_protocol_says_who_approved_it_and_what_its_shadow_differed_by() -> None:
    one = {
        "protocol": "board-trial/1", "title": HOSTILE, "source": HOSTILE, "digest": "sha256:0",
        "in_force_from": "2026-12-01", "may_decide": False, "came_with": "board", "live_in": [],
        "shadow_in": ["northbury"], "always_on": False, "never_live": None, "screens_all": HOSTILE,
        "rules": [{"rule": HOSTILE, "says": HOSTILE, "because": HOSTILE, "source": HOSTILE}],
    }  # fmt: skip
    given = {"who": HOSTILE, "agency": "childrens_services", "at": "2026-11-21T01:15:02+00:00"}
    counts = {"area": "northbury", "live": "london-dvrim/1", "shadow": "board-trial/1"}
    page = text_of(
        "protocol.html",
        BOARD,
        one=one,
        from_words="1 December 2026",
        then=[],
        done="approved",
        refused=HOSTILE,
        may_approve=True,
        approvals=[given],
        shadows=[compared({**counts, "same": 60, "services": 20, "higher": 20, "lower": 0})],
    )
    is_text(page)
    assert "(children&#39;s services), <time" in page
    assert "Two people of two agencies have to approve it" in page
    assert 'width="60.0%"' in page
    assert "does not answer" not in page, "what is wrong with the system is for ops"


def test_a_small_number_of_the_shadow_is_kept_back_from_a_board() -> None:
    counts = {"area": "northbury", "live": "london-dvrim/1", "shadow": "torbay/1"}
    shown = compared({**counts, "same": 50, "services": 0, "higher": None, "lower": 85})
    assert shown["total"] is None
    assert [part["cases"] for part in shown["parts"]] == [50, 0, None, 85]
    assert sum(part["width"] for part in shown["parts"]) == pytest.approx(100, abs=0.05)


def test_a_months_area_is_text_on_the_page_and_in_a_spreadsheet() -> None:
    cells = [Cell("2026-11", HOSTILE, "none", None, None, None, 30, 20, 5)]
    it = {
        **month_of(cells, "2026-11", HOSTILE),
        "areas": [HOSTILE],
        "known_months": ["2026-11"],
        "counted_at": "2026-11-21T01:15:02.000Z",
    }
    page = text_of(
        "month.html", BOARD, it=it, words=WORDS, say_month=str, highest=30, csv="/month.csv", json="/month.json"
    )
    is_text(page)
    assert "80 %" in page
    rows = rows_of(
        month_of([Cell("2026-11", "=cmd()", "none", None, None, None, 30, 0, 0)], "2026-11", "=cmd()")
    )
    assert {cell(row[1]) for row in rows} == {"'=cmd()"}
