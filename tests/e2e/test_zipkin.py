"""`waymark up --traces`: a whole case is found in the trace backend that it brings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.builders import an_incident
from tests.integration.waiting import until
from waymark.demo.receivers import Receivers
from waymark.system import Plan, System

SERVICES = {f"waymark-{name}" for name in ("intake", "enrichment", "triage", "delivery", "console")}


@pytest.fixture
async def traced(tmp_path: Path) -> AsyncIterator[System]:
    async with Receivers(tmp_path) as receivers:
        system = System(Plan(tmp_path / "data", recipients=receivers.folder, traces=True))
        async with system.running():
            await receivers.attend(system)
            yield system


async def test_a_case_is_found_by_its_name_with_every_service_and_each_webhook(traced: System) -> None:
    incident = an_incident(reference="SEARCHED-1")
    incident["children"][0] |= {"presence": "involved", "assaulted": True, "injured": True}
    key = traced.keys["police"]["northshire"]
    async with aiohttp.ClientSession() as http:
        posting = http.post(
            f"{traced.url('intake')}/v1/incidents", json=incident, headers={"Authorization": f"Bearer {key}"}
        )
        async with posting as response:
            assert response.status == 202
            trace = (await response.json())["trace"].split("-")[1]
        search = {"annotationQuery": "waymark.case=northshire/SEARCHED-1", "limit": "10"}
        found: list[list[dict[str, Any]]] = []

        async def whole() -> bool:
            async with http.get(f"{traced.parts.zipkin}/api/v2/traces", params=search) as answer:
                found[:] = await answer.json()
            spans = [span for one in found for span in one]
            return {span["localEndpoint"]["serviceName"] for span in spans} >= SERVICES and any(
                span["name"] == "post" and span["kind"] == "CLIENT" for span in spans
            )

        await until(whole, "the whole case in the trace backend")
        async with http.get(f"{traced.parts.zipkin}/zipkin/") as page:
            assert page.status == 200
            assert "<title>Zipkin</title>" in await page.text()
    [spans] = found
    known = {span["id"] for span in spans}
    assert {span["traceId"] for span in spans} == {trace}
    assert [span["name"] for span in spans if span.get("parentId") is None] == ["post /v1/incidents"]
    assert all(span["parentId"] in known for span in spans if span.get("parentId") is not None)
