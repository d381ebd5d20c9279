"""What recipients build against, judged by the specifications' own tools. Those need node or go with the
libraries that tests/independent pins (`npm ci`, `go mod download`); .ci/run installs them."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from standardwebhooks import Webhook

from services.delivery.domain.notification import completed, compose
from services.delivery.outbound import signed
from services.delivery.publishing import published, schema
from tests.unit.delivery.builders import NOON, a_route, decided, route

ROOT = Path(__file__).resolve().parents[2]
JS, GO = ROOT / "tests" / "independent" / "js", ROOT / "tests" / "independent" / "go"
OLD = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NEW = "whsec_" + base64.b64encode(bytes(range(7, 39))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(9, 41))).decode()

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (JS / "node_modules").is_dir(),
    reason="node and `npm ci` in tests/independent/js are needed",
)


def with_go() -> bool:
    return shutil.which("go") is not None and _go("list", "-deps", ".").returncode == 0


def _go(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Without a network: what is missing is not fetched in the middle of a test."""
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    return subprocess.run(
        ["go", *arguments], cwd=GO, input=given, capture_output=True, env=environment, check=False
    )


def _node(script: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["node", script], cwd=JS, input=given, capture_output=True, check=False)


def a_notification() -> dict[str, Any]:
    document = completed(
        compose(decided(a_route()), route(), "northbury-children"),
        delivery="d-1",
        version=1,
        due=NOON + timedelta(hours=4),
        receipts="https://waymark.example/v1/deliveries/d-1/receipts",
        replaces=None,
        why_again=None,
        trace=None,
    )
    return dict(orjson.loads(orjson.dumps(document)))


@pytest.mark.parametrize("name", published())
def test_the_files_in_docs_are_those_that_the_contracts_make(name: str) -> None:
    written = orjson.loads((ROOT / "docs" / "recipients" / name).read_bytes())
    assert written == published()[name], "run `waymark recipients contracts`"


@pytest.mark.parametrize("name", ["notification", "challenge", "ping", "receipt"])
def test_each_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))


def test_a_notification_as_it_is_sent_fits_the_schema_and_another_thing_does_not() -> None:
    validator = jsonschema.Draft202012Validator(schema("notification"))
    assert [error.message for error in validator.iter_errors(a_notification())] == []
    assert list(validator.iter_errors({**a_notification(), "delivery": 7}))
    without = {key: value for key, value in a_notification().items() if key != "sharing"}
    assert list(validator.iter_errors(without))


@needs_node
def test_the_asyncapi_parser_finds_nothing_wrong() -> None:
    found = orjson.loads(_node("asyncapi.mjs", orjson.dumps(published()["asyncapi.json"])).stdout)
    assert found["wrong"] == []
    assert (found["version"], set(found["messages"])) == (
        "3.0.0", {"notification", "challenge", "ping", "routed"},
    )  # fmt: skip
    broken = published()["asyncapi.json"]
    broken["channels"]["topic"]["messages"]["routed"]["$ref"] = "#/components/messages/nothing"
    assert orjson.loads(_node("asyncapi.mjs", orjson.dumps(broken)).stdout)["wrong"]


def webhook(secret: str, *, body: str | None = None, late_s: float = 0) -> bytes:
    """A webhook as Waymark sends it while one secret replaces another, for a receiver that knows `secret`."""
    sent = orjson.dumps({**a_notification(), "note": "é ü •••"})
    at = datetime.now(UTC) - timedelta(seconds=late_s)
    headers = signed("d-1", sent, [Webhook(OLD), Webhook(NEW)], at)
    return orjson.dumps({"secret": secret, "headers": headers, "body": body or sent.decode()})


@needs_node
def test_the_specifications_library_for_javascript_takes_ours_and_nothing_else() -> None:
    for secret in (OLD, NEW):
        assert _node("verify.mjs", webhook(secret)).stdout == b"genuine\n"
    assert _node("verify.mjs", webhook(OTHER)).returncode == 1
    assert _node("verify.mjs", webhook(OLD, body="{}")).returncode == 1
    assert _node("verify.mjs", webhook(OLD, late_s=3600)).returncode == 1


@pytest.mark.skipif(not with_go(), reason="go and `go mod download` in tests/independent/go are needed")
def test_the_specifications_library_for_go_takes_ours_and_nothing_else(tmp_path: Path) -> None:
    built = _go("build", "-o", str(tmp_path / "verify"), ".")
    assert built.returncode == 0, built.stderr.decode()

    def judged(given: bytes) -> tuple[int, bytes]:
        done = subprocess.run([tmp_path / "verify"], input=given, capture_output=True, check=False)
        return done.returncode, done.stdout

    for secret in (OLD, NEW):
        assert judged(webhook(secret)) == (0, b"genuine\n")
    assert judged(webhook(OTHER))[0] == 1
    assert judged(webhook(OLD, body="{}"))[0] == 1
    assert judged(webhook(OLD, late_s=3600))[0] == 1
