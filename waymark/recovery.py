"""`waymark dead-letters`: what could not be handled, why, and sending it again once the cause is mended."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from deploy.migrations import SERVICES
from shared import audit, dead_letters
from shared.db import Row, Transaction
from shared.kafka import Producer
from waymark import terminal
from waymark.access import owner
from waymark.terminal import DataOption, JsonOption

app = typer.Typer(no_args_is_help=True, help="Dead letters: list, show, send again.")
T = TypeVar("T")

NumberArgument = Annotated[str, typer.Argument(help="As `list` shows it: SERVICE:NUMBER.")]


async def _in_schema(database_address: str, service: str, work: Callable[[Transaction], Awaitable[T]]) -> T:
    database = owner(database_address)
    try:
        async with database.transaction() as tx:
            await tx.execute(f"SET LOCAL search_path TO {service}")
            return await work(tx)
    finally:
        await database.close()


def _split(number: str) -> tuple[str, int]:
    service, _, digits = number.partition(":")
    if service not in SERVICES or not digits.isdigit():
        terminal.fail(f"{number} is not SERVICE:NUMBER, such as triage:7.", 2)
    return service, int(digits)


@app.command("list")
def list_waiting(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List dead letters that nobody has dealt with. Exit 1 where there are any.

    Example: waymark dead-letters list
    """
    address = terminal.database_of(data)

    async def work() -> list[dict[str, Any]]:
        found = []
        for service in SERVICES:
            for row in await _in_schema(address, service, dead_letters.waiting):
                found.append({**row, "id": f"{service}:{row['id']}", "service": service})
        return found

    rows = asyncio.run(work())
    if as_json:
        terminal.print_json(rows)
    else:
        table = Table()
        for column in ("id", "since", "case", "topic", "reason"):
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(row["id"], f"{row['at']:%Y-%m-%d %H:%M}", row["case"], row["topic"], row["reason"])
        terminal.out.print(table if rows else "No dead letters.")
    if rows:
        raise typer.Exit(1)


@app.command()
def show(
    number: NumberArgument,
    content: Annotated[
        bool, typer.Option("--content", help="Print the message itself: it tells of people.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one: the reason and the message's shape; its content only when asked for by name, and then it
    is written down who asked.

    Example: waymark dead-letters show triage:7
    """
    service, digits = _split(number)

    async def read(tx: Transaction) -> Row | None:
        found = await dead_letters.one(tx, digits)
        if found is not None and content:
            who = f"login:{getpass.getuser()}"
            await audit.record(tx, who=who, act="dead_letter.read", case=found["case"], id=number)
        return found

    row = asyncio.run(_in_schema(terminal.database_of(data), service, read))
    if row is None:
        terminal.fail(f"There is no dead letter {number}.")
    payload = bytes(row["payload"])
    document = {**row, "id": number, "service": service, "shape": dead_letters.payload_shape(payload)}
    document["size_bytes"] = len(document.pop("payload"))
    if content:
        document["content"] = payload.decode("utf-8", "replace")
    if as_json:
        terminal.print_json(document)
        return
    for key, value in document.items():
        terminal.out.print(f"{key}: {value}", soft_wrap=True, markup=False)


@app.command()
def resend(
    number: NumberArgument,
    data: DataOption = None,
) -> None:
    """Send one again to the topic it stood on; `seq` drops it if a newer event was applied meanwhile.

    Example: waymark dead-letters resend triage:7
    """
    service, digits = _split(number)
    kafka = terminal.kafka_of(data)

    address = terminal.database_of(data)
    topic = asyncio.run(_resend(address, kafka, service, digits))
    if topic is None:
        terminal.fail(f"There is no waiting dead letter {number}.")
    terminal.errors.print(f"{number} was sent again to {topic}.")


async def _note_for_ops(tx: Transaction, service: str, row: Row) -> None:
    """The service itself would tell the console; what is done past it is noted past it."""
    await tx.execute(
        """
        UPDATE dead_letters_told SET resolved_at = coalesce(resolved_at, now())
        WHERE service = :service AND topic = :topic AND partition = :partition AND kafka_offset = :offset
        """,
        service=service,
        topic=row["topic"],
        partition=row["partition"],
        offset=row["kafka_offset"],
    )


async def _resend(address: str, kafka: str, service: str, digits: int) -> str | None:
    row = await _in_schema(address, service, lambda tx: dead_letters.one(tx, digits))
    if row is None or row["resolved_at"] is not None:
        return None
    producer = Producer(kafka, "waymark-dead-letters", 1)
    try:
        await producer.publish([dead_letters.message_of(row)])
    finally:
        await producer.close()
    # Noted after it is sent: a crash between sends it twice, which `seq` makes harmless.
    how = f"resent by login:{getpass.getuser()}"
    await _in_schema(address, service, lambda tx: dead_letters.resolve(tx, digits, how))
    await _in_schema(address, "console", lambda tx: _note_for_ops(tx, service, row))
    return str(row["topic"])
