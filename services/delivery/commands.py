"""Delivery's part of the command line: `waymark receive`."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, get_args

import aiohttp
import orjson
import typer
import uvicorn
from rich.console import Console
from rich.markup import escape
from standardwebhooks import Webhook

from services.delivery.receiver import Arrival, Receiver
from shared import vocabulary as v
from shared.contracts.base import write_moment
from shared.ledger import now

app = typer.Typer()
_out = Console(highlight=False)
_errors = Console(stderr=True, highlight=False)

SIGNED_WITH: Final = "WAYMARK_RECEIVER_SECRET"
KEY_FROM: Final = "WAYMARK_KEY"


@app.command()
def receive(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8099,
    recipient: Annotated[
        list[str] | None, typer.Option(help="Recipients to receive for, each at /NAME; `sandbox` if none.")
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help=f"File with the signing secret; else {SIGNED_WITH}."),
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option(
            help=f"Receipt to answer each with, KIND[:PATHWAY]; needs a recipient's key in {KEY_FROM}."
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print what is in each notification as well.")] = False,
) -> None:
    """A sandbox recipient: verifies what comes, remembers ids, and prints what came, until stopped.

    Prints ids and roles; people's details only with --show. Without a secret one is made and printed.

    Example: waymark receive --port 8099 --recipient northbury-children --answer decided:section_47
    """
    receipt = read_answer(answer)
    key = os.environ.get(KEY_FROM)
    if receipt is not None and not key:
        _misused(f"--answer needs a key of role recipient in {KEY_FROM}; `waymark keys create` makes one.")
    names = recipient or ["sandbox"]
    secret = (secret_file.read_text(encoding="ascii").strip() if secret_file else None) or os.environ.get(
        SIGNED_WITH
    )
    if not secret:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        _errors.print(f"Signing secret, made for this run: {secret}", soft_wrap=True)
    try:
        Webhook(secret)
    except (ValueError, RuntimeError):
        _misused("The signing secret is not `whsec_` and base64.")
    for name in names:
        _errors.print(f"{name} receives at http://127.0.0.1:{port}/{name}", soft_wrap=True)
    sandbox = Sandbox(receipt, key, show=show)
    server = uvicorn.Server(
        uvicorn.Config(
            Receiver({name: [secret] for name in names}, sandbox.take),
            port=port,
            log_level="warning",
            access_log=False,
        )
    )
    try:
        asyncio.run(sandbox.run(server))
    except OSError as error:
        _errors.print(f"[bold red]waymark:[/] Port {port} cannot be used: {error.strerror}.")
        raise typer.Exit(1) from None
    if not server.started:
        raise typer.Exit(1)


def read_answer(said: str | None) -> dict[str, Any] | None:
    """`decided:section_47` as a receipt. Ends the command (2) where it is none."""
    if said is None:
        return None
    kind, _, pathway = said.partition(":")
    if kind not in get_args(v.ReceiptKind) or (pathway and pathway not in get_args(v.Pathway)):
        kinds, pathways = ", ".join(get_args(v.ReceiptKind)), ", ".join(get_args(v.Pathway))
        _misused(f"--answer is KIND or KIND:PATHWAY. Kinds: {kinds}. Pathways: {pathways}.")
    receipt: dict[str, Any] = {"schema": "waymark.receipt/1", "kind": kind, "by": "waymark receive"}
    if pathway:
        receipt["pathway"] = pathway
    if kind == "rejected":
        receipt["reason"] = "Answered by the sandbox."
    return receipt


class Sandbox:
    """Prints what comes and answers it, if asked to."""

    def __init__(self, receipt: dict[str, Any] | None, key: str | None, *, show: bool) -> None:
        self._receipt = receipt
        self._key = key
        self._show = show
        self._answers: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def run(self, server: uvicorn.Server) -> None:
        """Serve until stopped."""
        answering = asyncio.create_task(self._answer_all())
        try:
            await server.serve()
        finally:
            answering.cancel()

    def take(self, arrival: Arrival) -> None:
        """One genuine message."""
        told = arrival.notification()
        to, asked = told["to"], told["asked"]
        words = [
            f"[bold]{escape(arrival.id)}[/]",
            escape(f"{told['case']}  v{told['version']}  {to['role']} {to['recipient']}  due {asked['due']}"),
        ]
        words += [escape(f"asks for {asked['response']}")] if asked.get("response") else []
        words += [escape(f"replaces {told['replaces']} ({told['why_again']})")] if told.get("replaces") else []
        words += ["[yellow]withdrawn[/]"] if told.get("withdrawn") else []
        words += ["[yellow]test[/]"] if told.get("test") else []
        words += ["[dim]repeated, already here[/]"] if arrival.repeated else []
        _out.print("  ".join(words), soft_wrap=True)
        if self._show and not arrival.repeated:
            _out.print_json(orjson.dumps(told).decode())
        if self._receipt is not None and not arrival.repeated:
            self._answers.put_nowait((arrival.id, asked["receipts"]))

    async def _answer_all(self) -> None:
        if self._receipt is None:
            return
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=10), headers={"Authorization": f"Bearer {self._key}"}
        ) as http:
            while True:
                delivery, address = await self._answers.get()
                receipt = {**self._receipt, "delivery": delivery, "at": write_moment(now())}
                try:
                    async with http.post(address, json=receipt) as response:
                        said = f"{response.status}"
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    said = type(error).__name__
                _out.print(f"{delivery}  answered {self._receipt['kind']}: {said}", soft_wrap=True)


def _misused(sentence: str) -> NoReturn:
    _errors.print(f"[bold red]waymark:[/] {sentence}", soft_wrap=True)
    raise typer.Exit(2)
