"""The refusals of intake as its documentation shows them: problem+json with an example of each. All made up."""

from __future__ import annotations

from typing import Any, Final

PROBLEM: Final = "application/problem+json"

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


def _problem(status: int, title: str, detail: str, **extra: Any) -> dict[str, Any]:
    example = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return {"content": {PROBLEM: {"schema": _PROBLEM_SCHEMA, "example": example}}}


def refusal(description: str, status: int, title: str, detail: str, **extra: Any) -> dict[str, Any]:
    """A refusal as OpenAPI has it, with an example of its body."""
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
