"""`waymark replay`: what went out before is sent once more, to a recipient that lost it or was away."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Annotated, Any, Final

import aiohttp
import orjson
import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from waymark import terminal
from waymark.system import KEYS_FILE
from waymark.terminal import DataOption, JsonOption

LEFT: Final = {
    "received": "were received: --insist --because ... sends them again, marked as such",
    "in_inbox": "lie in an inbox to be read",
    "restricted": "are restricted: a person has to release them first",
    "rejected": "were rejected: a person sees to them",
    "on_its_way": "are being sent at this moment",
    "closed": "were passed on or refused, or are tests",
    "recipient_gone": "are for a recipient that is not described any more",
}


def replay(
    recipient: Annotated[str | None, typer.Option(help="To this recipient, by its id.")] = None,
    case: Annotated[str | None, typer.Option(help="Of this case.")] = None,
    since: Annotated[
        str | None, typer.Option(help="First to be sent then or later, such as 2026-11-21T00:00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="First to be sent before then.")] = None,
    insist: Annotated[
        bool, typer.Option("--insist", help="Also what was received; it says so in `replayed_at`.")
    ] = False,
    because: Annotated[
        str | None, typer.Option(help="Why they get again what they have: asked or lost. Needs --insist.")
    ] = None,
    go: Annotated[
        bool, typer.Option("--go", help="Send. Otherwise it is only told what would be sent.")
    ] = False,
    url: Annotated[
        str | None, typer.Option(envvar="WAYMARK_DELIVERY_URL", help="Where delivery answers.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="WAYMARK_KEY", help="A key of role ops; else that of the system here.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send once more what went out before. Without --go nothing is sent: look at what would be first.

    What was never received begins its tries anew; what was received stays, unless you insist. Either way it
    goes under the id that it had, so that a recipient can drop what it has. Exit status 1 where nothing fits.

    Example: waymark replay --recipient northbury-children --since 2026-11-21T00:00:00Z
    """
    if recipient is None and case is None:
        terminal.fail("Name --recipient or --case (or both): nobody means to send everything again.", 2)
    if insist != (because is not None):
        terminal.fail("--insist and --because (asked, or lost) go together.", 2)
    asked = {
        "recipient": recipient, "case": case, "since": since, "until": until, "insist": insist,
        "because": because, "go": go,
    }  # fmt: skip
    url = (url or str(terminal.running(data)["delivery"]["url"])).rstrip("/")
    total = asyncio.run(_all(url, key or _ops_key(data), {k: v for k, v in asked.items() if v is not None}))
    found = total["deliveries"]
    if as_json:
        terminal.print_json({**total, "dry_run": not go})
    else:
        _print(total, go)
    if not found:
        raise typer.Exit(1)


def _ops_key(data: Any) -> str:
    try:
        kept = orjson.loads((terminal.data_directory(data) / KEYS_FILE).read_bytes())
        return str(kept["ops"]["ops"])
    except (OSError, orjson.JSONDecodeError, KeyError):
        terminal.fail("Give a key of role ops with --key or WAYMARK_KEY; `waymark keys create` makes one.", 2)


async def _all(url: str, key: str, asked: dict[str, Any]) -> dict[str, Any]:
    total: dict[str, Any] = {"deliveries": [], "received_before": 0, "left": Counter()}
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=terminal.errors, transient=True) as progress:
        task = progress.add_task("Looking through the deliveries", total=None)
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
            while True:
                page = await _page(http, url, asked)
                total["deliveries"] += page["deliveries"]
                total["received_before"] += page["received_before"]
                total["left"].update(page["left"])
                progress.update(task, description=f"{len(total['deliveries'])} deliveries so far")
                if page["next"] is None:
                    return total
                asked = {**asked, "after": page["next"]}


async def _page(http: aiohttp.ClientSession, url: str, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        async with http.post(f"{url}/v1/replays", json=asked) as answer:
            said = orjson.loads(await answer.read())
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
        terminal.fail(f"Nothing answers at {url}. Where it had begun, ask again: no id is sent twice at once.")
    if answer.status >= 400:
        terminal.fail(str(said.get("detail") or said.get("title")), 2 if answer.status == 422 else 1)
    page: dict[str, Any] = said
    return page


def _print(total: dict[str, Any], go: bool) -> None:
    found = total["deliveries"]
    per = Counter(one["recipient"] for one in found)
    verb = "are sent once more" if go else "would be sent once more"
    terminal.out.print(f"{len(found)} deliveries {verb}, {total['received_before']} of them received before.")
    for name, count in per.most_common():
        terminal.out.print(f"  {count} to {name}")
    for because, count in sorted(total["left"].items()):
        terminal.out.print(f"{count} {LEFT[because]}.")
    if found and not go:
        terminal.out.print("Nothing was sent. The same with --go sends them.")
