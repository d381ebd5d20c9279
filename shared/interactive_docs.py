"""`/docs`: the interactive documentation of a service, from files of our own.

The framework's page loads Swagger UI from a public network, which a police network cannot reach and which
would learn who reads what. This one asks nobody but the service.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from shared.errors import Refused

FILES: Final = Path(__file__).parent / "static" / "swagger-ui"
STYLE: Final = "swagger-ui-5.35.0.css"
SCRIPTS: Final = ("swagger-ui-bundle-5.35.0.js", "start.js")
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI writes styles into elements; it runs no script of a text's."""

_SERVED: Final = {STYLE: "text/css", **dict.fromkeys(SCRIPTS, "text/javascript")}
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_PAGE: Final = """<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/{style}">
</head>
<body>
<div id="docs"></div>
<noscript>The same as a document for programs: <a href="openapi.json">openapi.json</a></noscript>
{scripts}
</body>
</html>
"""


def docs_routes(title: str) -> APIRouter:
    """`/docs` and the files it needs; `title` is what the service is called."""
    router = APIRouter(include_in_schema=False)
    scripts = "\n".join(f'<script src="docs/{name}"></script>' for name in SCRIPTS)
    page = _PAGE.format(title=html.escape(title), style=STYLE, scripts=scripts)

    @router.get("/docs")
    async def docs() -> Response:
        return Response(page, media_type="text/html", headers=_HEADERS)

    @router.get("/docs/{name}")
    async def docs_file(name: str) -> Response:
        if name not in _SERVED:
            raise Refused(404, "Not known", "See /docs.")
        return FileResponse(FILES / name, media_type=_SERVED[name], headers=_HEADERS)

    return router
