"""The answers of intake as its documentation shows them: a schema and an example of each. All made up."""

from __future__ import annotations

from typing import Any, Final

from shared.contracts.accepted import Accepted

JSON: Final = "application/json"
CLOUD_EVENT: Final = "application/cloudevents+json"
LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
PROBLEM: Final = "application/problem+json"
SCHEMA: Final = "application/schema+json"


def written_out(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema with its parts written out in place: references of a schema inside another document lead
    nowhere."""
    parts = schema.get("$defs", {})

    def inner(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                rest = {name: one for name, one in value.items() if name != "$ref"}
                return {**inner(parts[value["$ref"].rpartition("/")[2]]), **rest}
            return {name: inner(one) for name, one in value.items()}
        return [inner(one) for one in value] if isinstance(value, list) else value

    left_out = ("$defs", "$id", "$schema")
    return dict(inner({name: one for name, one in schema.items() if name not in left_out}))


_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_SELF = "/v1/incidents/northshire/NS-2026-014533"
_FAULT = {
    "at": "/children/1/born",
    "said": "31/02/2026",
    "because": "not a date: kept as written, treated as unknown",
}
_GAP = {"at": "/adults/0/pregnant", "because": "not recorded"}
_ACCEPTED: Final = {
    "case": "northshire/NS-2026-014533",
    "revision": 1,
    "status": "accepted",
    "faults": [_FAULT],
    "gaps": [_GAP],
    "links": {"self": _SELF},
    "trace": _TRACE,
}
_AMENDED: Final = {
    **_ACCEPTED,
    "revision": 2,
    "status": "amended",
    "faults": [],
    "gaps": [_GAP],
    "changed": ["/revision", "/children/1/born"],
    "healed": ["/children/1/born"],
}
INCIDENT_EXAMPLE: Final = {
    "force": "northshire",
    "reference": "NS-2026-014533",
    "revision": 1,
    "occurred_at": "2026-11-20T22:40:00Z",
    "summary": "Pushed her against the door.",
    "adults": [{"id": "a1", "role": "victim", "name": {"given": "Sian", "family": "Hughes"}}],
    "children": [{"id": "c1", "born": "2017-05-16", "presence": "witnessed"}],
    "relationships": [{"from": "a1", "to": "c1", "kind": "parent"}],
    "incident": {"violence": ["push"]},
}
CLOUD_EVENT_EXAMPLE: Final = {
    "specversion": "1.0",
    "id": "5b3f2f0e-2b06-4f7e-8f0a-1f6c3f0b9d11",
    "source": "/northshire/records",
    "type": "uk.northshire.incident.recorded",
    "data": INCIDENT_EXAMPLE,
}


_PROBLEM_SCHEMA: Final = {
    "type": "object",
    "description": "RFC 9457. `at`: where, as a JSON pointer; `kept`: its number under /v1/refused.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do."},
        "at": {"type": "string"},
        "differs": {"type": "array", "items": {"type": "string"}},
        "kept": {"type": "integer"},
    },
}


def _examples(**said: Any) -> dict[str, Any]:
    return {name: {"value": value} for name, value in said.items()}


def _problem(status: int, title: str, detail: str, **extra: Any) -> dict[str, Any]:
    example = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return {"content": {PROBLEM: {"schema": _PROBLEM_SCHEMA, "example": example}}}


def refusal(description: str, status: int, title: str, detail: str, **extra: Any) -> dict[str, Any]:
    return {"description": description, **_problem(status, title, detail, **extra)}


_WAIT: Final = {
    "headers": {
        "Retry-After": {"description": "Seconds until it may be sent again.", "schema": {"type": "integer"}}
    }
}
CALLER: Final[dict[int | str, dict[str, Any]]] = {
    401: refusal(
        "No key or token, or one that is not good.",
        401,
        "Unknown key",
        "This key is not known, has expired or was revoked.",
    ),
    403: refusal(
        "Another force's, or a key of another role.",
        403,
        "Another force's incident",
        "This key may post incidents of northshire only; /force says otherwise.",
        at="/force",
        kept=17,
    ),
}
BAD_PARAMETER: Final = refusal(
    "A parameter that cannot be read.",
    422,
    "Parameters cannot be read",
    "Please check: query/after.",
)
NOT_NOW: Final = {
    **refusal(
        "Not stored; send the same again after `Retry-After` seconds.",
        503,
        "Not now",
        "It could not be stored now. If it was after all, it is a repeat. Please send the same again.",
    ),
    **_WAIT,
}
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: refusal(
        "Not JSON, or no CloudEvent.",
        400,
        "Not JSON",
        "The body could not be read as JSON in UTF-8: line 3, column 14.",
        line=3,
        column=14,
        kept=17,
    ),
    **CALLER,
    408: refusal("It came too slowly.", 408, "Too slow", "The body has to come within 20 seconds."),
    409: refusal(
        "Same revision, other content: `differs` says where.",
        409,
        "Same revision, other content",
        "Revision 1 is stored with other content. Send a changed incident with a higher revision, or without"
        " one: then Waymark numbers it.",
        revision=1,
        differs=["/risk/level"],
        kept=17,
    ),
    413: refusal(
        "Too large or nested too deeply.",
        413,
        "Too large",
        "The limit is 1048576 bytes; leave attachments out.",
        limit_bytes=1048576,
        kept=17,
    ),
    415: refusal(
        "Not a media type that is taken here.",
        415,
        "Not a media type taken here",
        "Send it as application/json or application/cloudevents+json.",
        kept=17,
    ),
    422: refusal(
        "Not an object, or without a readable force, reference or occurred_at.",
        422,
        "occurred_at is missing",
        "Every incident needs force, reference and occurred_at; occurred_at was not sent.",
        at="/occurred_at",
        kept=17,
    ),
    429: {
        **refusal(
            "Too many at once.",
            429,
            "Too many",
            "One key may post 1000 a second. Nothing was stored.",
        ),
        **_WAIT,
    },
    503: NOT_NOW,
}
_NAMED_PLACES: Final = {
    "type": "array",
    "items": {"type": "object", "required": ["at", "because"], "properties": {"at": {"type": "string"}}},
}
_OBJECTS: Final = {"type": "array", "items": {"type": "object"}}
_MOMENT: Final = {"type": "string", "format": "date-time"}
_NUMBER: Final = {"type": "integer", "minimum": 1}


def _object(*not_always: str, **properties: Any) -> dict[str, Any]:
    required = [name for name in properties if name not in not_always]
    return {"type": "object", "required": required, "properties": properties}


def _page(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    entries = {"type": "array", "items": entry}
    return _object(**{name: entries, "next": {"type": "integer"}, "more": {"type": "boolean"}})


_TEXT: Final = {"type": "string"}
_STATE_SCHEMA: Final = _object(
    "trace",
    case=_TEXT,
    force=_TEXT,
    reference=_TEXT,
    revision=_NUMBER,
    status={"enum": ["accepted", "amended", "withdrawn"]},
    state=_TEXT,
    accepted_at=_MOMENT,
    revisions={
        "type": "array",
        "minItems": 1,
        "items": _object(
            "changed",
            revision=_NUMBER,
            status=_TEXT,
            accepted_at=_MOMENT,
            changed={"type": "array", "items": _TEXT},
        ),
    },
    faults=_NAMED_PLACES,
    gaps=_NAMED_PLACES,
    questions=_OBJECTS,
    stages=_OBJECTS,
    services=_OBJECTS,
    answers=_OBJECTS,
    links={"type": "object"},
    trace={"type": ["string", "null"]},
)
_OUTCOME_SCHEMA: Final = _object(no=_NUMBER, at=_MOMENT, outcome={"type": "object", "required": ["case"]})
_REFUSED_SCHEMA: Final = _object(
    no=_NUMBER,
    at=_MOMENT,
    refused=_object(
        "at",
        "differs",
        "bytes",
        "sha256",
        "text",
        "base64",
        door=_TEXT,
        key=_TEXT,
        status={"type": "integer"},
        title=_TEXT,
        detail=_TEXT,
        at=_TEXT,
        differs={"type": "array", "items": _TEXT},
        bytes={"type": "integer", "minimum": 0},
        sha256=_TEXT,
        text=_TEXT,
        base64=_TEXT,
    ),
)
STORED: Final = {
    "description": "Stored: new, an amendment, a withdrawal or a repeat.",
    "content": {
        JSON: {
            "schema": written_out(Accepted.model_json_schema()),
            "examples": _examples(
                accepted=_ACCEPTED,
                amended=_AMENDED,
                withdrawn={**_ACCEPTED, "revision": 3, "status": "withdrawn", "faults": [], "gaps": []},
                repeated={**_ACCEPTED, "status": "repeated"},
            ),
        }
    },
}
ANSWER_LINES: Final = {
    "description": "An answer per line, in order, as soon as it is known.",
    "content": {
        LINES: {
            "schema": {"type": "string", "description": "JSON lines."},
            "example": '{"line":1,"code":202,"answer":{"case":"northshire/NS-2026-014533","revision":1,'
            '"status":"accepted","faults":[],"gaps":[]}}\n'
            '{"line":2,"code":422,"problem":{"title":"occurred_at is missing","status":422,"at":"/occurred_at",'
            '"kept":18}}\n',
        }
    },
}


_REFUSED_ENTRY: Final = {
    "no": 17,
    "at": "2026-11-21T01:14:00Z",
    "refused": {
        "door": "json",
        "key": "1a2b3c4d",
        "status": 422,
        "title": "occurred_at is missing",
        "detail": "Every incident needs force, reference and occurred_at; occurred_at was not sent.",
        "at": "/occurred_at",
        "bytes": 48,
        "sha256": "9f2c6d1e4b7a8053c1d2e3f4a5b6c7d8e9f00112233445566778899aabbccdd",
    },
}
STATE: Final = {
    "description": "Its state, revisions, open questions, time ledger, services and their answers.",
    "content": {
        JSON: {
            "schema": _STATE_SCHEMA,
            "example": {
                "case": "northshire/NS-2026-014533",
                "force": "northshire",
                "reference": "NS-2026-014533",
                "revision": 2,
                "status": "amended",
                "state": "routed",
                "accepted_at": "2026-11-21T01:15:02Z",
                "revisions": [
                    {"revision": 1, "status": "accepted", "accepted_at": "2026-11-21T01:15:02Z"},
                    {
                        "revision": 2,
                        "status": "amended",
                        "accepted_at": "2026-11-21T03:02:10Z",
                        "changed": ["/children/1/born"],
                    },
                ],
                "faults": [],
                "gaps": [_GAP],
                "questions": [
                    {"fact": "pregnant", "because": "It could change who has to be told."},
                ],
                "stages": [],
                "services": [{"service": "childrens_services", "version": 1, "state": "received"}],
                "answers": [],
                "links": {"self": _SELF},
            },
        }
    },
}
OUTCOMES: Final = {
    "description": "The entries after the cursor.",
    "content": {
        JSON: {
            "schema": _page("outcomes", _OUTCOME_SCHEMA),
            "example": {
                "outcomes": [
                    {
                        "no": 42,
                        "at": "2026-11-21T01:15:09Z",
                        "outcome": {
                            "schema": "waymark.outcome/1",
                            "case": "northshire/NS-2026-014533",
                            "state": "routed",
                            "questions": [],
                            "services": [{"service": "childrens_services", "state": "received"}],
                            "answers": [],
                        },
                    }
                ],
                "next": 42,
                "more": False,
            },
        }
    },
}
REFUSED: Final = {
    "description": "The entries after the cursor.",
    "content": {
        JSON: {
            "schema": _page("refused", _REFUSED_SCHEMA),
            "example": {"refused": [_REFUSED_ENTRY], "next": 17, "more": False},
        }
    },
}
ONE_REFUSED: Final = {
    "description": "The entry with what was sent: `text`, or `base64` where it was no text; 64 KiB at most."
    " Of a body that was too large nothing was read.",
    "content": {
        JSON: {
            "schema": _REFUSED_SCHEMA,
            "example": {
                **_REFUSED_ENTRY,
                "refused": {
                    **_REFUSED_ENTRY["refused"],  # type: ignore[dict-item]
                    "text": '{"force":"northshire","reference":"NS-2026-1"}',
                },
            },
        }
    },
}
