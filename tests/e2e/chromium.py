"""Headless Chromium over its own debugging protocol: enough to read a page as a person's browser does."""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

# Without the last four it looks up hosts outside at every start.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
)


def found() -> str | None:
    """Where Chromium is; None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One tab. `complaints`: what the browser refused or could not load, and errors of scripts."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session: str) -> None:
        self._socket = socket
        self._session = session
        self._number = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._loaded = asyncio.Event()
        self.complaints: list[str] = []
        self.statuses: dict[str, int] = {}
        self.bytes = 0
        self._reading = asyncio.create_task(self._read())

    async def call(self, method: str, **params: Any) -> Any:
        """One command of the protocol."""
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json(
            {"id": self._number, "method": method, "params": params, "sessionId": self._session}
        )
        return await asyncio.wait_for(answer, 30)

    async def _read(self) -> None:
        async for message in self._socket:
            said = message.json()
            if said.get("id") in self._answers:
                self._answers.pop(said["id"]).set_result(said.get("result", {}))
            self._note(said.get("method", ""), said.get("params", {}))

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Network.responseReceived":
            self.statuses[params["response"]["url"]] = params["response"]["status"]
        elif method == "Network.dataReceived":
            self.bytes += params["dataLength"]
        elif method == "Network.loadingFailed" and not params.get("canceled"):
            self.complaints.append(params["errorText"])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"])

    async def width(self, pixels: int) -> None:
        """Make the window so wide."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=pixels, height=900, deviceScaleFactor=1, mobile=False
        )

    async def go(self, url: str) -> None:
        """Open an address and wait until all of it is there."""
        self.bytes = 0
        async with self.loading():
            await self.call("Page.navigate", url=url)

    @asynccontextmanager
    async def loading(self) -> AsyncIterator[None]:
        """What is done inside opens a page: wait for it."""
        self._loaded.clear()
        yield
        await asyncio.wait_for(self._loaded.wait(), 30)

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def keys(self, text: str) -> None:
        """Type text into what has the focus."""
        await self.call("Input.insertText", text=text)

    async def press(self, key: str, code: int) -> None:
        """Press and release one key."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text
            )

    async def picture(self) -> bytes:
        """The whole page as PNG."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    async def close(self) -> None:
        """Stop listening."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


@asynccontextmanager
async def page(javascript: bool = True) -> AsyncIterator[Page]:
    """A tab of a browser of its own, with nothing remembered."""
    binary = found()
    assert binary is not None
    profile = tempfile.mkdtemp(prefix="waymark-chromium-")
    process = await asyncio.create_subprocess_exec(
        binary,
        *_FLAGS,
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port, path = await _address(Path(profile) / "DevToolsActivePort")
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0) as socket,
        ):
            await socket.send_json({"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}})
            target = (await _answer(socket, 1))["targetId"]
            attach = {"targetId": target, "flatten": True}
            await socket.send_json({"id": 2, "method": "Target.attachToTarget", "params": attach})
            tab = Page(socket, (await _answer(socket, 2))["sessionId"])
            for domain in ("Page", "Network", "Runtime", "Log"):
                await tab.call(f"{domain}.enable")
            if not javascript:
                await tab.call("Emulation.setScriptExecutionDisabled", value=True)
            try:
                yield tab
            finally:
                await tab.close()
    finally:
        process.terminate()
        await process.wait()
        await asyncio.to_thread(shutil.rmtree, profile, ignore_errors=True)


async def _address(place: Path) -> tuple[str, str]:
    for _ in range(600):
        lines = await asyncio.to_thread(_lines, place)
        if len(lines) >= 2:
            return lines[0], lines[1]
        await asyncio.sleep(0.05)
    raise AssertionError("Chromium did not start")


def _lines(place: Path) -> list[str]:
    return place.read_text().splitlines() if place.exists() else []


async def _answer(socket: aiohttp.ClientWebSocketResponse, number: int) -> Any:
    while True:
        said = await socket.receive_json()
        if said.get("id") == number:
            return said["result"]
