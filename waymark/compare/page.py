"""The comparison as one HTML page: pictures in SVG, a table beside each, nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup

from services.triage.protocols.wording import named
from shared import vocabulary as v
from waymark.compare.figures import share

WIDTH: Final = 860
LEFT: Final = 210
ROW: Final = 26
HOURS_OF: Final = ("childrens_services", "marac", "other_services", "screening")
GROUPS: Final = {
    "all": "all families", "high": "rated high", "pregnant": "victim pregnant", "injured": "somebody injured",
    "weapon": "a weapon",
}  # fmt: skip


def write_page(document: Mapping[str, Any], lessons: str = "") -> str:
    """The whole page. `lessons`: HTML of what the comparison teaches, put first."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape(), trim_blocks=True,
        lstrip_blocks=True, undefined=_strict(),
    )  # fmt: skip
    environment.globals.update(
        named=named, share=share, shade=shade, rungs=v.CSS_RESPONSES, groups=GROUPS, hours_of=HOURS_OF,
        stacked=stacked, diverging=diverging,
    )  # fmt: skip
    protocols = document["protocols"]
    services = [one for one in v.SERVICES if any(p["services"].get(one) for p in protocols)]
    return environment.get_template("page.html").render(
        document=document,
        protocols=protocols,
        services=services,
        lessons=Markup(lessons),  # noqa: S704 (ours)
    )


def _strict() -> Any:
    from jinja2 import StrictUndefined

    return StrictUndefined


def shade(part: float, whole: float) -> Markup:
    """A cell's background by its share: from paper to full; the text stays readable on each."""
    step = 0 if not whole else min(6, round(6 * part / whole))
    return Markup(f"heat-{step}")  # noqa: S704


def stacked(
    title: str,
    what: str,
    rows: Sequence[tuple[str, Sequence[float]]],
    parts: Sequence[str],
    unit: str = "",
    tones: Sequence[int] = range(6),
) -> Markup:
    """Horizontal bars, each of several parts, one per row. `tones`: per part from pale (0) to dark (5)."""
    most = max((sum(values) for _, values in rows), default=1) or 1
    plot = WIDTH - LEFT - 70
    height = len(rows) * ROW + 46
    told = [_legend(parts, tones)]
    for i, (label, values) in enumerate(rows):
        y = 34 + i * ROW
        told.append(
            f'<text class="label" x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(label)}</text>'
        )
        x = float(LEFT)
        for n, value in enumerate(values):
            width = plot * value / most
            if width <= 0:
                continue
            wide = max(width - 1, 0.5)
            told.append(
                f'<rect class="part-{tones[n]}" x="{x:.1f}" y="{y}" width="{wide:.1f}" height="20">'
                f"<title>{escape(label)}, {escape(named(parts[n]))}: {value:g}{unit}</title></rect>"
            )
            if width > 24:
                at = f'x="{x + width / 2:.1f}" y="{y + 14}"'
                told.append(f'<text class="in-{tones[n]}" {at} text-anchor="middle">{value:,.0f}</text>')
            x += width
        told.append(f'<text class="sum" x="{x + 6:.1f}" y="{y + 15}">{sum(values):,.0f}{unit}</text>')
    return _svg(title, what, height, told)


def _label(label: str, y: int) -> str:
    return f'<text class="label" x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(label)}</text>'


def _legend(parts: Sequence[str], tones: Sequence[int]) -> str:
    told, x = [], float(LEFT)
    for n, part in enumerate(parts):
        name = named(part)
        told.append(
            f'<rect class="part-{tones[n]}" x="{x:.0f}" y="6" width="14" height="14"/>'
            f'<text class="key" x="{x + 19:.0f}" y="17">{escape(name)}</text>'
        )
        x += 36 + 6.4 * len(name)
    return "".join(told)


def diverging(title: str, what: str, rows: Sequence[tuple[str, int, int]]) -> Markup:
    """Per row how many go down (to the left) and up (to the right)."""
    most = max((max(down, up) for _, down, up in rows), default=1) or 1
    middle = LEFT + (WIDTH - LEFT) / 2
    half = (WIDTH - LEFT) / 2 - 40
    told = [
        f'<text class="key" x="{middle - 8}" y="17" text-anchor="end">goes down</text>',
        f'<text class="key" x="{middle + 8}" y="17">goes up</text>',
        f'<line class="axis" x1="{middle}" x2="{middle}" y1="24" y2="{len(rows) * ROW + 34}"/>',
    ]
    for i, (label, down, up) in enumerate(rows):
        y = 30 + i * ROW
        told.append(
            f'<text class="label" x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(label)}</text>'
        )
        left, right = half * down / most, half * up / most
        told.append(
            f'<rect class="down" x="{middle - left:.1f}" y="{y}" width="{left:.1f}" height="20"/>'
            f'<rect class="up" x="{middle:.1f}" y="{y}" width="{right:.1f}" height="20"/>'
            f'<text class="sum" x="{middle - left - 6:.1f}" y="{y + 15}" text-anchor="end">{down or ""}</text>'
            f'<text class="sum" x="{middle + right + 6:.1f}" y="{y + 15}">{up or ""}</text>'
        )
    return _svg(title, what, len(rows) * ROW + 40, told)


def _svg(title: str, what: str, height: float, told: Sequence[str]) -> Markup:
    name = "".join(letter for letter in title.lower() if letter.isalnum())
    return Markup(  # noqa: S704 (every word in it is escaped above)
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(what)}</desc>'
        f"{''.join(told)}</svg>"
    )
