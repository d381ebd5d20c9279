"""What the fuzzer (schemathesis) is told of Waymark, and what it checks beside its own. Loaded by it."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from typing import Any, Final

import orjson
import schemathesis

from shared.contracts.reading.needed import FORCE_PATTERN

FORCE: Final = "northshire"
LONGEST_WAIT_S: Final = 0.2
_LINES: Final = "application/x-ndjson"
_KEPT: Final = frozenset({400, 403, 409, 413, 415, 422})


@schemathesis.serializer("text/csv")
def write_text(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A text as it is; anything else, which the schema does not allow, as JSON."""
    return as_text(value)


@schemathesis.serializer(_LINES)
def write_lines(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A list as a line for each entry; anything else as one line."""
    return b"\n".join(as_text(one) for one in value) if isinstance(value, list) else as_text(value)


def as_text(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return json.dumps(value, default=str).encode()


@schemathesis.hook
def map_body(_: schemathesis.HookContext, body: Any) -> Any:
    """The caller's force in every second incident: another's is refused before anything else is read. No
    slash in a reference: the fuzzer would follow the link of the answer as far as that only."""
    if isinstance(body, dict) and "seen" in body and isinstance(body.get("act"), str):
        # Now and then a ruling on the pair as it stood first; what follows it is refused as unseen.
        body["seen"] = os.environ.get("WAYMARK_FUZZ_SEEN", body["seen"])
    for one in (body, body.get("data") if isinstance(body, dict) else None):
        force = one.get("force") if isinstance(one, dict) else None
        # Only in place of a good one: a bad one is to be refused for itself.
        if (
            isinstance(one, dict)
            and isinstance(force, str)
            and re.fullmatch(FORCE_PATTERN, force)
            and len(force) % 2
        ):
            one["force"] = FORCE
        if isinstance(one, dict) and isinstance(one.get("reference"), str):
            one["reference"] = one["reference"].replace("/", "-")
    return body


@schemathesis.hook
def map_path_parameters(_: schemathesis.HookContext, parameters: Any) -> Any:
    """The pair that there is, in every second path that names one: hardly any other name is anybody's."""
    name = parameters.get("name") if isinstance(parameters, dict) else None
    if isinstance(name, str) and re.fullmatch(r"L-[0-9a-f]{16}", name) and int(name[-1], 16) % 2:
        parameters["name"] = os.environ.get("WAYMARK_FUZZ_LINK", name)
    return parameters


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], __: dict[str, Any]) -> None:
    """Ask for news, but do not wait half a minute for it each time."""
    query: dict[str, Any] = case.query or {}
    with suppress(TypeError, ValueError):
        if LONGEST_WAIT_S < float(query.get("wait", 0)) <= 30:
            query["wait"] = LONGEST_WAIT_S


@schemathesis.check
def every_line_has_its_answer(
    _: schemathesis.CheckContext, response: schemathesis.Response, __: schemathesis.Case[Any]
) -> None:
    """Lines are answered in order, none with a failure of ours, and what is refused of them is kept."""
    if response.status_code != 200 or _LINES not in response.headers.get("content-type", [""])[0]:
        return
    answers = [orjson.loads(line) for line in response.content.splitlines()]
    numbers = [one["line"] for one in answers]
    assert numbers == sorted(set(numbers)), numbers
    for one in answers:
        assert one["code"] == 202 or one["code"] in _KEPT, one
        assert one["code"] == 202 or one["problem"].get("kept"), one


@schemathesis.check
def what_is_refused_is_kept(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """What the door refuses has its number in the quarantine, unless its parameters could not be read."""
    if case.method != "POST" or response.status_code not in _KEPT or case.path.startswith("/v1/links"):
        return
    problem = orjson.loads(response.content)
    if case.path == "/v1/incidents/batch" or problem["title"] == "Parameters cannot be read":
        return
    assert problem.get("kept"), problem
