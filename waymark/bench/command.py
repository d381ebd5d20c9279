"""The commands under `waymark bench`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from deploy.local import default_data_dir
from shared.errors import BadSettings
from waymark import terminal
from waymark.bench import intake as intake_bench
from waymark.bench import linkage as linkage_bench
from waymark.bench import linkage_quality
from waymark.bench import register as register_bench
from waymark.bench import triage as triage_bench
from waymark.bench.pipeline import Options, bench_pipeline
from waymark.terminal import DataOption, JsonOption

app = typer.Typer(no_args_is_help=True, help="Measure, with the baselines in the same run; prints JSON.")


@app.callback()
def bench() -> None:
    """Measure, with the baselines in the same run; prints JSON."""


@app.command()
def pipeline(
    seconds: Annotated[float, typer.Option(min=1, help="How long each rate is held.")] = 10,
    repeats: Annotated[int, typer.Option(min=1, help="How often 100 a second is measured.")] = 5,
    rising: Annotated[str, typer.Option(help="The rates to climb, until one is not kept up.")] = (
        "150,200,250,300,350,400,450,500,600"
    ),
    baselines: Annotated[bool, typer.Option(help="Measure the baselines too.")] = True,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """From the POST to the first delivery attempt: latency at 20 and 100 a second, then how far it goes.

    Takes about six minutes on two cores. Example: waymark bench pipeline --json > pipeline.json
    """
    place = data or _fresh_place()
    options = Options(
        place,
        seconds=seconds,
        repeats=repeats,
        baselines=baselines,
        rising=[float(rate) for rate in rising.split(",") if rate],
    )
    try:
        document = asyncio.run(
            bench_pipeline(options, lambda line: terminal.errors.print(f"[dim]{line}[/]", soft_wrap=True))
        )
    finally:
        if data is None:
            shutil.rmtree(place, ignore_errors=True)
    if as_json:
        terminal.print_json(document)
    else:
        _show(document)
    if document["unaccounted"]:
        raise typer.Exit(1)


@app.command()
def intake(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured, in turns.")] = 5,
    singles: Annotated[int, typer.Option(min=100, help="Single posts in a round.")] = 2000,
    batches: Annotated[int, typer.Option(min=1, help="Batches of 1,000 lines in a round.")] = 3,
    connections: Annotated[int, typer.Option(min=1, max=200, help="Kept-alive connections.")] = 32,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """What accepting costs, single posts and batches, beside a bare FastAPI endpoint in the same run.

    Takes about two minutes on two cores. Example: waymark bench intake --json > intake.json
    """
    place = data or _fresh_place()
    options = intake_bench.Options(
        place, rounds=rounds, singles=singles, batches=batches, connections=connections
    )
    try:
        document = asyncio.run(
            intake_bench.bench_intake(
                options, lambda line: terminal.errors.print(f"[dim]{line}[/]", soft_wrap=True)
            )
        )
    finally:
        if data is None:
            shutil.rmtree(place, ignore_errors=True)
    if as_json:
        terminal.print_json(document)
        return
    cpu, per_s, half = document["cpu_ms"], document["per_s"], document["accept_ms"]["half_the_highest_rate"]
    table = Table(title="At the highest rate", title_justify="left")
    for column in ("", "CPU ms of its process", "of the database", "a second"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("a bare endpoint that answers 202", f"{cpu['bare']:.3f}", "", f"{per_s['bare']}")
    for name, told, rate in (
        ("single", "intake, a single post", "single"),
        ("batch_line", "intake, a line of a batch of 1,000", "batch_lines"),
    ):
        table.add_row(told, f"{cpu[name]['intake']:.3f}", f"{cpu[name]['database']:.3f}", f"{per_s[rate]}")
    terminal.out.print(table)
    terminal.out.print(
        f"accept at {half['rate']} a second: p50 {half['p50']}, p99 {half['p99']}, p99.9 {half['p99.9']} ms"
    )
    for name, ratio in document["ratios"].items():
        terminal.out.print(f"{name.replace('_', ' ')}: {ratio}")


@app.command()
def delivery(
    recipients: Annotated[int, typer.Option(min=20, max=2000, help="How many there are.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured, in turns.")] = 5,
    per_s: Annotated[float, typer.Option(min=1, help="Webhooks asked for a second.")] = 100,
    seconds: Annotated[float, typer.Option(min=2, help="How long that is held.")] = 8,
    backlog: Annotated[int, typer.Option(min=1000, help="Bulk deliveries that wait.")] = 100_000,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the sick cost the healthy, what a backlog costs an urgent case, webhooks beside a bare httpx loop.

    Takes about three minutes on two cores. Example: waymark bench delivery --json > delivery.json
    """
    from waymark.bench import delivery as delivery_bench

    place = data or _fresh_place()
    options = delivery_bench.Options(
        place, recipients=recipients, rounds=rounds, per_s=per_s, seconds=seconds, backlog=backlog
    )
    try:
        document = asyncio.run(
            delivery_bench.bench_delivery(
                options, lambda line: terminal.errors.print(f"[dim]{line}[/]", soft_wrap=True)
            )
        )
    finally:
        if data is None:
            shutil.rmtree(place, ignore_errors=True)
    if as_json:
        terminal.print_json(document)
        return
    first, urgent, sustained = document["first_attempt_ms"], document["urgent_ms"], document["sustained"]
    for name, told in (("all_well", "all well"), ("with_the_sick", "with the sick")):
        terminal.out.print(f"first attempt, {told}: p50 {first[name]['p50']}, p99 {first[name]['p99']} ms")
    terminal.out.print(
        f"urgent: idle p50 {urgent['idle']['p50']}, over {urgent['waiting']:,} waiting p50"
        f" {urgent['backlog']['p50']} ms, {urgent['more']['p50']} ms more"
    )
    terminal.out.print(
        f"webhooks: {sustained['per_s']} a second; a bare httpx loop {sustained['bare_httpx_per_s']}"
    )
    for name, ratio in document["ratios"].items():
        terminal.out.print(f"{name.replace('_', ' ')}: {ratio} (goal: {document['goals'][name]})")


@app.command()
def pages(
    cases: Annotated[int, typer.Option(min=1000, help="Cases in the database.")] = 100_000,
    waiting: Annotated[int, typer.Option(min=0, help="Of them on the screening board.")] = 5000,
    rounds: Annotated[int, typer.Option(min=5, help="How often each page is asked for.")] = 30,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """How long each page of the console takes with very many cases, and what it weighs. Exit 1 beyond a goal.

    Takes about four minutes on two cores. Example: waymark bench pages --json > pages.json
    """
    from waymark.bench import pages as pages_bench

    place = data or _fresh_place()
    options = pages_bench.Options(place, cases=cases, waiting=waiting, rounds=rounds)
    try:
        document = asyncio.run(
            pages_bench.bench_pages(
                options, lambda line: terminal.errors.print(f"[dim]{line}[/]", soft_wrap=True)
            )
        )
    finally:
        if data is None:
            shutil.rmtree(place, ignore_errors=True)
    if as_json:
        terminal.print_json(document)
    else:
        table = Table(
            title=f"{document['cases']:,} cases, {document['waiting']:,} on the board", title_justify="left"
        )
        for column in ("page", "p50 ms", "p95 ms", "kB"):
            table.add_column(column, justify="left" if column == "page" else "right")
        for name, one in document["pages"].items():
            table.add_row(name, f"{one['p50_ms']}", f"{one['p95_ms']}", f"{one['kb']}")
        terminal.out.print(table)
    for one in document["failed"]:
        terminal.errors.print(f"did not answer: {one}", soft_wrap=True)
    if document["over_p95"] or document["over_weight"] or document["failed"]:
        raise typer.Exit(1)


@app.command()
def overhead(
    rounds: Annotated[int, typer.Option(min=1, help="How often each way is measured, in turns.")] = 2,
    rate: Annotated[float, typer.Option(min=50, help="Posts a second: more than can be taken.")] = 400,
    seconds: Annotated[float, typer.Option(min=2, help="How long that is held.")] = 6,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """What tracing and the time ledger cost of the highest rate, with and without in turns. Exit 1 above 15 %.

    Takes about three minutes on two cores. Example: waymark bench overhead --json > overhead.json
    """
    from waymark.bench import overhead as overhead_bench

    place = data or _fresh_place()
    options = overhead_bench.Options(place, rounds=rounds, rate=rate, seconds=seconds)
    try:
        document = asyncio.run(
            overhead_bench.bench_overhead(
                options, lambda line: terminal.errors.print(f"[dim]{line}[/]", soft_wrap=True)
            )
        )
    finally:
        if data is None:
            shutil.rmtree(place, ignore_errors=True)
    if as_json:
        terminal.print_json(document)
    else:
        for way, highest in document["highest_per_s"].items():
            cpu = document["cpu_ms_per_incident"][way]
            terminal.out.print(f"{way} tracing and ledger: {highest} a second, {cpu} ms of CPU per incident")
        for name, ratio in document["ratios"].items():
            terminal.out.print(f"{name.replace('_', ' ')}: {ratio:.1%}")
    if document["ratios"]["rate_lost"] > document["goals"]["rate_lost"]:
        raise typer.Exit(1)


@app.command()
def triage(
    incidents: Annotated[int, typer.Option(min=1, help="How many simulated incidents.")] = 251,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured, in turns.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """What deciding costs per protocol and under all at once, beside CEL on the same conditions.

    Takes about a minute. Example: waymark bench triage --json > triage.json
    """
    options = triage_bench.Options(incidents=incidents, rounds=rounds)
    document = triage_bench.bench_triage(
        options, lambda line: terminal.errors.print(f"[dim]{line}[/]", soft_wrap=True)
    )
    if as_json:
        terminal.print_json(document)
    else:
        table = Table(title="Microseconds a decision", title_justify="left")
        for column in ("protocol", "decided", "with its receipt"):
            table.add_column(column, justify="left" if column == "protocol" else "right")
        took = document["us"]
        for ref, each in took["decision"].items():
            table.add_row(ref, f"{each:.0f}", f"{took['receipt'][ref]:.0f}")
        table.add_row(f"all {document['protocols']} at once", f"{took['all_at_once']:.0f}", "")
        table.add_row("of that, the facts", f"{took['facts']:.0f}", "")
        terminal.out.print(table)
        passes, ratios = document["truth_pass_us"], document["ratios"]
        terminal.out.print(
            f"{document['rules']} rules tried: ours {passes['ours']:.0f} µs; CEL, which is given each case's "
            f"facts, {passes['cel_with_context']:.0f} µs ({ratios['cel_with_context_to_ours']} times); on "
            f"facts it has already {passes['cel']:.0f} µs ({ratios['cel_to_ours']} times). "
            f"Disagreements: {document['disagreements']}"
        )
    if document["disagreements"]:
        raise typer.Exit(1)


@app.command()
def linkage(
    sizes: Annotated[str, typer.Option(help="People on file, one size after another.")] = (
        "10000,100000,1000000"
    ),
    incidents: Annotated[int, typer.Option(min=20, help="Incidents of four people looked up in each.")] = 500,
    scale: Annotated[bool, typer.Option(help="Load the sizes and measure the time.")] = True,
    quality: Annotated[bool, typer.Option(help="Measure how well people are told apart.")] = True,
    splink: Annotated[bool, typer.Option(help="Measure Splink beside, on the same pairs.")] = True,
    register: Annotated[bool, typer.Option(help="Hold the register itself against a simulated month.")] = True,
    families: Annotated[int, typer.Option(min=100, help="Simulated incidents behind the register.")] = 4000,
    each: Annotated[int, typer.Option(min=10, help="Queries of each kind of error and look-alike.")] = 500,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """How fast people are found among many, and how well told apart, beside Splink on febrl4.

    With --data a register that was loaded there is used again. Takes about ten minutes on two cores, most of
    it for loading a million people; needs the train extra. Exit 1 where a twin or a sibling was taken as the
    same. Example: waymark bench linkage --json > linkage.json
    """
    if not all(size.isdigit() and int(size) >= 10_000 for size in sizes.split(",")):
        raise typer.BadParameter("give numbers from 10000 up, with commas", param_hint="--sizes")

    def say(line: str) -> None:
        terminal.errors.print(f"[dim]{line}[/]", soft_wrap=True)

    document: dict[str, Any] = {}
    place = data or _fresh_place()
    try:
        if scale:
            options = linkage_bench.Options(place, [int(size) for size in sizes.split(",")], incidents)
            document |= asyncio.run(linkage_bench.bench_scale(options, say))
        if register:
            aside = place / "register"
            document["register"] = asyncio.run(register_bench.bench_register(aside, say, incidents=families))
        if quality:
            document |= linkage_quality.measure_linkage_quality(
                splink=splink, families=families, each=each, say=say
            )
    except (BadSettings, ModuleNotFoundError) as missing:
        terminal.errors.print(f"The train extra is needed: make train ({missing})", soft_wrap=True)
        raise typer.Exit(2) from None
    finally:
        if data is None:
            shutil.rmtree(place, ignore_errors=True)
    if as_json:
        terminal.print_json(document)
    else:
        for table in linkage_bench.tables(document) if scale else ():
            terminal.out.print(table)
        for table in register_bench.tables(document["register"]) if register else ():
            terminal.out.print(table)
        for table in linkage_quality.tables(document) if quality else ():
            terminal.out.print(table)
    if document.get("twins_and_siblings_taken_as_same"):
        raise typer.Exit(1)


def _fresh_place() -> Path:
    home = default_data_dir("bench")
    home.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=home))


def _show(document: dict[str, Any]) -> None:
    table = Table(title="Per rate, in milliseconds", title_justify="left")
    for column in ("a second", "accept p50", "p99", "first attempt p50", "p99", "p99.9", "kept up"):
        table.add_column(column, justify="right")
    kept = {f"{run['rate']:g}": run["kept_up"] for run in document["runs"]}
    for rate, accept in document["accept_ms"].items():
        whole = document["end_to_end_ms"][rate]
        table.add_row(
            rate,
            *(f"{accept[p]:.1f}" for p in ("p50", "p99")),
            *(f"{whole[p]:.1f}" for p in ("p50", "p99", "p99.9")),
            "yes" if kept[rate] else "no",
        )
    terminal.out.print(table)
    cpu = ", ".join(f"{name} {ms:.2f}" for name, ms in document["cpu_ms_per_incident"].items())
    terminal.out.print(f"sustained {document['sustained_per_s']:g} a second; CPU ms per incident: {cpu}")
    for name, ratio in document["ratios"].items():
        terminal.out.print(f"{name.replace('_', ' ')}: {ratio}")
    terminal.out.print(f"unaccounted: {document['unaccounted']}")
