"""What the console asks of the other services for the person who is looking, by what they signed in with: each
service decides what this person may see and do, as if they had asked it themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import orjson

from services.console.access import Viewer
from services.console.settings import Settings
from shared.errors import Refused

_WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said: the status, and the document or the problem."""

    status: int
    said: Mapping[str, Any]

    @property
    def well(self) -> bool:
        """Whether it did what was asked."""
        return self.status < 400


@dataclass(frozen=True, slots=True)
class File:
    """A file of another service's, to be passed on: its bytes, and what it says of itself."""

    content: bytes
    headers: Mapping[str, str]


class Others:
    """Asks intake, enrichment, triage and delivery. Connections are kept."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http: aiohttp.ClientSession | None = None

    async def get(self, viewer: Viewer, service: str, path: str, **query: Any) -> Mapping[str, Any]:
        """What stands there. Raises Refused: as the service refused, or 503 where it does not answer."""
        answer = await self._ask("GET", viewer, service, path, query=query)
        if not answer.well:
            raise Refused(answer.status, str(answer.said.get("title")), str(answer.said.get("detail")))
        return answer.said

    async def file(self, viewer: Viewer, service: str, path: str, **query: Any) -> File:
        """The file that stands there. Raises Refused as `get` does."""
        async with self._asked("GET", viewer, service, path, query=query) as answer:
            content = await answer.read()
            if answer.status >= 400:
                said = orjson.loads(content)
                raise Refused(answer.status, str(said.get("title")), str(said.get("detail")))
            named = ("Content-Type", "Content-Disposition")
            return File(content, {name: answer.headers[name] for name in named if name in answer.headers})

    async def post(self, viewer: Viewer, service: str, path: str, body: Mapping[str, Any]) -> Answer:
        """Have something done. Raises Refused (503) where the service does not answer."""
        return await self._ask("POST", viewer, service, path, body=body)

    async def delete(self, viewer: Viewer, service: str, path: str) -> Answer:
        """Have something ended. Raises Refused (503) where the service does not answer."""
        return await self._ask("DELETE", viewer, service, path)

    async def close(self) -> None:
        """Give the connections back."""
        if self._http is not None:
            await self._http.close()

    async def _ask(
        self,
        method: str,
        viewer: Viewer,
        service: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        async with self._asked(method, viewer, service, path, query=query, body=body) as answer:
            said = orjson.loads(await answer.read())
            return Answer(answer.status, said if isinstance(said, dict) else {})

    @asynccontextmanager
    async def _asked(
        self,
        method: str,
        viewer: Viewer,
        service: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        address = self._settings.address_of(service)
        if address is None:
            raise _away(service)
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_WITHIN_S))
        try:
            async with self._http.request(
                method,
                address + quote(path, safe="/%"),
                params={name: str(value) for name, value in (query or {}).items() if value is not None},
                json=body,
                headers={"Authorization": viewer.bearer},
            ) as answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError):
            raise _away(service) from None


def _away(service: str) -> Refused:
    return Refused(
        503,
        f"{service.capitalize()} does not answer just now",
        "Nothing is lost, and what you wrote is not sent. Try again in a moment.",
    )
