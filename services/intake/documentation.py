"""What `/docs` and `/openapi.json` say of intake's routes: every answer with an example of it.

All that is shown is made up. The incident's schema is the published one, as the door takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from services.intake import forms
from shared.contracts.schemas import door_schema, good_sender_schema

JSON: Final = "application/json"
CLOUD_EVENT: Final = "application/cloudevents+json"
LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
PROBLEM: Final = "application/problem+json"

SCHEMAS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "waymark.incident.door.json": cache(door_schema),
    "waymark.incident.json": cache(good_sender_schema),
}
"""The published schemas: what the door takes, and what a good sender sends."""

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
_INCIDENT: Final = {
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
_CLOUD_EVENT: Final = {
    "specversion": "1.0",
    "id": "5b3f2f0e-2b06-4f7e-8f0a-1f6c3f0b9d11",
    "source": "/northshire/records",
    "type": "uk.northshire.incident.recorded",
    "data": _INCIDENT,
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


def _refusal(description: str, status: int, title: str, detail: str, **extra: Any) -> dict[str, Any]:
    return {"description": description, **_problem(status, title, detail, **extra)}


_WAIT: Final = {
    "headers": {
        "Retry-After": {"description": "Seconds until it may be sent again.", "schema": {"type": "integer"}}
    }
}
_CALLER: Final[dict[int | str, dict[str, Any]]] = {
    401: _refusal(
        "No key or token, or one that is not good.",
        401,
        "Unknown key",
        "This key is not known, has expired or was revoked.",
    ),
    403: _refusal(
        "Another force's, or a key of another role.",
        403,
        "Another force's incident",
        "This key may post incidents of northshire only; /force says otherwise.",
        at="/force",
        kept=17,
    ),
}
_BAD_PARAMETER: Final = _refusal(
    "A parameter that cannot be read.",
    422,
    "Parameters cannot be read",
    "Please check: query/after.",
)
_NOT_NOW: Final = {
    **_refusal(
        "Not stored; send the same again after `Retry-After` seconds.",
        503,
        "Not now",
        "It could not be stored now. If it was after all, it is a repeat. Please send the same again.",
    ),
    **_WAIT,
}
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: _refusal(
        "Not JSON, or no CloudEvent.",
        400,
        "Not JSON",
        "The body could not be read as JSON in UTF-8: line 3, column 14.",
        line=3,
        column=14,
        kept=17,
    ),
    **_CALLER,
    408: _refusal("It came too slowly.", 408, "Too slow", "The body has to come within 20 seconds."),
    409: _refusal(
        "Same revision, other content: `differs` says where.",
        409,
        "Same revision, other content",
        "Revision 1 is stored with other content. Send a changed incident with a higher revision, or without"
        " one: then Waymark numbers it.",
        revision=1,
        differs=["/risk/level"],
        kept=17,
    ),
    413: _refusal(
        "Too large or nested too deeply.",
        413,
        "Too large",
        "The limit is 1048576 bytes; leave attachments out.",
        limit_bytes=1048576,
        kept=17,
    ),
    415: _refusal(
        "Not a media type that is taken here.",
        415,
        "Not a media type taken here",
        "Send it as application/json or application/cloudevents+json.",
        kept=17,
    ),
    422: _refusal(
        "Not an object, or without a readable force, reference or occurred_at.",
        422,
        "occurred_at is missing",
        "Every incident needs force, reference and occurred_at; occurred_at was not sent.",
        at="/occurred_at",
        kept=17,
    ),
    429: {
        **_refusal(
            "Too many at once.",
            429,
            "Too many",
            "One key may post 1000 a second. Nothing was stored.",
        ),
        **_WAIT,
    },
    503: _NOT_NOW,
}
_STORED: Final = {
    "description": "Stored: new, an amendment, a withdrawal or a repeat.",
    "content": {
        JSON: {
            "examples": _examples(
                accepted=_ACCEPTED,
                amended=_AMENDED,
                withdrawn={**_ACCEPTED, "revision": 3, "status": "withdrawn", "faults": [], "gaps": []},
                repeated={**_ACCEPTED, "status": "repeated"},
            )
        }
    },
}
_ANSWER_LINES: Final = {
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


@cache
def _door() -> dict[str, Any]:
    """The door's schema with its parts written out in place: references of a schema inside another document
    lead nowhere."""
    schema = door_schema()
    parts = schema.pop("$defs", {})
    for name in ("$id", "$schema"):
        schema.pop(name, None)

    def written_out(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                rest = {name: inner for name, inner in value.items() if name != "$ref"}
                return {**written_out(parts[value["$ref"].rpartition("/")[2]]), **rest}
            return {name: written_out(inner) for name, inner in value.items()}
        return [written_out(inner) for inner in value] if isinstance(value, list) else value

    return dict(written_out(schema))


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


def _cloud_event_schema() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": text,
            "type": text,
            "data": _door(),
        },
    }


POST_INCIDENT: Final[dict[str, Any]] = {
    "summary": "Post one incident",
    "description": (
        "Our own JSON, or a CloudEvent 1.0 whose data it is: structured, or binary with `ce-` headers. Only"
        " `force`, `reference` and `occurred_at` are needed. Whatever else cannot be read is kept as written,"
        " treated as unknown and named in `faults`; what is missing and could matter in `gaps`. 202 means"
        " stored. The same again gets the same answer, so a lost answer is no reason to worry."
    ),
    "responses": {202: _STORED, **_REFUSALS},
    "openapi_extra": _body(
        {
            JSON: {"schema": _door(), "example": _INCIDENT},
            CLOUD_EVENT: {"schema": _cloud_event_schema(), "example": _CLOUD_EVENT},
        }
    ),
}
POST_BATCH: Final[dict[str, Any]] = {
    "summary": "Post many incidents, one per line",
    "description": (
        "JSON lines, streamed: answers come while lines are still sent, one per line. A bad line spoils no"
        " other. `lane=bulk` lets everything else go first."
    ),
    "responses": {
        200: _ANSWER_LINES,
        **{status: _REFUSALS[status] for status in (401, 403, 415, 429, 503)},
        422: _BAD_PARAMETER,
    },
    "openapi_extra": _body(
        {LINES: {"schema": {"type": "string", "description": "One incident per line."}}},
    ),
}
POST_FORM: Final[dict[str, Any]] = {
    "summary": "Post a police form: the north or the south one",
    "description": (
        "As JSON of the form's own fields: one form, answered as an incident is. As a CSV export: a row per"
        " form, answered by a line each, `line` being the row below the header. `GET` on the same path"
        " describes the form."
    ),
    "responses": {200: _ANSWER_LINES, 202: _STORED, **_REFUSALS},
    "openapi_extra": _body(
        {
            JSON: {
                "schema": {"type": "object", "description": "The form's own fields."},
                "example": forms.describe("north")["example"],
            },
            CSV: {"schema": {"type": "string", "description": "A header, and a row per form."}},
        }
    ),
}
GET_FORM: Final[dict[str, Any]] = {
    "summary": "What a form's fields mean, and what it cannot carry",
    "responses": {200: {"description": "The form, with an example of it."}, 422: _BAD_PARAMETER},
}
GET_INCIDENT: Final[dict[str, Any]] = {
    "summary": "Where an incident is now",
    "responses": {
        200: {
            "description": "Its state, revisions, open questions, time ledger, services and their answers.",
            "content": {
                JSON: {
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
                    }
                }
            },
        },
        **_CALLER,
        404: _refusal("Not known.", 404, "Not known", "No incident with this reference was accepted."),
        422: _BAD_PARAMETER,
        503: _NOT_NOW,
    },
}
GET_OUTCOMES: Final[dict[str, Any]] = {
    "summary": "What became of the caller's incidents, in order, from a cursor",
    "description": (
        "Ask again with `after` set to `next`. Entries are numbered without gaps and never change, so none is"
        " missed. `wait` holds the answer back until there is news, at most half a minute."
    ),
    "responses": {
        200: {
            "description": "The entries after the cursor.",
            "content": {
                JSON: {
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
                    }
                }
            },
        },
        **_CALLER,
        422: _BAD_PARAMETER,
        503: _NOT_NOW,
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
GET_REFUSED: Final[dict[str, Any]] = {
    "summary": "What was refused of the caller's force, in order, from a cursor",
    "description": "The newest 2,000, for thirty days: why, when, by which key; without what was sent.",
    "responses": {
        200: {
            "description": "The entries after the cursor.",
            "content": {JSON: {"example": {"refused": [_REFUSED_ENTRY], "next": 17, "more": False}}},
        },
        **_CALLER,
        422: _BAD_PARAMETER,
        503: _NOT_NOW,
    },
}
GET_ONE_REFUSED: Final[dict[str, Any]] = {
    "summary": "One refused submission, as it was sent",
    "responses": {
        200: {
            "description": "The entry with what was sent: `text`, or `base64` where it was no text; 64 KiB at"
            " most.",
            "content": {
                JSON: {
                    "example": {
                        **_REFUSED_ENTRY,
                        "refused": {
                            **_REFUSED_ENTRY["refused"],  # type: ignore[dict-item]
                            "text": '{"force":"northshire","reference":"NS-2026-1"}',
                        },
                    }
                }
            },
        },
        **_CALLER,
        404: _refusal(
            "Not known.",
            404,
            "Not known",
            "Nothing of this number was refused, or it is kept no longer.",
        ),
        422: _BAD_PARAMETER,
        503: _NOT_NOW,
    },
}
GET_SCHEMA: Final[dict[str, Any]] = {
    "summary": "The published JSON Schemas",
    "description": (
        "`waymark.incident.door.json`: what the door takes. `waymark.incident.json`: what a good sender sends,"
        " every field with its meaning, unit and source. No key is needed."
    ),
    "responses": {
        200: {"description": "A JSON Schema (2020-12).", "content": {"application/schema+json": {}}},
        404: _refusal(
            "Not known.",
            404,
            "Not known",
            "There is waymark.incident.door.json and waymark.incident.json.",
        ),
    },
}
