"""The other end of a webhook, and what goes over the wire."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook
from typer.testing import CliRunner

from services.delivery.commands import app, read_answer
from services.delivery.outbound import signed
from services.delivery.receiver import Arrival, Receiver

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
BODY = '{"case": "northshire/NS-1", "café": "ü"}'.encode()


def headers(
    *, secrets: tuple[str, ...] = (SECRET,), at: datetime | None = None, **changes: str
) -> dict[str, str]:
    made = signed("d-1", BODY, [Webhook(secret) for secret in secrets], at or datetime.now(UTC))
    return {**made, **{name.replace("_", "-"): value for name, value in changes.items()}}


class Desk:
    def __init__(self, *secrets: str) -> None:
        self.arrivals: list[Arrival] = []
        self.status: int | None = None
        self.receiver = Receiver({"css": list(secrets or (SECRET,))}, self.take)

    def take(self, arrival: Arrival) -> int | None:
        self.arrivals.append(arrival)
        return self.status

    async def post(self, path: str = "/css", body: bytes = BODY, **of: Any) -> int:
        transport = httpx.ASGITransport(app=self.receiver)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
            return (await client.request(of.pop("method", "POST"), path, content=body, **of)).status_code


async def test_what_is_genuine_is_taken_and_a_repeat_is_known_as_one() -> None:
    desk = Desk()
    assert [await desk.post(headers=headers()) for _ in range(2)] == [204, 204]
    assert [(one.id, one.repeated) for one in desk.arrivals] == [("d-1", False), ("d-1", True)]
    assert desk.arrivals[0].notification()["café"] == "ü"


async def test_what_was_refused_is_not_remembered() -> None:
    desk = Desk()
    desk.status = 503
    assert await desk.post(headers=headers()) == 503
    desk.status = None
    assert await desk.post(headers=headers()) == 204
    assert [one.repeated for one in desk.arrivals] == [False, False]


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook_signature": "v1,bm90IGl0"},
        {"webhook_signature": "garbage"},
        {"webhook_signature": "v1,\xff\xfe"},
        {"webhook_signature": "v1,not base64!"},
        {"webhook_signature": ""},
        {"webhook_timestamp": "yesterday"},
        {"webhook_timestamp": "1"},
        {"webhook_timestamp": "nan"},
        {"webhook_id": "d-2"},
        {"webhook_id": ""},
    ],
)
async def test_what_is_not_genuine_is_401_however_it_is_wrong(wrong: Any) -> None:
    desk = Desk()
    made = [(name.encode(), value.encode("latin-1")) for name, value in headers(**wrong).items()]
    assert await desk.post(headers=made) == 401
    assert desk.arrivals == []


async def test_a_changed_body_an_old_message_and_one_that_is_not_text_are_401() -> None:
    desk = Desk()
    assert await desk.post(body=BODY + b" ", headers=headers()) == 401
    assert await desk.post(body=b"\xff\xfe", headers=headers()) == 401
    assert await desk.post(headers=headers(at=datetime.now(UTC) - timedelta(minutes=6))) == 401
    assert await desk.post() == 401


async def test_either_of_two_secrets_will_do_while_one_replaces_the_other() -> None:
    assert await Desk(OTHER).post(headers=headers(secrets=(SECRET, OTHER))) == 204
    assert await Desk(SECRET, OTHER).post(headers=headers(secrets=(OTHER,))) == 204
    assert await Desk(OTHER).post(headers=headers(secrets=(SECRET,))) == 401


async def test_nobody_else_lives_there() -> None:
    desk = Desk()
    assert await desk.post("/somebody", headers=headers()) == 404
    assert await desk.post(method="GET", headers=headers()) == 405
    assert await desk.post(body=b" " * (4 * 1024 * 1024 + 1), headers=headers()) == 413


async def test_it_forgets_the_oldest_id_in_the_end() -> None:
    desk = Desk()
    desk.receiver = Receiver({"css": [SECRET]}, desk.take, remembered=1)
    for number in ("d-1", "d-2", "d-1"):
        made = signed(number, BODY, [Webhook(SECRET)], datetime.now(UTC))
        await desk.post(headers=made)
    assert [one.repeated for one in desk.arrivals] == [False, False, False]


def test_an_answer_is_a_kind_and_perhaps_a_pathway() -> None:
    assert read_answer(None) is None
    assert read_answer("decided:section_47") == {
        "schema": "waymark.receipt/1", "kind": "decided", "by": "waymark receive", "pathway": "section_47"
    }  # fmt: skip
    assert "reason" in (read_answer("rejected") or {})


@pytest.mark.parametrize(
    "said", [["--answer", "filed"], ["--answer", "decided:nowhere"], ["--answer", "opened"]]
)
def test_a_sandbox_that_cannot_answer_says_so(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYMARK_KEY", raising=False)
    result = CliRunner().invoke(app, said)
    assert result.exit_code == 2
    assert "--answer" in result.output
