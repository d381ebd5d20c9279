"""Which protocol decides: chosen by area and date, published by four eyes, never a bad one for a good one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from services.triage.live import LiveProtocols
from services.triage.protocols import Library
from shared.areas import Area, Areas
from shared.contracts.area import ProtocolChange, ProtocolChoice
from tests.protocols.test_checking import CASES
from tests.protocols.test_files import HEAD, rule
from tests.unit.triage.builders import AREAS, LIBRARY, LONDON, NORTHBURY, SAFEGUARDS, history, incident

TRIAL = HEAD + rule("when: {strangulation: true}", "at_least: {child_level: 4}")
TRIAL_CASES = (
    CASES.replace("child_level: 3", "child_level: 4")
    + """\
  - name: not strangled
    why: Tried.
    expect: {child_level: 1, not_reasons: [one]}
"""
)
AS_OF = datetime(2026, 11, 20, 10, tzinfo=UTC)


def northbury(**choice: Any) -> Area:
    chosen = ProtocolChoice(**{"live": "london-dvrim/1", **choice})
    return Area(NORTHBURY.rules.model_copy(update={"protocol": chosen}), NORTHBURY.terms)


def live(area: Area, folder: Path | None = None, library: Library = LIBRARY) -> LiveProtocols:
    return LiveProtocols(library, Areas({"northbury": area}, AREAS.stand_in), folder)


def publish(folder: Path, text: str = TRIAL, cases: str | None = TRIAL_CASES, name: str = "trial.v1") -> None:
    (folder / f"{name}.yaml").write_text(text)
    if cases is not None:
        (folder / f"{name}.cases.yaml").write_text(cases)


def decided(protocols: LiveProtocols, area: Area, **changes: Any) -> dict[str, Any]:
    return dict(protocols.decide(area, incident(**changes), history(), AS_OF, None, ()))


def test_an_area_changes_its_protocol_on_a_day() -> None:
    area = northbury(
        then=[
            ProtocolChange(live="torbay/1", since=date(2027, 1, 1)),
            ProtocolChange(live="coventry/1", since=date(2026, 12, 1)),
        ]
    )
    protocols = live(area)
    chosen = [
        protocols.chosen(area, datetime(year, month, day, 12, tzinfo=UTC))
        for year, month, day in ((2026, 11, 30), (2026, 12, 1), (2026, 12, 31), (2027, 1, 1))
    ]
    assert [one.id for one in chosen if one] == ["london-dvrim", "coventry", "coventry", "torbay"]


def test_what_is_in_force_says_since_when_what_comes_next_and_what_it_stands_in_for() -> None:
    area = northbury(
        then=[
            ProtocolChange(live="torbay/1", since=date(2027, 1, 1)),
            ProtocolChange(live="coventry/1", since=date(2026, 12, 1)),
        ]
    )
    (before,) = live(area).in_force(AS_OF)
    assert (before["protocol"], before["since"]) == ("london-dvrim/1", "2026-01-01")
    assert [one["from"] for one in before["next"]] == ["2026-12-01", "2027-01-01"]
    (then,) = live(area).in_force(datetime(2026, 12, 5, tzinfo=UTC))
    assert (then["protocol"], then["since"], then["instead_of"]) == ("coventry/1", "2026-12-01", None)
    (unknown,) = live(northbury(live="nowhere/1")).in_force(AS_OF)
    assert (unknown["protocol"], unknown["instead_of"]) == ("london-dvrim/1", "nowhere/1")


def test_an_unknown_protocol_is_decided_by_the_default_safe_one_and_marked() -> None:
    area = northbury(live="nowhere/1")
    receipt = decided(live(area), area)
    assert receipt["protocol"] == {"id": "london-dvrim", "version": 1}
    assert "protocol_unknown" in receipt["degraded"]
    assert "degraded" not in decided(live(northbury()), northbury())


def test_what_is_kept_to_compare_with_never_decides() -> None:
    area = northbury(live="north-2007/1")
    receipt = decided(live(area), area)
    assert receipt["protocol"]["id"] == "london-dvrim"
    assert "protocol_unknown" in receipt["degraded"]


def test_a_boards_own_version_decides_once_two_of_two_agencies_approved_it(
    tmp_path: Path,
) -> None:
    publish(tmp_path)
    area = northbury(live="trial/1")
    protocols = live(area, tmp_path)
    assert protocols.look_again() == []
    assert decided(protocols, area)["protocol"]["id"] == "london-dvrim"
    protocols.approved = frozenset({("trial/1", "sha256:of-something-else")})
    assert protocols.chosen(area, AS_OF) is None
    protocols.approved = frozenset({("trial/1", protocols.drafts["trial/1"].digest)})
    assert decided(protocols, area)["protocol"]["id"] == "trial"


def test_a_bad_file_never_takes_the_place_of_a_good_one(tmp_path: Path) -> None:
    publish(tmp_path)
    area = northbury(live="trial/1")
    protocols = live(area, tmp_path)
    protocols.look_again()
    protocols.approved = frozenset({("trial/1", protocols.drafts["trial/1"].digest)})
    for text, cases, says in (
        (TRIAL.replace("strangulation: true", "strangulation: false"), TRIAL_CASES, "may only raise"),
        (TRIAL.replace("at_least: {child_level: 4}", "at_least: {child_levle: 4}"), TRIAL_CASES, "child_levle"),
        (TRIAL.replace("at_least: {child_level: 4}", "at_least: {child_level: 3}"), TRIAL_CASES, "is 3, not 4"),
        (TRIAL.replace("Said for the trial.", "Said again."), TRIAL_CASES, "make a new version"),
        ("a: &a [x]\nb: *a\n", TRIAL_CASES, "anchors"),
    ):
        publish(tmp_path, text, cases)
        (refused,) = protocols.look_again()
        assert says in refused
        assert decided(protocols, area)["protocol"]["id"] == "trial"
        assert protocols.look_again() == []  # told once, not every five seconds


def test_a_bad_file_at_the_start_is_refused_and_the_rest_runs(tmp_path: Path) -> None:
    publish(tmp_path, "id: [")
    publish(
        tmp_path, TRIAL.replace("id: trial", "id: other"), TRIAL_CASES.replace("trial/1", "other/1"), "other.v1"
    )
    protocols = live(northbury(), tmp_path)
    (refused,) = protocols.look_again()
    assert refused.startswith("trial.v1.yaml, line")
    assert list(protocols.drafts) == ["other/1"]


def test_a_shadow_decides_nothing_and_its_differences_are_counted() -> None:
    area = northbury(shadow="torbay/1")
    protocols = live(area)
    for changes in ({}, {"incident__strangulation": True}, {"children__0__presence": "heard"}):
        with_shadow = decided(protocols, area, **changes)
        without = decided(live(northbury()), northbury(), **changes)
        assert with_shadow["result"] == without["result"]
    counted = {how: n for (_, _, shadow, how), n in protocols.counts.items() if shadow == "torbay/1"}
    assert sum(counted.values()) == 3
    assert counted["lower"] >= 1


def test_a_rule_that_errors_is_unknown_and_never_no() -> None:
    def fails(facts: Any) -> int:
        raise RuntimeError("broken")

    threat = next(one for one in LONDON.case_rules if one.ref.endswith("#threats-to-kill"))
    rules = tuple(replace(one, holds=fails) if one is threat else one for one in LONDON.case_rules)
    library = Library({"london-dvrim/1": replace(LONDON, case_rules=rules)}, SAFEGUARDS)
    receipt = decided(live(northbury(), library=library), northbury())
    assert receipt["failed_rules"] == ["london-dvrim/1#threats-to-kill"]
    assert "rule_failed" in receipt["degraded"]
    assert receipt["possible"]["child_level"] == 4
    assert receipt["result"]["child_level"] < 4
    assert "rule_failed" in receipt["review"]["because"]
    assert receipt["review"]["needed"]
