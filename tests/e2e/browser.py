"""A real Chromium, driven by Playwright: what a page shows, what it complains of, and what axe finds in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Page, Request, Response, async_playwright

PICTURES = os.environ.get("WAYMARK_TEST_PICTURES")
"""Where to leave pictures of the pages, for whoever wants to look."""
NEEDED = "needs Chromium: apt-get install chromium"


def found() -> str | None:
    """Where Chromium is; None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Tab:
    """One page of a browser of its own. `complaints`: what it refused or could not load, and scripts' errors;
    `statuses`: the answer to each address."""

    page: Page
    javascript: bool = True
    complaints: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)

    def heard(self, said: ConsoleMessage) -> None:
        """Note an error that the browser tells of."""
        if said.type == "error":
            self.complaints.append(said.text)

    def answered(self, answer: Response) -> None:
        """Note how an address was answered."""
        self.statuses[answer.url] = answer.status

    def failed(self, asked: Request) -> None:
        """Note what could not be loaded; a stream of news ends when its page is left."""
        if not asked.url.endswith("/live"):
            self.complaints.append(str(asked.failure))

    async def go(self, url: str) -> None:
        """Open an address and wait until all of it is there."""
        await self.page.goto(url, wait_until="load")

    async def violations(self) -> list[str]:
        """What axe finds against the accessibility guidelines: rule and place. It is a script itself, so the
        page has to allow scripts: without them it would wait for ever."""
        assert self.javascript, "axe needs a tab with javascript"
        found: dict[str, Any] = (await Axe().run(self.page)).response
        return [f"{one['id']}: {node['target']}" for one in found["violations"] for node in one["nodes"]]


@asynccontextmanager
async def tab(*, width: int = 1200, javascript: bool = True) -> AsyncIterator[Tab]:
    """A tab with nothing remembered, so many pixels wide."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found(), args=["--no-sandbox"])
        try:
            context = await browser.new_context(
                viewport={"width": width, "height": 900}, java_script_enabled=javascript
            )
            context.set_default_timeout(15_000)
            opened = Tab(await context.new_page(), javascript)
            opened.page.on("console", opened.heard)
            opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
            opened.page.on("requestfailed", opened.failed)
            opened.page.on("response", opened.answered)
            yield opened
        finally:
            await browser.close()


async def picture(tab: Tab, name: str, width: int = 1200) -> None:
    """Leave a picture of the page, at a desk `NAME.jpg` and on a telephone `NAME-320.jpg`, where somebody asked
    for pictures."""
    if PICTURES:
        place = Path(PICTURES) / (f"{name}.jpg" if width == 1200 else f"{name}-{width}.jpg")
        await tab.page.screenshot(path=place, full_page=True, type="jpeg", quality=50, scale="css")


async def sound(tab: Tab, name: str) -> None:
    """The page as it stands shuts nobody out, fits a narrow window, is light, and nothing ran in it."""
    assert await tab.violations() == [], name
    for width in (320, 1200):
        await tab.page.set_viewport_size({"width": width, "height": 900})
        await picture(tab, name, width)
        wide = await tab.page.evaluate(
            "[...document.querySelectorAll('main *')].filter((one) => "
            f"one.getBoundingClientRect().right > {width}).map((one) => one.outerHTML.slice(0, 80))"
        )
        sideways = await tab.page.evaluate("document.documentElement.scrollWidth")
        assert sideways <= width, f"{name} scrolls sideways at {width}: {wide}"
    size = await tab.page.evaluate(
        "performance.getEntries().reduce((sum, one) => sum + (one.decodedBodySize || 0), 0)"
    )
    assert size < 200_000, name
    assert await tab.page.evaluate("[...document.scripts].every((one) => one.src)")
