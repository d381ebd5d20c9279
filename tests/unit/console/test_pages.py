"""Pages show ids as text whatever is in them, load nothing from outside, and stay light."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from jinja2 import UndefinedError

from services.console import views
from services.console.access import Viewer, local_path
from services.console.pages import HERE, STYLES, Pages, case_link

NOW = datetime(2026, 11, 21, 1, 15, 2, tzinfo=UTC)
OPS = Viewer("k1", "ops", None)
HOSTILE = [
    'northshire/"><script>alert(1)</script>',
    "northshire/{{ 7 * 7 }}",
    "northshire/'onmouseover='x",
    "northshire/a b?c#d&e=f%2Fg",
    "northshire/\u202egnissim",
]


EMPTY = """
    area version why history_status css_response child_level victim_level services protocol review held_by
    incident_at enriched_at enriched_revision decided_at decided_revision decided_state told_at told_revision
    told_version next_due open_deliveries waiting_for waiting_since trace_id ledger branches
"""


def row(case: str, **other: Any) -> dict[str, Any]:
    known = {"case": case, "force": "northshire", "revision": 1, "accepted_at": NOW, "state": "in_flight"}
    plain = {"test": False, "breached": 0, "dead_lettered": False}
    return {**dict.fromkeys(EMPTY.split()), **known, **plain, **other}


def case_text(case: str, **other: Any) -> str:
    shown = views.case_page(row(case, **other), [], NOW)
    return bytes(Pages().page("case.html", viewer=OPS, here="/cases", case=shown).body).decode()


def list_text(case: str) -> str:
    lines = [views.case_line(row(case), NOW)]
    wanted = {"find": case, "state": "", "response": "", "area": case}
    page = Pages().page(
        "cases.html",
        viewer=OPS,
        here="/cases",
        cases=lines,
        wanted=wanted,
        filtered=True,
        older=None,
        states=("held",),
    )
    return bytes(page.body).decode()


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text_in_an_id_is_shown_as_text(case: str) -> None:
    now = NOW.isoformat()
    branch = {
        "delivery": case, "recipient": case, "service": case, "version": 1, "state": case, "due": None,
        "ledger": [{"stage": case, "waited_ms": 1.0, "worked_ms": 2.0, "from": now, "to": now}],
    }  # fmt: skip
    for text in (case_text(case, branches=[branch], ledger=branch["ledger"]), list_text(case)):
        assert "<script>alert" not in text
        assert not re.search(r"<[^>]*\sonmouseover=", text)
        assert "49" not in re.sub(r"[0-9a-f]{12}", "", text)
        assert text.count("<script") == 1, "our own and no other"


@pytest.mark.parametrize("case", [*HOSTILE, "northshire/a/b", "northshire/..", "northshire/", "f/a//b"])
def test_a_link_leads_to_the_case_that_it_names(case: str) -> None:
    link = urlsplit(case_link(case))
    assert not link.netloc
    if link.path == "/case":
        assert parse_qs(link.query, keep_blank_values=True)["id"] == [case]
    else:
        assert unquote(link.path.removeprefix("/cases/")) == case
        assert not link.query
        assert not link.fragment


def test_the_case_page_says_when_a_delivery_was_late() -> None:
    branch = {
        "delivery": "d-1", "recipient": "northbury-children", "service": "childrens_services", "version": 1,
        "state": "received", "due": "2026-11-21T01:30:02Z", "attempts": 2, "breached": True,
        "received_at": "2026-11-21T01:42:02Z",
        "ledger": [{
            "stage": "delivery", "waited_ms": 1.0, "worked_ms": 2.0,
            "from": "2026-11-21T01:15:02Z", "to": "2026-11-21T01:42:02Z",
        }],
    }  # fmt: skip
    assert "late by 12 minutes" in case_text("northshire/1", branches=[branch])


def test_a_page_has_no_inline_style_or_script_that_its_policy_would_block() -> None:
    for path in sorted((HERE / "templates").glob("*.html")):
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=", text), path.name
        assert not re.search(r"<script(?![^>]*src=)", text), path.name


def test_nothing_is_loaded_from_outside_and_no_font_that_is_not_ours() -> None:
    for name in STYLES:
        css = (HERE / "static" / name).read_text()
        assert "url(" not in css
        assert "@font-face" not in css
        assert "@import" not in css
        assert "GDS Transport" not in css
    for path in [*(HERE / "templates").glob("*.html"), *(HERE / "static").glob("*.js")]:
        assert not re.search(r"(src|href)=[\"']?(https?:)?//", path.read_text()), path.name


def test_the_styles_and_script_leave_room_in_200_kb_for_a_page() -> None:
    sizes = [
        path.stat().st_size for name in (*STYLES, "live.js", "icon.svg") for path in [HERE / "static" / name]
    ]
    assert sum(sizes) < 150_000


def test_the_vendored_files_keep_their_licence_and_version() -> None:
    vendor = HERE / "static" / "vendor"
    assert "MIT" in (vendor / "LICENSE-govuk-frontend.txt").read_text()
    (css,) = vendor.glob("*.css")
    assert css.name in (vendor / "VERSION.md").read_text()
    assert Path(STYLES[0]).name == css.name


@pytest.mark.parametrize(
    "said", ["https://example.org/", "//example.org", "/\\example.org", "javascript:x", "", None, "/a\r\nb"]
)
def test_after_login_nobody_is_sent_to_another_site(said: str | None) -> None:
    assert local_path(said) == "/"


def test_after_login_people_are_back_where_they_were() -> None:
    assert local_path("/cases?state=held&find=a") == "/cases?state=held&find=a"


def test_a_person_sees_cases_of_their_own_areas_and_ops_see_all() -> None:
    person = Viewer("k2", "person", ("northbury",))
    assert person.may_see("northbury")
    assert not person.may_see("southmere")
    assert not person.may_see(None)
    assert OPS.may_see(None)


def test_a_name_that_a_template_lacks_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(UndefinedError, match="next"):
        Pages().page("login.html", viewer=None, here="/login", wrong=None, keys=True, provider=False)
