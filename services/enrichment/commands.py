"""Enrichment's part of the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import orjson
import typer

app = typer.Typer(no_args_is_help=True)


@app.command("records")
def send_records(
    file: Annotated[Path, typer.Argument(help="A waymark.records/1 document.", exists=True, dir_okay=False)],
    url: Annotated[str, typer.Option(envvar="WAYMARK_ENRICHMENT_URL", help="Where enrichment is.")],
    key: Annotated[str, typer.Option(envvar="WAYMARK_KEY", help="A council's key.")],
    empty: Annotated[bool, typer.Option(help="A whole import may forget everybody.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Send what social care knows of people and families. Exit 1 where some of it was left out.

    Example: waymark records northbury-css.json --url http://127.0.0.1:8082 --key wmk_...
    """
    try:
        status, answer = asyncio.run(_post(url, key, file.read_bytes(), empty=empty))
    except aiohttp.ClientError:
        typer.echo(f"Enrichment does not answer at {url}.", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(orjson.dumps(answer).decode())
    elif status == 200:
        counts = (f"{answer[name]} {name}" for name in ("people", "relationships", "involvement", "removed"))
        typer.echo(f"Taken: {', '.join(counts)}.")
        for bad in answer["bad"]:
            typer.echo(f"Left out: {bad['list']} {bad['index']}: {bad['because']}.", err=True)
    else:
        typer.echo(f"{answer.get('title')}: {answer.get('detail')}", err=True)
    if status != 200 or answer["bad"]:
        raise typer.Exit(1)


async def _post(url: str, key: str, body: bytes, *, empty: bool) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            f"{url.rstrip('/')}/v1/records",
            data=body,
            headers=headers,
            params={"empty": "yes"} if empty else None,
        ) as response,
    ):
        answer: dict[str, Any] = orjson.loads(await response.read())
        return response.status, answer
