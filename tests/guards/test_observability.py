"""Alerts, runbook and dashboards: each query names what exists, each alert has its entry and its test."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from deploy.dashboards.panels import FOLDER, written

ROOT: Final = Path(__file__).resolve().parents[2]
ALERTS: Final = ROOT / "deploy" / "prometheus" / "alerts.yml"
PARTS: Final = (
    *(f"services.{name}.main" for name in ("intake", "enrichment", "triage", "delivery", "console")),
    "waymark.watched",
)
BY_PROMETHEUS: Final = {"up": {"job", "instance"}}
ALWAYS: Final = {"le", "job", "instance"}


@lru_cache
def metrics() -> dict[str, set[str]]:
    """Every series that a service or the conservation check exports, with its labels."""
    for part in PARTS:
        importlib.import_module(part)
    found: dict[str, set[str]] = {name: set(labels) for name, labels in BY_PROMETHEUS.items()}
    for collector in set(REGISTRY._collector_to_names):
        labels = set(collector._labelnames) if isinstance(collector, MetricWrapperBase) else set()
        for name in REGISTRY._collector_to_names[collector]:
            found[name] = labels | ALWAYS
    return found


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def queries() -> Iterator[tuple[str, str]]:
    for alert in alerts():
        yield alert["alert"], alert["expr"]
    for name, text in written().items():
        for panel in json.loads(text)["panels"]:
            for target in panel.get("targets", ()):
                yield f"{name}: {panel['title']}", target["expr"]


def missing_in(query: str) -> list[str]:
    """What a query names that nobody exports: metrics, and labels that no metric of it has."""
    parsed = promql_parser.parse(query.replace("$__rate_interval", "5m"))
    selectors = list(selectors_of(parsed))
    wrong = [selector.name for selector in selectors if selector.name not in metrics()]
    for selector in selectors:
        labels = metrics().get(selector.name, set())
        wrong += [one.name for one in selector.matchers.matchers if one.name not in labels]
    labels = set[str]().union(*(metrics().get(selector.name, set()) for selector in selectors))
    return wrong + [label for label in grouped_by(parsed) if label not in labels]


def parts_of(expression: Any) -> Iterator[Any]:
    """The expression and all within it."""
    yield expression
    within = [getattr(expression, name, None) for name in ("expr", "lhs", "rhs", "vector_selector")]
    for part in (*within, *(getattr(expression, "args", None) or ())):
        if part is not None:
            yield from parts_of(part)


def selectors_of(expression: Any) -> Iterator[Any]:
    return (one for one in parts_of(expression) if isinstance(one, promql_parser.VectorSelector))


def grouped_by(expression: Any) -> Iterator[str]:
    for one in parts_of(expression):
        if isinstance(one, promql_parser.AggregateExpr) and one.modifier is not None:
            yield from one.modifier.labels


@pytest.mark.parametrize(("where", "query"), [pytest.param(*one, id=one[0]) for one in queries()])
def test_every_query_names_metrics_and_labels_that_exist(where: str, query: str) -> None:
    assert missing_in(query) == []


@pytest.mark.parametrize(
    "query",
    [
        "max(waymark_deadlines_late) > 0",
        'sum(rate(waymark_events_total{stage="triage"}[5m]))',
        "sum by (recipient_name) (waymark_waiting_cases)",
    ],
)
def test_a_query_of_something_that_nobody_exports_is_noticed(query: str) -> None:
    assert missing_in(query) != []


def test_every_alert_has_its_entry_in_the_runbook_and_every_entry_its_alert() -> None:
    entries = re.findall(r"^## (\w+)$", (ROOT / "deploy" / "runbook.md").read_text(), re.M)
    assert entries == list(dict.fromkeys(entries))
    assert set(entries) == {alert["alert"] for alert in alerts()}
    for alert in alerts():
        assert alert["annotations"]["runbook"] == f"deploy/runbook.md#{alert['alert'].lower()}"
        assert alert["labels"]["severity"] in ("page", "ticket")


def test_every_alert_is_shown_firing_and_not_firing() -> None:
    shown: dict[bool, set[str]] = {True: set(), False: set()}
    for one in yaml.safe_load(ALERTS.with_name("alerts.test.yml").read_text())["tests"]:
        for expected in one["alert_rule_test"]:
            shown[bool(expected["exp_alerts"])].add(expected["alertname"])
    assert shown[True] == shown[False] == {alert["alert"] for alert in alerts()}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus")
@pytest.mark.parametrize(
    "check",
    [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts.test.yml"],
        ["check", "config", "--syntax-only", "prometheus.yml"],
    ],
    ids=lambda check: " ".join(check[:2]),
)
def test_prometheus_own_tool_agrees(check: list[str]) -> None:
    done = subprocess.run(["promtool", *check], cwd=ALERTS.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboards_are_those_of_the_code() -> None:
    kept = {file.name: file.read_text() for file in FOLDER.glob("*.json")}
    assert kept == written(), "run `python -m deploy.dashboards`"
