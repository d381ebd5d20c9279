"""The door under a fuzzer: schemathesis, with all checks and phases, over the published document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
import schemathesis
from jsonschema import Draft202012Validator
from playwright.async_api import expect

from services.intake.documented_answers import written_out
from tests.e2e import browser
from tests.e2e.fuzzer import SECONDS, fuzz
from tests.integration.conftest import servers
from tests.integration.intake_door import Door, a_reference, open_door

__all__ = ["servers"]


@pytest.fixture(scope="module")
def door(servers: Any) -> Iterator[Door]:
    with open_door(servers) as opened:
        yield opened


@pytest.mark.timeout(SECONDS + 300)
def test_the_fuzzer_finds_no_failure(door: Door, tmp_path: Path) -> None:
    done = fuzz(door.url, door.north, tmp_path)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "12 selected / 12 total" in told, told
    assert re.search(r"Stateful \(in", told), told
    generated = re.search(r"([\d,]+) generated", told)
    assert generated is not None
    assert int(generated[1].replace(",", "")) > 300, told


def test_the_document_is_what_openapi_3_1_says(door: Door) -> None:
    document = httpx.get(f"{door.url}/openapi.json", timeout=10).json()
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document).validate()


def schemas_and_examples(document: dict[str, Any]) -> Iterator[tuple[str, Any, list[Any]]]:
    """Every body of the document, asked or answered: where it is, its schema and the examples of it."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            bodies = {"request": operation["requestBody"]} if "requestBody" in operation else {}
            for name, body in {**bodies, **operation["responses"]}.items():
                assert body.get("content"), f"{method} {path} {name} shows nothing"
                for media_type, shown in body["content"].items():
                    examples = [one["value"] for one in shown.get("examples", {}).values()]
                    examples += [shown["example"]] if "example" in shown else []
                    yield f"{method} {path} {name} {media_type}", shown.get("schema", True), examples


def test_every_body_and_every_answer_has_an_example_that_its_schema_allows(door: Door) -> None:
    document = httpx.get(f"{door.url}/openapi.json", timeout=10).json()
    found = list(schemas_and_examples(document))
    assert len(found) > 60
    assert [where for where, _, examples in found if not examples] == []
    wrong = [
        f"{where}: {error.json_path} {error.message}"
        for where, schema, examples in found
        for example in examples
        for error in Draft202012Validator(schema).iter_errors(example)
    ]
    assert wrong == []


def test_the_documents_of_the_door_and_its_published_schema_are_one(door: Door) -> None:
    document = httpx.get(f"{door.url}/openapi.json", timeout=10).json()
    content = document["paths"]["/v1/incidents"]["post"]["requestBody"]["content"]
    published = httpx.get(f"{door.url}/v1/schemas/waymark.incident.door.json", timeout=10).json()
    inside = content["application/json"]["schema"]
    # The framework leaves nulls out of all it documents, those of an example too.
    assert {**inside, "examples": []} == {**written_out(published), "examples": []}


def test_the_examples_of_the_document_are_taken_at_the_door(door: Door) -> None:
    document = httpx.get(f"{door.url}/openapi.json", timeout=10).json()
    headers = {"Authorization": f"Bearer {door.north}"}
    codes: dict[str, list[int]] = {}
    for path in ("/v1/incidents", "/v1/incidents/batch", "/v1/forms/{form}"):
        for media_type, shown in document["paths"][path]["post"]["requestBody"]["content"].items():
            example = shown["example"] if isinstance(shown["example"], str) else json.dumps(shown["example"])
            body = re.sub(r"NS-2026-\d+", lambda _: a_reference(), example)
            url = f"{door.url}{path.format(form='north')}"
            answer = httpx.post(
                url, content=body.encode(), headers={**headers, "Content-Type": media_type}, timeout=20
            )
            lines = answer.content.splitlines() if answer.status_code == 200 else []
            codes[f"{path} {media_type}"] = [orjson.loads(line)["code"] for line in lines] or [
                answer.status_code
            ]
    assert {where: set(said) for where, said in codes.items()} == {where: {202} for where in codes}
    assert len(codes) == 5


def test_the_interactive_documentation_comes_from_the_service_itself(door: Door) -> None:
    page = httpx.get(f"{door.url}/docs", timeout=10)
    assert page.status_code == 200
    assert "//" not in page.text, "it names another host"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    parts = re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text)
    assert len(parts) == 3
    for part in parts:
        answer = httpx.get(f"{door.url}/{part}", timeout=10)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] == policy
    start = httpx.get(f"{door.url}/docs/start.js", timeout=10).text.split("\n", 1)[1]
    assert "//" not in start
    for path in ("/redoc", "/docs/VERSION.md", "/docs/..%2f..%2fweb.py"):
        assert httpx.get(f"{door.url}{path}", timeout=10).status_code == 404


@pytest.mark.skipif(browser.found() is None, reason=browser.NEEDED)
async def test_the_interactive_documentation_shows_every_route_in_a_browser(door: Door) -> None:
    async with browser.tab() as tab:
        await tab.go(f"{door.url}/docs")
        await expect(tab.page.locator(".opblock")).to_have_count(12, timeout=30_000)
        assert tab.complaints == []
        assert {urlsplit(url).netloc for url in tab.statuses if url.startswith("http")} == {
            urlsplit(door.url).netloc
        }
