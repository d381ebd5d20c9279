"""The page "receive your first case": its four programs are run as they stand, and a real delivery sends to
them by webhook and by topic."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
import yaml

from deploy.local import ports
from services.delivery.main import create_app
from shared.contracts.topics import DECIDED
from shared.db import Database
from shared.kafka import Producer
from shared.ledger import now
from shared.outbox import Outbox
from tests.builders import an_incident
from tests.integration.conftest import Servers, servers
from tests.integration.test_delivery import describe_areas, settings
from tests.integration.waiting import until
from tests.unit.delivery.builders import a_route, case_decided
from waymark.system import ROOT

__all__ = ["servers"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE: Final = ROOT / "docs" / "receive.md"
CHECKERS: Final = ROOT / "tests" / "independent"
SECRET: Final = "whsec_" + base64.b64encode(b"only for this test, 32 bytes long").decode()
ROLES: Final = {
    "python": "childrens_services",
    "javascript": "marac",
    "go": "health_visitor",
    "kafka": "community_safety",
}
"""Which role each program receives for."""


def name_of(language: str) -> str:
    """The recipient that a program receives for; the area's file names its children's services."""
    return "northbury-children" if ROLES[language] == "childrens_services" else f"northbury-{language}"


def programs() -> dict[str, str]:
    """The page's programs by their language; the consumer is called `kafka`."""
    found = re.findall(r"^```(python kafka|python|javascript|go)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    return {language.split()[-1]: text for language, text in found}


@dataclass
class Receivers:
    """The programs, running; `said`: what each has printed so far."""

    port: dict[str, int]
    said: dict[str, list[str]] = field(default_factory=dict)
    sender: Outbox | None = None

    async def listen(self, language: str, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.said.setdefault(language, []).append(line.decode().strip())


def command_for(language: str, text: str, place: Path) -> list[str]:
    """The program as somebody would start it, in a folder with what it needs."""
    folder = place / language
    folder.mkdir()
    if language == "javascript":
        (folder / "receive.mjs").write_text(text)
        (folder / "node_modules").symlink_to(CHECKERS / "js" / "node_modules")
        return [str(shutil.which("node")), str(folder / "receive.mjs")]
    if language == "go":
        (folder / "receive.go").write_text(text)
        for name in ("go.mod", "go.sum"):
            shutil.copy(CHECKERS / "go" / name, folder / name)
        built = folder / "receive"
        subprocess.run(["go", "build", "-o", built, "."], cwd=folder, check=True)
        return [str(built)]
    (folder / "receive.py").write_text(text)
    return [sys.executable, str(folder / "receive.py")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def receivers(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Receivers]:
    place = tmp_path_factory.mktemp("receive")
    made = Receivers({language: ports.choose() for language in ROLES})
    folder = place / "delivery"
    (folder / "recipients").mkdir(parents=True)
    describe_areas(folder / "areas")
    (folder / "recipients" / "secret").write_text(SECRET)
    described: list[dict[str, Any]] = [
        {
            "id": name_of(language),
            "role": role,
            "areas": ["northbury"],
            "channels": [
                {"kind": "topic"}
                if language == "kafka"
                else {
                    "kind": "webhook",
                    "url": f"http://127.0.0.1:{made.port[language]}/waymark",
                    "secrets": ["file:secret"],
                }
            ],
        }
        for language, role in ROLES.items()
    ]
    stand_in = {**described[0], "id": "northbury-edt", "stand_in": True, "channels": [{"kind": "inbox"}]}
    described.append(stand_in)
    (folder / "recipients" / "northbury.yaml").write_text(yaml.safe_dump({"recipients": described}))
    async with AsyncExitStack() as stack:
        app = create_app(settings(servers, folder))
        await stack.enter_async_context(app.router.lifespan_context(app))
        for language, text in programs().items():
            command = await asyncio.to_thread(command_for, language, text, place)
            process = await asyncio.create_subprocess_exec(
                *command,
                stdout=asyncio.subprocess.PIPE,
                env={
                    **os.environ,
                    "PORT": str(made.port[language]),
                    "WAYMARK_WEBHOOK_SECRET": SECRET,
                    "WAYMARK_RECIPIENT": name_of(language),
                    "WAYMARK_KAFKA": servers.kafka,
                },
            )
            listening = asyncio.create_task(made.listen(language, process))

            async def end(
                process: asyncio.subprocess.Process = process, listening: asyncio.Task[None] = listening
            ) -> None:
                process.kill()
                await process.wait()
                await listening

            stack.push_async_callback(end)
        database = Database(servers.database, "triage")
        stack.push_async_callback(database.close)
        producer = Producer(servers.kafka, "test-triage", servers.partitions)
        stack.push_async_callback(producer.close)
        made.sender = Outbox(database, producer)
        stack.push_async_callback(made.sender.close)
        yield made


async def tell(receivers: Receivers, reference: str, **incident: object) -> str:
    """A case for all four."""
    body = case_decided(
        *(a_route(role) for role in ROLES.values()), incident=an_incident(reference=reference, **incident)
    )
    assert receivers.sender is not None
    async with receivers.sender.transaction() as tx:
        tx.emit(DECIDED, body.incident.case, body, started=now())
    return f"case {body.incident.case} version 1"


async def test_the_page_has_a_program_for_each(receivers: Receivers) -> None:
    assert set(programs()) == set(ROLES)


@pytest.mark.skipif(shutil.which("node") is None or shutil.which("go") is None, reason="needs node and go")
async def test_each_program_receives_a_real_case_once(receivers: Receivers) -> None:
    line = await tell(receivers, "received")
    for language in ROLES:

        def came(language: str = language) -> bool:
            return line in receivers.said.get(language, ())

        await until(came, f"the case at the {language} program: {receivers.said}")
    assert all(said.count(line) == 1 for said in receivers.said.values())


@pytest.mark.skipif(shutil.which("node") is None or shutil.which("go") is None, reason="needs node and go")
async def test_each_webhook_program_refuses_what_is_not_signed_and_drops_what_it_has(
    receivers: Receivers,
) -> None:
    from standardwebhooks import Webhook

    body = '{"schema": "waymark.notification/1", "delivery": "d-again", "case": "a/again", "version": 1}'
    at = now()
    headers = {
        "webhook-id": "d-again",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("d-again", at, body),
    }
    async with httpx.AsyncClient() as client:
        for language in ("python", "javascript", "go"):
            address = f"http://127.0.0.1:{receivers.port[language]}/waymark"
            for bad in ({}, headers | {"webhook-signature": "v1,bm90IG91cnM="}):
                assert (await client.post(address, content=body, headers=bad)).status_code == 401, language
            changed = await client.post(address, content=body.replace("again", "other"), headers=headers)
            assert changed.status_code == 401, language
            for _ in range(2):
                assert (await client.post(address, content=body, headers=headers)).status_code == 204, language
            assert receivers.said[language].count("case a/again version 1") == 1
            challenge = '{"schema": "waymark.challenge/1", "challenge": "c-1"}'
            signed = headers | {"webhook-signature": Webhook(SECRET).sign("d-again", at, challenge)}
            answer = await client.post(address, content=challenge, headers=signed)
            assert (answer.status_code, answer.json()) == (200, {"challenge": "c-1"}), language
