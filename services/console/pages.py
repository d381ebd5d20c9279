"""How pages are made: templates, words in them, and the headers that keep a page to itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.domain import pace, times
from services.console.domain.condition import Notice
from services.console.navigation import entries_for
from services.console.views import RESPONSES

HERE: Final = Path(__file__).parent
STYLES: Final = ("vendor/govuk-frontend-6.3.0.min.css", "console.css")
SCRIPT: Final = "live.js"

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    # `no-referrer` would make browsers post our own forms with `Origin: null`.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

SERVICE_WORDS: Final = {
    "camhs": "CAMHS",
    "childrens_services": "children's services",
    "child_idva": "child IDVA",
    "idva": "IDVA",
    "marac": "MARAC",
}
"""Where a service is called otherwise than its code."""

STATE_COLOURS: Final = {
    "in_flight": "blue",
    "held": "yellow",
    "routed": "green",
    "no_recipient_by_rule": "grey",
    "superseded": "grey",
    "withdrawn": "grey",
    "dead_lettered": "red",
    "up": "green",
    "degraded": "yellow",
    "down": "red",
    "unreachable": "red",
    "unknown": "grey",
}


class Pages:
    """Renders templates. Made once, at the door; the files of an installed release do not change."""

    def __init__(self, trace_page: str | None = None) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            styles=[_versioned(name) for name in STYLES],
            script=_versioned(SCRIPT),
            outline=pace.outline,
            case_link=case_link,
            screening_link=screening_link,
            condition=list,
            trace_page=trace_page,
            entries_for=entries_for,
            with_query=with_query,
            responses=RESPONSES,
            state_colours=STATE_COLOURS,
        )
        filters: dict[str, Callable[..., str]] = {
            "duration": lambda ms: "–" if ms is None else times.say_duration(ms),
            "day": lambda day: times.say_day(date.fromisoformat(day[:10])),
            "short_day": lambda day: f"{date.fromisoformat(day[:10]):%-d %b %Y}",
            "minute": lambda moment: f"{_read(moment).astimezone(times.LOCAL):%A %-d %B %Y, %H:%M}",
            "exact": lambda moment: times.exact(_read(moment)),
            "clock": lambda moment: f"{_read(moment).astimezone(times.LOCAL):%H:%M:%S}",
            "offset": times.say_offset,
            "words": lambda text: SERVICE_WORDS.get(str(text), str(text).replace("_", " ")),
            "shortened": shortened,
            "fact": say_fact,
        }
        self._environment.filters.update(filters)

    def put_on_top(self, told: Callable[[], Sequence[Notice]]) -> None:
        """At the top of every page of those who run the system stands what `told()` gives."""
        self._environment.globals["condition"] = told

    def page(self, template: str, *, code: int = 200, **shown: Any) -> HTMLResponse:
        """A page."""
        text = self._environment.get_template(template).render(code=code, **shown)
        return HTMLResponse(text, code)


def case_link(case: str) -> str:
    """The address of a case's page. A browser folds `.` and `..` in a path away, so these go as a query."""
    if any(part in ("", ".", "..") for part in case.split("/")):
        return f"/case?{urlencode({'id': case})}"
    return f"/cases/{quote(case, safe='/')}"


def screening_link(case: str) -> str:
    """The address of a case's page on the screening board."""
    return f"/screening/{quote(case, safe='/')}"


def with_query(path: str, **query: str | None) -> str:
    """A path with those parts of a query that are there."""
    found = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(found)}" if found else path


def say_fact(value: Any) -> str:
    """A fact as a reason stands on it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(say_fact(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {say_fact(one)}" for name, one in value.items())
    return "none" if value is None else str(value).replace("_", " ")


def shortened(text: str, length: int = 34) -> str:
    """Text cut to a length, as a label that cannot wrap has to be."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def wants_page(request: Request) -> bool:
    """Whether the answer goes to a person's browser."""
    path = request.url.path
    return not path.startswith(("/v1/", "/health/", "/metrics")) and "text/html" in request.headers.get(
        "accept", ""
    )


class KeptToItself:
    """Headers on every answer: nothing from outside is loaded, nothing is framed, nothing is cached."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A style sheet's address has its content's digest in it; everything else is of the moment.
        lasting = scope["path"].startswith("/static/") and b"v=" in scope["query_string"]
        caching = b"public, max-age=31536000, immutable" if lasting else b"no-store"

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS, (b"cache-control", caching)]
            await send(message)

        await self._app(scope, receive, guarded)


def _versioned(name: str) -> str:
    content = (HERE / "static" / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def _read(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(UTC)
