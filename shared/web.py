"""The web scaffolding that every service has: problem+json, health, metrics, a span per request, limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from opentelemetry.trace import Span, SpanKind, StatusCode
from prometheus_client import CONTENT_TYPE_LATEST, Histogram, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry
from shared.errors import Refused, Rejected, Retryable
from shared.interactive_docs import docs_routes

MAX_BODY_BYTES: Final = 1024 * 1024
BODY_WITHIN_S: Final = 20.0
MAX_DEPTH: Final = 32

HealthCheck = Callable[[], Awaitable[dict[str, str]]]
"""Per part one word: `up`, `degraded` or `down`."""

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_METRICS: Final = CONTENT_TYPE_LATEST.partition(";")[0]
_log = telemetry.logger()


class JsonResponse(Response):
    """JSON by orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return content if isinstance(content, bytes) else orjson.dumps(content)


def problem(
    status: int, title: str, detail: str, *, headers: dict[str, str] | None = None, **extra: Any
) -> Response:
    """An error as problem+json (RFC 9457), with the trace id to quote and nothing of the content."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return Response(orjson.dumps(body), status, media_type="application/problem+json", headers=headers or {})


def application(
    service: str,
    title: str,
    description: str,
    *,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    health: HealthCheck,
    straight: Mapping[tuple[str, str], APIRoute] | None = None,
) -> FastAPI:
    """A FastAPI app with everything that the services have in common. `straight`: see `straight_to`."""
    app = _App(
        title=title,
        description=description,
        version="1",
        lifespan=lifespan,
        default_response_class=JsonResponse,
        docs_url=None,  # ours follows: the framework's ask the public network
        redoc_url=None,
        # Newer versions make spans of their own beside ours: twice the cost, and a second server span.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.straight = _Straight(service, straight or {})
    app.add_middleware(_Observed, service=service)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(Retryable, _retryable)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_parameters)

    app.include_router(docs_routes(title))
    app.include_router(_health(health))
    return app


_STATUS: Final = {"enum": ["up", "degraded", "down"]}
_PARTS: Final = {"type": "object", "additionalProperties": _STATUS}


def _documented(description: str, media_type: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema, "example": example}}}


def _state(description: str, status: str, **parts: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["status", "parts"],
        "properties": {"status": _STATUS, "parts": _PARTS},
    }
    return _documented(description, "application/json", schema, {"status": status, "parts": parts})


def _health(health: HealthCheck) -> APIRouter:
    router = APIRouter(tags=["health"])
    lives = {"type": "object", "required": ["status"], "properties": {"status": {"const": "up"}}}
    live_responses: dict[int | str, dict[str, Any]] = {
        200: _documented("It runs.", "application/json", lives, {"status": "up"})
    }

    @router.get("/health/live", summary="Whether the process runs", responses=live_responses)
    async def live() -> JsonResponse:
        return JsonResponse({"status": "up"})

    ready_responses: dict[int | str, dict[str, Any]] = {
        200: _state("It does its work; `degraded`: with a part away.", "degraded", database="up", kafka="down"),
        503: _state("It cannot do its work now.", "down", database="down", kafka="up"),
    }

    @router.get("/health/ready", summary="Whether it can do its work, part by part", responses=ready_responses)
    async def ready() -> JsonResponse:
        parts = await health()
        worst = "down" if "down" in parts.values() else "degraded" if "degraded" in parts.values() else "up"
        return JsonResponse({"status": worst, "parts": parts}, 503 if worst == "down" else 200)

    gauge = 'waymark_outbox_unsent_events{service="intake"} 0.0\n'
    metrics_responses: dict[int | str, dict[str, Any]] = {
        200: _documented("In Prometheus's text format.", _METRICS, {"type": "string"}, gauge)
    }

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_class=Response,
        responses=metrics_responses,
    )
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 (registered for this class)
    return problem(error.status, error.title, error.detail, headers=error.headers, **error.extra)


async def _rejected(_: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)  # noqa: S101 (registered for this class)
    return problem(422, "Cannot be taken", error.reason)


async def _retryable(_: Request, error: Exception) -> Response:
    _log.warning("web.unavailable", error=str(error))
    return problem(
        503, "Not now", "Nothing was stored. Please send the same again.", headers={"Retry-After": "2"}
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (registered for this class)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        # The framework names those of one route; two routes of one path have a method each.
        headers["Allow"] = ", ".join(_methods_at(request))
    return problem(
        error.status_code, str(error.detail), "See /docs for what this service answers.", headers=headers
    )


def _methods_at(request: Request) -> list[str]:
    return [
        method
        for method in _METHODS
        for scope in ({**request.scope, "method": method},)
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    ]


async def _bad_parameters(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for this class)
    # Names of parameters are ours; what stands in a body is not.
    wrong = sorted(
        {
            "/".join(str(part) for part in one["loc"]) if one["loc"][0] != "body" else "body"
            for one in error.errors()
        }
    )
    return problem(422, "Parameters cannot be read", f"Please check: {', '.join(wrong)}.")


def straight_to(router: APIRouter, path: str, method: str) -> dict[tuple[str, str], APIRoute]:
    """The route of `router` for `path` and `method`, to be answered without the framework's layers: they
    are a third of the price of a post, and a route without parameters has no use for them. Its endpoint is
    called with the request alone; `/docs` shows it as it is declared."""
    found = next(
        route
        for route in router.routes
        if isinstance(route, APIRoute) and route.path == path and method in (route.methods or ())
    )
    return {(method, path): found}


class _App(FastAPI):
    """FastAPI with a way past its layers for the routes that are named `straight`."""

    straight: _Straight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and (scope["method"], scope["path"]) in self.straight.routes:
            await self.straight(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _Observed:
    """A server span and a duration per request; unforeseen errors become a bare 500."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._service = service
        self._seconds: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/health", "/metrics")):
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        parent = next(
            (value.decode("latin-1") for key, value in scope["headers"] if key == b"traceparent"), None
        )
        span = telemetry.start_span(
            scope["method"],
            SpanKind.SERVER,
            parent=parent,
            attributes={"http.request.method": scope["method"], "url.scheme": scope["scheme"]},
        )
        scope.setdefault("state", {})["span"] = span
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            _log.error("web.failed", method=scope["method"], error=error)
            if status == 500:
                await problem(500, "Something went wrong here", "It was logged; please try again.")(
                    scope, receive, watched
                )
        finally:
            self._observe(scope, span, status, time.perf_counter() - start)

    def _observe(self, scope: Scope, span: Span, status: int, seconds: float) -> None:
        method, path = scope["method"], getattr(scope.get("route"), "path", "unmatched")
        if span.is_recording():
            span.update_name(f"{method} {path}")
            span.set_attribute("http.route", path)
            span.set_attribute("http.response.status_code", status)
            if status >= 500:
                span.set_status(StatusCode.ERROR)
            span.end()
        observed = self._seconds.get((method, path, status))
        if observed is None:
            observed = telemetry.HTTP_SECONDS.labels(self._service, method, path, str(status))
            self._seconds[method, path, status] = observed
        observed.observe(seconds)


class _Straight(_Observed):
    """Answers some routes by itself, observed like all others."""

    def __init__(self, service: str, routes: Mapping[tuple[str, str], APIRoute]) -> None:
        super().__init__(self._answer, service)
        self.routes = routes

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = scope["route"] = self.routes[scope["method"], scope["path"]]
        await _answered_straight(route, Request(scope, receive), send)


async def _answered_straight(route: APIRoute, request: Request, send: Send) -> None:
    """Call a route's endpoint, with the answers to errors that the framework would give."""
    try:
        response: Response = await route.endpoint(request)
    except Refused as error:
        response = await _refused(request, error)
    except Rejected as error:
        response = await _rejected(request, error)
    except Retryable as error:
        response = await _retryable(request, error)
    await response(request.scope, request.receive, send)


def trace_of(request: Request) -> str:
    """The traceparent of the request's own span."""
    return telemetry.traceparent(request.scope["state"]["span"])


async def read_body(request: Request, *, limit: int = MAX_BODY_BYTES, within_s: float = BODY_WITHIN_S) -> bytes:
    """The whole body. Raises Refused: 413 as soon as it is over `limit` bytes, 408 where it has not come
    whole `within_s` seconds after it is asked for, 400 where the caller left in the middle."""
    said = request.headers.get("content-length")
    if said is not None and said.isdigit() and int(said) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
    except TimeoutError:
        raise too_slow(f"The body has to come within {within_s:g} seconds.") from None
    except ClientDisconnect:
        raise Refused(400, "Cut short", "The connection ended before the body. Nothing was stored.") from None
    return b"".join(chunks)


def too_slow(detail: str) -> Refused:
    """The answer to a body that comes too slowly; the connection ends with it."""
    return Refused(408, "Too slow", detail, headers={"Connection": "close"})


def _too_large(limit: int) -> Refused:
    return Refused(413, "Too large", f"The limit is {limit} bytes; leave attachments out.", limit_bytes=limit)


def parse_json(body: bytes) -> Any:
    """The JSON in `body`. Raises Refused: 400 where it is not JSON, 413 where it is nested too deeply."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "depth" in error.msg or "Recursion" in error.msg:
            raise too_deep() from None
        raise not_json(error.lineno, error.colno) from None
    if _depth_exceeds(parsed, MAX_DEPTH):
        raise too_deep()
    return parsed


def not_json(line: int, column: int) -> Refused:
    """The answer to what is not JSON in UTF-8."""
    return Refused(
        400,
        "Not JSON",
        f"The body could not be read as JSON in UTF-8: line {line}, column {column}.",
        line=line,
        column=column,
    )


def too_deep() -> Refused:
    """The answer to what is nested beyond all sense."""
    return Refused(413, "Nested too deeply", f"At most {MAX_DEPTH} levels are read.", limit_depth=MAX_DEPTH)


def _depth_exceeds(value: Any, levels: int) -> bool:
    """Whether objects and lists stand more than `levels` deep: level by level, since the door asks this of
    every submission."""
    inner = [value] if type(value) in (dict, list) else []
    for _ in range(levels):
        if not inner:
            return False
        inner = [
            one
            for outer in inner
            for one in (outer.values() if type(outer) is dict else outer)
            if type(one) is dict or type(one) is list
        ]
    return bool(inner)
