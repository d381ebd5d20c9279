"""Who answers for what, and files that cannot be read."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from services.delivery.directory import read_directory
from services.delivery.domain.access_rules import rules_for
from services.delivery.domain.changes import differences, takes_two
from services.delivery.domain.recipients import Channel, Directory, schools_of
from services.delivery.main import create_app
from services.delivery.recipients_commands import app
from services.delivery.settings import Settings
from shared.areas import load_areas
from shared.contracts.topics import routed_topic
from shared.errors import BadSettings
from shared.vocabulary import SERVICES
from tests.builders import an_incident
from tests.unit.delivery.builders import a_recipient, route

ROOT = Path(__file__).resolve().parents[3]
SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


def a_directory() -> Directory:
    return Directory(
        (
            a_recipient(),
            a_recipient("northbury-edt", stand_in=True),
            a_recipient("northbury-marac", "marac"),
            a_recipient("northbury-education", "education"),
            a_recipient("school-100001", "education", school_urns=("100001",)),
            a_recipient("school-100006", "education", school_urns=("100006",)),
            a_recipient("test-children", test=True),
        ),
        {"northbury": "northbury-children"},
    )


def who(service: str, *, test: bool = False, history: dict[str, Any] | None = None, **changes: Any) -> Any:
    incident = changes.pop("incident", an_incident())
    found = a_directory().address(route(service, **changes), incident, history or {}, test=test)
    return [(one.recipient.id if one.recipient else None, one.route.about) for one in found]


def test_a_route_goes_to_the_role_in_its_area() -> None:
    assert who("marac") == [("northbury-marac", ("c1",))]
    assert who("marac", area="southmere") == [(None, ("c1",))]
    assert who("marac", area=None) == [(None, ("c1",))]
    assert who("midwifery") == [(None, ("c1",))]


def test_the_area_says_who_answers_for_a_child_and_the_stand_in_does_not() -> None:
    assert who("childrens_services") == [("northbury-children", ("c1",))]


def test_each_child_goes_to_its_own_school_and_the_others_to_the_council() -> None:
    children = [
        {"id": "c1", "school": {"urn": "100001"}},
        {"id": "c2", "school": {"urn": "100006"}},
        {"id": "c3", "school": {"urn": "999999"}},
        {"id": "c4", "home_educated": True, "school": {"urn": "100001"}},
        {"id": "c5", "school": {"urn": "100001"}},
    ]
    found = who("education", about=["c1", "c2", "c3", "c4", "c5"], incident=an_incident(children=children))
    assert sorted(found) == [
        ("northbury-education", ("c3", "c4")),
        ("school-100001", ("c1", "c5")),
        ("school-100006", ("c2",)),
    ]


def test_a_school_known_from_a_confirmed_record_counts_and_a_likely_one_does_not() -> None:
    known = [
        {"id": "k1", "child": "c1", "school": {"urn": "100006"}, "link": "certain"},
        {"id": "k2", "child": "c2", "school": {"urn": "100006"}, "link": "likely"},
        {"id": "k3", "child": None, "school": {"urn": "100001"}, "link": "certain"},
    ]
    history = {"children_known": known}
    incident = an_incident(children=[{"id": "c1"}, {"id": "c2"}])
    assert schools_of("c1", incident, history) == ["100006"]
    assert schools_of("c2", incident, history) == []
    assert schools_of("k3", incident, history) == ["100001"]


def test_a_test_record_goes_to_a_test_recipient_where_there_is_one_and_no_live_record_does() -> None:
    assert who("childrens_services", test=True) == [("test-children", ("c1",))]
    assert who("marac", test=True) == [("northbury-marac", ("c1",))]
    assert who("childrens_services") == [("northbury-children", ("c1",))]


@pytest.mark.parametrize(
    ("recipients", "areas", "sentence"),
    [
        ([a_recipient(), a_recipient()], {}, "described twice"),
        ([a_recipient(), a_recipient("other")], {}, "Two recipients answer for childrens_services in north"),
        ([a_recipient(one, "education", school_urns=("1",)) for one in "ab"], {}, "The school 1"),
        ([a_recipient(escalate_to=("nobody",))], {}, "escalates to nobody"),
        ([a_recipient(escalate_to=("northbury-children",))], {}, "cannot escalate"),
        ([a_recipient(escalate_to=("test-x",)), a_recipient("test-x", test=True)], {}, "cannot escalate"),
        ([a_recipient()], {"southmere": "southmere-children"}, "southmere names southmere-children"),
        ([a_recipient("m", "marac")], {"northbury": "m"}, "whose role is marac"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_directory_is_said_in_a_sentence(
    recipients: list[Any], areas: dict[str, str], sentence: str
) -> None:
    (fault,) = [fault for fault in Directory(tuple(recipients), areas).faults() if sentence in fault]
    assert fault.endswith(".")


def test_both_areas_have_a_recipient_for_every_role() -> None:
    directory = read_directory(
        ROOT / "deploy" / "recipients",
        load_areas(ROOT / "deploy" / "areas"),
        environment={},
        allow_loopback=True,
    )
    for area in ("northbury", "southmere"):
        for service in SERVICES:
            found = directory.address(route(service, area=area, about=["c1"]), {}, {}, test=False)
            assert [one.recipient is not None for one in found] == [True], (area, service)


def test_the_files_of_this_repository_name_their_secrets_and_hold_none() -> None:
    for path in (ROOT / "deploy" / "recipients").glob("*.yaml"):
        for recipient in yaml.safe_load(path.read_text())["recipients"]:
            for channel in recipient["channels"]:
                assert all(name.startswith("env:WAYMARK_SECRET_") for name in channel.get("secrets", []))


def read(tmp_path: Path, *, development: bool = False, **changes: Any) -> Directory:
    (tmp_path / "areas").mkdir(exist_ok=True)
    area = (ROOT / "deploy" / "areas" / "northbury.yaml").read_text()
    (tmp_path / "areas" / "northbury.yaml").write_text(area.replace(", school_terms: northbury-2026.csv", ""))
    described = {
        "id": "northbury-children",
        "role": "childrens_services",
        "areas": ["northbury"],
        "channels": [
            {"kind": "webhook", "url": "https://css.example/x", "secrets": ["env:S"]},
            {"kind": "inbox"},
        ],
        **changes,
    }
    folder = tmp_path / "recipients"
    folder.mkdir(exist_ok=True)
    (folder / "one.yaml").write_text(yaml.safe_dump(described))
    (folder / "secret").write_text(SECRET + "\n")
    return read_directory(
        folder, load_areas(tmp_path / "areas"), environment={"S": SECRET}, allow_loopback=development
    )


def webhook(url: str = "https://css.example/x", *secrets: str) -> list[dict[str, Any]]:
    return [{"kind": "webhook", "url": url, "secrets": list(secrets or ("env:S",))}]


def test_secrets_are_found_where_a_file_says_and_do_not_print(tmp_path: Path) -> None:
    directory = read(tmp_path, channels=webhook("https://css.example/x", "env:S", "file:secret"))
    (channel,) = directory.by_id["northbury-children"].channels
    assert [secret.reveal() for secret in channel.secrets] == [SECRET, SECRET]
    assert SECRET not in repr(directory)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"channels": webhook("https://css.example/x", SECRET)}, "does not stand in a file"),
        (
            {"channels": webhook("https://css.example/x", "env:NOT_SET")},
            "NOT_SET with its signing secret is not set",
        ),
        (
            {"channels": webhook("https://css.example/x", "file:gone")},
            "gone with its signing secret cannot be read",
        ),
        ({"channels": webhook("https://css.example/x", "env:S", "env:S", "env:S")}, "one secret, or two"),
        ({"channels": webhook("http://css.example/x")}, "not https"),
        ({"channels": webhook("https://127.0.0.1/x")}, "leads to this machine"),
        ({"channels": webhook("https://me:pass@css.example/x")}, "no name, password"),
        ({"channels": webhook("https://css.example:99999/x")}, "cannot be read"),
        ({"channels": [{"kind": "inbox", "url": "https://css.example"}]}, "no url and no secrets"),
        ({"channels": [{"kind": "pigeon"}]}, "channels"),
        ({"channels": []}, "channels"),
        ({"role": "astrologer"}, "role"),
        ({"id": "Northbury Children"}, "id"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_recipient_that_cannot_be_used_stops_the_start_with_a_sentence(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadSettings) as told:
        read(tmp_path, **changes)
    assert sentence in str(told.value)
    assert SECRET not in str(told.value)


def test_a_secret_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recipients").mkdir()
    (tmp_path / "recipients" / "weak").write_text("whsec_c2hvcnQ=")
    with pytest.raises(BadSettings, match="24 or more bytes"):
        read(tmp_path, channels=webhook("https://css.example/x", "file:weak"))


def test_in_development_a_webhook_may_go_to_this_machine_and_one_without_a_secret_is_left_out(
    tmp_path: Path,
) -> None:
    directory = read(tmp_path, development=True, channels=webhook("http://127.0.0.1:8099/x"))
    assert directory.by_id["northbury-children"].channels[0].url == "http://127.0.0.1:8099/x"
    both = [*webhook("https://css.example/x", "env:NOT_SET"), {"kind": "inbox"}]
    directory = read(tmp_path, development=True, channels=both)
    assert [channel.kind for channel in directory.by_id["northbury-children"].channels] == ["inbox"]
    with pytest.raises(BadSettings, match="NOT_SET"):
        read(tmp_path, development=True, channels=webhook("https://css.example/x", "env:NOT_SET"))
    with pytest.raises(BadSettings, match="not https"):
        read(tmp_path, development=True, channels=webhook("http://css.example/x"))


@pytest.mark.parametrize(
    ("text", "sentence"), [("a: [", "cannot be read"), ("", "the entry"), ("[]", "no recipient")]
)
def test_files_that_hold_no_recipients_stop_the_start(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "one.yaml").write_text(text)
    with pytest.raises(BadSettings, match=sentence):
        read_directory(tmp_path, load_areas(ROOT / "deploy" / "areas"), environment={})
    with pytest.raises(BadSettings, match="no folder"):
        read_directory(tmp_path / "gone", load_areas(ROOT / "deploy" / "areas"), environment={})


def test_a_lease_that_no_attempt_fits_into_stops_the_start() -> None:
    settings = Settings(database="postgresql://nowhere/x", kafka="nowhere:1", lease_s=10, attempt_s=10)
    with pytest.raises(BadSettings, match="WAYMARK_LEASE_S"):
        create_app(settings)


def test_a_fault_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    text = """recipients:
  - id: northbury-children
    role: childrens_services
    areas: [northbury]
    channels: [{kind: inbox}]
  - id: northbury-marac
    role: marac
    areas: [northbury]
    channels:
      - kind: inbox
      - kind: pigeon
  - id: northbury-idva
    role: idva
    areas: [northbury]
    colour: blue
    channels: [{kind: webhook, url: "http://idva.example/", secrets: ["env:S"]}]
"""
    (tmp_path / "some.yaml").write_text(text)
    (tmp_path / "broken.yaml").write_text("recipients:\n  - id: [\n")
    result = CliRunner().invoke(app, ["check", str(tmp_path), "--areas", str(ROOT / "deploy" / "areas")])
    assert result.exit_code == 1
    assert "broken.yaml, line 3: cannot be read" in result.stdout
    assert "some.yaml, line 11: channels.1.kind" in result.stdout
    assert "some.yaml, line 15: colour" in result.stdout


def test_two_who_answer_for_the_same_are_told_with_their_lines(tmp_path: Path) -> None:
    entry = "- {id: %s, role: marac, areas: [northbury], channels: [{kind: inbox}]}\n"
    (tmp_path / "one.yaml").write_text(entry % "a" + entry % "b")
    result = CliRunner().invoke(
        app, ["check", str(tmp_path), "--areas", str(ROOT / "deploy" / "areas"), "--json"]
    )
    faults = json.loads(result.stdout)["faults"]
    assert any(
        fault.startswith("one.yaml, line") and "Two recipients answer for marac" in fault for fault in faults
    )


def test_the_files_of_this_repository_are_without_a_fault() -> None:
    asked = ["check", str(ROOT / "deploy" / "recipients"), "--areas", str(ROOT / "deploy" / "areas")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output


def test_a_topic_is_read_by_its_recipient_and_written_by_delivery_alone() -> None:
    topics = [a_recipient(name, channels=(Channel("topic"),)) for name in ("north", "north-2", "south")]
    rules = rules_for([*topics, a_recipient("inbox-only", channels=(Channel("inbox"),))])
    for one in topics:
        name = routed_topic(one.id)
        may = {
            (rule.user, operation)
            for rule in rules
            if rule.resource == "topic"
            and (rule.name == name or (rule.prefixed and name.startswith(rule.name)))
            for operation in rule.operations
        }
        assert {user for user, operation in may if operation == "Read"} == {one.id}
        assert {user for user, operation in may if operation == "Write"} == {"waymark-delivery"}
        groups = [
            rule.user
            for rule in rules
            if rule.resource == "group"
            and (rule.name == one.id or (rule.prefixed and one.id.startswith(rule.name)))
        ]
        assert groups == [one.id]
    assert not [rule for rule in rules if rule.user == "inbox-only"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, ()),
        ({"name": "Other"}, ("name",)),
        ({"role": "marac"}, ("role",)),
        ({"channels": [{"kind": "webhook", "url": "https://b/", "secrets": ["1"]}]}, ("address",)),
        ({"channels": [{"kind": "webhook", "url": "https://a/", "secrets": ["2"]}]}, ("secret",)),
        (
            {"channels": [{"kind": "webhook", "url": "https://a/", "secrets": ["1"], "hours": "office"}]},
            ("channels",),
        ),
        ({"second_contact": {"email": "a@b.example"}}, ("second_contact",)),
        ({"hours": "always", "escalate_to": ["x"]}, ("escalate_to", "hours")),
    ],
)
def test_all_but_the_name_and_the_hours_takes_two_people(
    changes: dict[str, Any], what: tuple[str, ...]
) -> None:
    before = {
        "id": "x", "role": "idva", "channels": [{"kind": "webhook", "url": "https://a/", "secrets": ["1"]}],
    }  # fmt: skip
    assert differences(before, {**before, **changes}) == what
    assert takes_two(what) == bool(set(what) - {"name", "hours"})
    assert takes_two(differences(None, before))
