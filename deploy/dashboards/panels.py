"""What each dashboard shows. Every query names a metric that exists: a test holds that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef

FOLDER: Final = Path(__file__).with_name("grafana")
_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
_RATE: Final = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture: queries with what each line is called, and the unit in Grafana's words.

    `figure`: one number instead of lines over time. `wide`: in twenty-fourths of the page.
    """

    title: str
    tells: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    figure: bool = False
    wide: int = 12


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard: rows of charts, each under a title."""

    uid: str
    title: str
    tells: str
    rows: tuple[tuple[str, tuple[Chart, ...]], ...]


def _quantile(of: float, metric: str, where: str = "", by: str = "service") -> str:
    return f"histogram_quantile({of}, sum by (le, {by}) (rate({metric}_bucket{{{where}}}[{_RATE}])))"


_POSTS: Final = 'service="intake", method="POST"'

FLOW: Final = Board(
    "waymark-flow",
    "Waymark: how it flows",
    "Traffic, delay, errors and load of every stage, and whether all is accounted for.",
    (
        (
            "Now",
            (
                Chart(
                    "Minutes to the nearest deadline",
                    "Negative: passed.",
                    (("min(waymark_minutes_to_breach)", ""),),
                    "m",
                    True,
                    6,
                ),
                Chart(
                    "Deadlines passed unmet",
                    "Cases.",
                    (("max(waymark_deadlines_overdue)", ""),),
                    figure=True,
                    wide=6,
                ),
                Chart(
                    "Dead letters",
                    "Events that wait for a person.",
                    (("max(waymark_dead_letters_waiting)", ""),),
                    figure=True,
                    wide=6,
                ),
                Chart(
                    "Unaccounted",
                    "Accepted revisions in no named state.",
                    (("max(waymark_revisions_unaccounted)", ""),),
                    figure=True,
                    wide=6,
                ),
            ),
        ),
        (
            "Intake",
            (
                Chart(
                    "Posts answered",
                    "By status.",
                    (
                        (
                            "sum by (status) (rate(waymark_http_request_duration_seconds_count"
                            f"{{{_POSTS}}}[{_RATE}]))",
                            "{{status}}",
                        ),
                    ),
                    "reqps",
                ),
                Chart(
                    "How long a post takes",
                    "p50 and p99 of the answer.",
                    (
                        (
                            _quantile(0.5, "waymark_http_request_duration_seconds", _POSTS, "route"),
                            "p50 {{route}}",
                        ),
                        (
                            _quantile(0.99, "waymark_http_request_duration_seconds", _POSTS, "route"),
                            "p99 {{route}}",
                        ),
                    ),
                    "s",
                ),
                Chart(
                    "Submissions by what they were",
                    "Accepted, amended, repeated, withdrawn.",
                    ((f"sum by (status) (rate(waymark_submissions_total[{_RATE}]))", "{{status}}"),),
                    "ops",
                ),
            ),
        ),
        (
            "Stages",
            (
                Chart(
                    "Events dealt with",
                    "Traffic per stage.",
                    ((f"sum by (service) (rate(waymark_events_total[{_RATE}]))", "{{service}}"),),
                    "ops",
                ),
                Chart(
                    "Failures and dead letters",
                    "Errors per stage.",
                    (
                        (
                            "sum by (service, outcome) (rate(waymark_events_total"
                            f'{{outcome=~"failed|dead_lettered|waited"}}[{_RATE}]))',
                            "{{service}} {{outcome}}",
                        ),
                    ),
                    "ops",
                ),
                Chart(
                    "Age of an event when work on it starts",
                    "p50 and p99 of the wait.",
                    (
                        (_quantile(0.5, "waymark_event_age_seconds"), "p50 {{service}}"),
                        (_quantile(0.99, "waymark_event_age_seconds"), "p99 {{service}}"),
                    ),
                    "s",
                ),
                Chart(
                    "Work on a batch",
                    "p50 and p99.",
                    (
                        (_quantile(0.5, "waymark_process_duration_seconds"), "p50 {{service}}"),
                        (_quantile(0.99, "waymark_process_duration_seconds"), "p99 {{service}}"),
                    ),
                    "s",
                ),
                Chart(
                    "Events that wait on topics",
                    "Lag per service and topic.",
                    (("sum by (service, topic) (waymark_consumer_lag_events)", "{{service}} {{topic}}"),),
                ),
                Chart(
                    "The first case in each queue",
                    "How long it has waited.",
                    (("max by (service) (waymark_oldest_waiting_seconds)", "{{service}}"),),
                    "s",
                ),
                Chart(
                    "Processor",
                    "Cores in use per service.",
                    ((f'rate(process_cpu_seconds_total{{job="waymark"}}[{_RATE}])', "{{instance}}"),),
                ),
                Chart(
                    "Memory",
                    "Resident.",
                    (('process_resident_memory_bytes{job="waymark"}', "{{instance}}"),),
                    "bytes",
                ),
            ),
        ),
        (
            "Nothing is lost",
            (
                Chart(
                    "Accepted revisions by what became of them",
                    "From the conservation check.",
                    (("max by (state) (waymark_revisions)", "{{state}}"),),
                ),
                Chart(
                    "Stored and not yet published",
                    "Rises while the broker is away.",
                    (("max by (service) (waymark_outbox_unsent_events)", "{{service}}"),),
                ),
                Chart(
                    "Done without a part",
                    "1 while a part is away.",
                    (("max by (service, part) (waymark_degraded)", "{{service}} {{part}}"),),
                ),
            ),
        ),
    ),
)

DELIVERY: Final = Board(
    "waymark-delivery",
    "Waymark: deadlines and delivery",
    "Whether cases reach their services in time.",
    (
        (
            "Deadlines",
            (
                Chart(
                    "Open deadlines, and passed ones",
                    "Cases.",
                    (("max(waymark_deadlines_open)", "open"), ("max(waymark_deadlines_overdue)", "passed")),
                ),
                Chart(
                    "Breaches",
                    "Deadlines missed in an hour, per service.",
                    (("sum by (service) (increase(waymark_delivery_breaches_total[1h]))", "{{service}}"),),
                ),
            ),
        ),
        (
            "Sending",
            (
                Chart(
                    "Attempts by outcome",
                    "received: 2xx; later: tried again.",
                    ((f"sum by (outcome) (rate(waymark_delivery_attempts_total[{_RATE}]))", "{{outcome}}"),),
                    "ops",
                ),
                Chart(
                    "Waiting in memory and under way",
                    "Deliveries.",
                    (
                        ("sum(waymark_delivery_queued)", "waiting"),
                        ("sum(waymark_delivery_under_way)", "under way"),
                    ),
                ),
                Chart(
                    "Received",
                    "Deliveries received, by whether the deadline was met.",
                    (
                        (
                            f"sum by (deadline) (rate(waymark_delivery_received_total[{_RATE}]))",
                            "{{deadline}}",
                        ),
                    ),
                    "ops",
                ),
                Chart(
                    "Left to a person",
                    "In an hour, per service and why.",
                    (
                        (
                            "sum by (service, because) (increase(waymark_delivery_held_total[1h]))",
                            "{{service}} {{because}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)

DECISIONS: Final = Board(
    "waymark-decisions",
    "Waymark: decisions",
    "What the joint filter decides, asks and leaves to people.",
    (
        (
            "Decisions",
            (
                Chart(
                    "By children's services' response",
                    "Versions decided in an hour.",
                    (
                        (
                            "sum by (css_response) (increase(waymark_triage_decisions_total[1h]))",
                            "{{css_response}}",
                        ),
                    ),
                ),
                Chart(
                    "By child's level",
                    "Versions decided in an hour.",
                    (
                        (
                            "sum by (child_level) (increase(waymark_triage_decisions_total[1h]))",
                            "{{child_level}}",
                        ),
                    ),
                ),
                Chart(
                    "By protocol",
                    "Versions decided in an hour.",
                    (("sum by (protocol) (increase(waymark_triage_decisions_total[1h]))", "{{protocol}}"),),
                ),
                Chart(
                    "Left to a person, and why",
                    "In an hour.",
                    (("sum by (because) (increase(waymark_triage_reviews_total[1h]))", "{{because}}"),),
                ),
                Chart(
                    "Questions left open",
                    "In an hour, by the fact asked for.",
                    (("sum by (fact) (increase(waymark_triage_questions_total[1h]))", "{{fact}}"),),
                ),
                Chart(
                    "In doubt, and without history",
                    "Decisions in an hour that a likely link would change; cases without their history.",
                    (
                        ("sum(increase(waymark_triage_doubts_total[1h]))", "in doubt"),
                        ("max(waymark_cases_without_history)", "without history"),
                    ),
                ),
            ),
        ),
    ),
)

BOARDS: Final = (FLOW, DELIVERY, DECISIONS)


def _panel(chart: Chart) -> stat.Panel | timeseries.Panel:
    panel: stat.Panel | timeseries.Panel
    if chart.figure:
        panel = stat.Panel().reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
    else:
        legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        panel = timeseries.Panel().legend(legend.show_legend(True)).min(0)
    panel.title(chart.title).description(chart.tells).unit(chart.unit).datasource(_SOURCE)
    panel.span(chart.wide).height(4 if chart.figure else 8)
    for number, (query, called) in enumerate(chart.queries):
        panel.with_target(
            prometheus.Dataquery().expr(query).legend_format(called).ref_id(chr(ord("A") + number))
        )
    return panel


def _dashboard(board: Board) -> str:
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.tells)
        .tags(["waymark"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .readonly()
    )
    for title, charts in board.rows:
        built.with_row(dashboard.Row(title))
        for chart in charts:
            built.with_panel(_panel(chart))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def written() -> dict[str, str]:
    """Per file name the dashboard's JSON."""
    return {f"{board.uid}.json": _dashboard(board) for board in BOARDS}


def write(folder: Path = FOLDER) -> None:
    """Write all, and remove what is no dashboard any more."""
    files = written()
    for old in folder.glob("*.json"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text)
