"""The good answers of intake as its documentation shows them: a schema and an example of each. All made up."""

from __future__ import annotations

from typing import Any, Final

from shared.contracts.accepted import Accepted

JSON: Final = "application/json"
CLOUD_EVENT: Final = "application/cloudevents+json"
LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
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


def _examples(**said: Any) -> dict[str, Any]:
    return {name: {"value": value} for name, value in said.items()}


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
