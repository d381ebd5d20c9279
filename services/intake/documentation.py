"""What `/docs` and `/openapi.json` say of intake's routes: every answer with an example of it.

All that is shown is made up. The incident's schema is the published one, as the door takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import orjson
from fastapi import Response, Security
from fastapi.security import HTTPBearer

from services.intake import forms
from services.intake.documented_answers import (
    ANSWER_LINES,
    CLOUD_EVENT,
    CLOUD_EVENT_EXAMPLE,
    CSV,
    INCIDENT_EXAMPLE,
    JSON,
    LINES,
    ONE_REFUSED,
    OUTCOMES,
    REFUSED,
    SCHEMA,
    STATE,
    STORED,
    written_out,
)
from services.intake.documented_refusals import BAD_PARAMETER, CALLER, NOT_NOW, REFUSALS, refusal
from shared.contracts.reading.needed import FORCE_PATTERN, REFERENCE_PATTERN
from shared.contracts.schemas import door_schema, good_sender_schema

SCHEMAS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "waymark.incident.door.json": cache(door_schema),
    "waymark.incident.json": cache(good_sender_schema),
}
"""The published schemas: what the door takes, and what a good sender sends."""

_OWN: Final = {"response_class": Response}
"""All schemas are here: the framework makes up none."""

_CALLS: Final = {
    **_OWN,
    "dependencies": [
        Security(
            HTTPBearer(
                scheme_name="key",
                description="A key (`waymark keys`), or a token of the authorisation server.",
                auto_error=False,  # the routes ask for it themselves, and say why not
            )
        )
    ],
}


@cache
def _door() -> dict[str, Any]:
    return written_out(door_schema())


def _body(content: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    return {"requestBody": {"required": required, "content": content}}


_LINES_EXAMPLE: Final = b"".join(
    orjson.dumps({**INCIDENT_EXAMPLE, "reference": reference}, option=orjson.OPT_APPEND_NEWLINE)
    for reference in ("NS-2026-014534", "NS-2026-014535")
).decode()
_DAY_PATTERN: Final = (
    "^(?:(?:0[1-9]|1[0-9]|2[0-8])/(?:0[1-9]|1[0-2])|(?:29|30)/(?:0[13-9]|1[0-2])|31/(?:0[13578]|1[02]))"
    "/(?:19|20)[0-9]{2}$"
)
_FORM_EXAMPLE: Final = forms.describe("north")["example"]


def _form_schema() -> dict[str, Any]:
    """What every form needs, so written that no form refuses it; more is read than this says."""
    return {
        "type": "object",
        "description": "The form's own fields, as `GET` on the same path describes them.",
        "required": ["force", "reference", "incident_date"],
        "properties": {
            "force": {"type": "string", "pattern": FORCE_PATTERN},
            "reference": {"type": "string", "pattern": REFERENCE_PATTERN},
            "incident_date": {
                "type": "string",
                "description": "Day, month, year.",
                "pattern": _DAY_PATTERN,
            },
        },
    }


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
    **_CALLS,
    "summary": "Post one incident",
    "description": (
        "Our own JSON, or a CloudEvent 1.0 whose data it is: structured, or binary with `ce-` headers. Only"
        " `force`, `reference` and `occurred_at` are needed. Whatever else cannot be read is kept as written,"
        " treated as unknown and named in `faults`; what is missing and could matter in `gaps`. 202 means"
        " stored. The same again gets the same answer, so a lost answer is no reason to worry."
    ),
    "responses": {202: STORED, **REFUSALS},
    "openapi_extra": _body(
        {
            JSON: {"schema": _door(), "example": INCIDENT_EXAMPLE},
            CLOUD_EVENT: {"schema": _cloud_event_schema(), "example": CLOUD_EVENT_EXAMPLE},
        }
    ),
}
POST_BATCH: Final[dict[str, Any]] = {
    **_CALLS,
    "summary": "Post many incidents, one per line",
    "description": (
        "JSON lines, streamed: answers come while lines are still sent, one per line. A bad line spoils no"
        " other. `lane=bulk` lets everything else go first."
    ),
    "responses": {
        200: ANSWER_LINES,
        **{status: REFUSALS[status] for status in (401, 403, 415, 429, 503)},
        422: BAD_PARAMETER,
    },
    "openapi_extra": _body(
        {LINES: {"schema": {"description": "One incident per line."}, "example": _LINES_EXAMPLE}},
        required=False,  # no lines, no answers
    ),
}
POST_FORM: Final[dict[str, Any]] = {
    **_CALLS,
    "summary": "Post a police form: the north or the south one",
    "description": (
        "As JSON of the form's own fields: one form, answered as an incident is. As a CSV export: a row per"
        " form, answered by a line each, `line` being the row below the header. `GET` on the same path"
        " describes the form."
    ),
    "responses": {200: ANSWER_LINES, 202: STORED, **REFUSALS},
    "openapi_extra": _body(
        {
            JSON: {
                "schema": _form_schema(),
                "example": _FORM_EXAMPLE["json"],
            },
            CSV: {
                "schema": {
                    "type": "string",
                    "description": "A line that names the columns, and a row per form.",
                    "pattern": "^force,reference,(?:[a-z0-9_]+,)*incident_date(?:,[a-z0-9_]+)*\\r?\\n",
                },
                "example": _FORM_EXAMPLE["csv"],
            },
        }
    ),
}
GET_FORM: Final[dict[str, Any]] = {
    **_OWN,
    "summary": "What a form's fields mean, and what it cannot carry",
    "responses": {
        200: {
            "description": "The form, with an example of it.",
            "content": {JSON: {"schema": {"type": "object"}, "example": forms.describe("north")}},
        },
        422: BAD_PARAMETER,
    },
}
GET_INCIDENT: Final[dict[str, Any]] = {
    **_CALLS,
    "summary": "Where an incident is now",
    "responses": {
        200: STATE,
        **CALLER,
        404: refusal("Not known.", 404, "Not known", "No incident with this reference was accepted."),
        422: BAD_PARAMETER,
        503: NOT_NOW,
    },
}
GET_OUTCOMES: Final[dict[str, Any]] = {
    **_CALLS,
    "summary": "What became of the caller's incidents, in order, from a cursor",
    "description": (
        "Ask again with `after` set to `next`. Entries are numbered without gaps and never change, so none is"
        " missed. `wait` holds the answer back until there is news, at most half a minute."
    ),
    "responses": {
        200: OUTCOMES,
        **CALLER,
        422: BAD_PARAMETER,
        503: NOT_NOW,
    },
}
GET_REFUSED: Final[dict[str, Any]] = {
    **_CALLS,
    "summary": "What was refused of the caller's force, in order, from a cursor",
    "description": "The newest 2,000, for thirty days: why, when, by which key; without what was sent.",
    "responses": {
        200: REFUSED,
        **CALLER,
        422: BAD_PARAMETER,
        503: NOT_NOW,
    },
}
GET_ONE_REFUSED: Final[dict[str, Any]] = {
    **_CALLS,
    "summary": "One refused submission, as it was sent",
    "responses": {
        200: ONE_REFUSED,
        **CALLER,
        404: refusal(
            "Not known.",
            404,
            "Not known",
            "Nothing of this number was refused, or it is kept no longer.",
        ),
        422: BAD_PARAMETER,
        503: NOT_NOW,
    },
}
GET_SCHEMA: Final[dict[str, Any]] = {
    **_OWN,
    "summary": "The published JSON Schemas",
    "description": (
        "`waymark.incident.door.json`: what the door takes. `waymark.incident.json`: what a good sender sends,"
        " every field with its meaning, unit and source. No key is needed."
    ),
    "responses": {
        200: {
            "description": "A JSON Schema (2020-12).",
            "content": {SCHEMA: {"schema": {"type": "object"}, "example": good_sender_schema()}},
        },
        404: refusal(
            "Not known.",
            404,
            "Not known",
            "There is waymark.incident.door.json and waymark.incident.json.",
        ),
    },
    "openapi_extra": {
        "parameters": [
            {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "enum": [*SCHEMAS]}}
        ]
    },
}
