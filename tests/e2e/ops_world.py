"""The system as those who run it see it: a console before a real triage and delivery, a recipient's server
that can be ill, and an enrichment that fails until it is mended."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from cryptography.fernet import Fernet

from services.console.main import create_app as console_app
from services.console.settings import Settings as ConsoleSettings
from services.delivery.main import create_app as delivery_app
from services.triage.main import create_app as triage_app
from services.triage.settings import Settings as TriageSettings
from shared import keys
from shared.contracts.topics import INCIDENTS
from shared.db import Database
from shared.recovery import recovery_routes
from shared.runtime import Runtime
from shared.settings import ServiceSettings
from shared.web import application
from tests.e2e import browser
from tests.integration.conftest import Servers
from tests.integration.senders import Senders
from tests.integration.test_delivery import describe, describe_areas, serve
from tests.integration.test_delivery import settings as delivery_settings
from tests.integration.test_recipients_api import Hook
from tests.integration.test_recovery import Reader
from tests.integration.test_triage import describe_trial
from tests.integration.waiting import until

ROLES: dict[str, dict[str, Any]] = {
    "ops": {"role": "ops", "person": "olu"},
    "screener": {"role": "person", "person": "ann", "agency": "police", "areas": ("northbury", "westmoor")},
    "social": {"role": "person", "person": "sam", "agency": "childrens_services", "areas": ("northbury",)},
    "elsewhere": {"role": "person", "person": "sue", "agency": "police", "areas": ("southmere",)},
    "coordinator": {"role": "coordinator", "person": "col", "agency": "marac", "areas": ("northbury",)},
    "board": {"role": "board", "person": "bea", "areas": ("northbury",)},
    "champion": {"role": "champion", "person": "cha", "agency": "education", "areas": ("northbury",)},
    "police": {"role": "police", "force": "northshire"},
}


@dataclass
class OpsWorld:
    """Where everything is, and what plays its part."""

    address: str
    servers: Servers
    senders: Senders
    reader: Reader
    hook: Hook
    delivery: str
    held: dict[str, str] = field(default_factory=dict)

    async def sign_in(self, tab: browser.Tab, who: str, onward: str) -> None:
        """As a person does."""
        await tab.go(f"{self.address}{onward}")
        await tab.page.get_by_label("Your key").fill(self.held[who])
        await tab.page.keyboard.press("Enter")
        await tab.page.wait_for_url(f"{self.address}{onward}")

    def bearer(self, who: str) -> dict[str, str]:
        """What a program of theirs sends."""
        return {"authorization": f"Bearer {self.held[who]}", "accept": "text/html"}


@asynccontextmanager
async def ops_world(servers: Servers, folder: Path) -> AsyncIterator[OpsWorld]:
    """All of it up, until the block is left."""
    (folder / "recipients").mkdir()
    describe_areas(folder / "areas")
    describe_trial(folder / "own")
    async with AsyncExitStack() as stack:
        where: dict[str, Any] = {
            "database": servers.database, "kafka": servers.kafka, "partitions": servers.partitions
        }  # fmt: skip
        hook, reader = Hook(), Reader()
        hook_port = await serve(stack, hook)
        describe(folder / "recipients", hook_port)
        apps = {
            "enrichment": _failing_enrichment(reader, where),
            "triage": triage_app(TriageSettings(**where, areas=folder / "areas", protocols=folder / "own")),
            "delivery": delivery_app(
                delivery_settings(servers, folder, secrets_key=Fernet.generate_key().decode())
            ),
        }
        urls: dict[str, Any] = {}
        for name, app in apps.items():
            await stack.enter_async_context(app.router.lifespan_context(app))
            urls[f"{name}_url"] = f"http://127.0.0.1:{await serve(stack, app)}"
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = ConsoleSettings(**where, **urls, session_secret="s" * 40, port=port, watch_every_s=0.5)
        server = uvicorn.Server(uvicorn.Config(console_app(settings), port=port, log_level="error"))
        serving = asyncio.create_task(server.serve())
        senders = Senders(servers)
        try:
            await until(lambda: server.started, "the console")
            world = OpsWorld(f"http://127.0.0.1:{port}", servers, senders, reader, hook, urls["delivery_url"])
            owner = Database(servers.database, "tests", as_owner=True)
            async with owner.transaction() as tx:
                for name, who in ROLES.items():
                    world.held[name] = (await keys.create(tx, **who))[1]
            await owner.close()
            yield world
        finally:
            await senders.close()
            server.should_exit = True
            await serving


def _failing_enrichment(reader: Reader, where: dict[str, Any]) -> Any:
    runtime = Runtime("enrichment", ServiceSettings(**where))
    runtime.consume({INCIDENTS: reader})
    app = application("enrichment", "Reader", "", lifespan=runtime.running, health=runtime.health)
    app.include_router(recovery_routes(runtime))
    return app
