"""The report on a supplier's messages, as Markdown: readable at a terminal and in a ticket alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from waymark.conformance.costs import FieldCost
from waymark.conformance.verdict import Check, Place
from waymark.simulate.naming import NamingTable

_SHOWN: Final = 15


def report_lines(
    check: Check, naming: NamingTable | None = None, *, shown: int | None = _SHOWN
) -> Iterator[str]:
    """The report, line by line; of each table the first `shown` rows, None for all. `naming`: of a simulated
    month, how much of what was seeded is named."""
    yield f"# {check.sentence}"
    yield ""
    told = ", ".join(f"{count} would be {word}" for word, count in check.words.most_common())
    yield f"{check.messages} messages: {told or 'none would be taken'}" + _refused(check) + "."
    yield from _sequence(check)
    for title, places in (
        ("What would be refused", check.refusals.most_common()),
        ("Faults: written, and read as unknown", check.faults.most_common()),
        ("Gaps: missing where it could matter", check.gaps.most_common()),
        ("Not as a good sender writes it (the published schema)", check.breaches.most_common()),
    ):
        if places:
            named = [(str(one.count), one.at or "/", one.because, _numbers(one)) for one in places]
            yield from _table(title, ("times", "place", "why", "messages"), named, shown)
    if check.door.cannot_carry:
        rows = [(gap.at, gap.because) for gap in check.door.cannot_carry]
        yield from _table("What the form has no field for", ("place", "why"), rows, shown)
    yield from _costs(check, shown)
    if naming is not None:
        heads, *seeded = naming.lines()
        title = f"Seeded in the month: {naming.visible} visible, {naming.named} named, {naming.falsely} falsely"
        yield from _table(title, heads, seeded, None)


def _refused(check: Check) -> str:
    return f", {check.refused} refused" if check.refused else ""


def _numbers(place: Place) -> str:
    more = ", …" if place.count > len(place.numbers) else ""
    return ", ".join(map(str, place.numbers)) + more


def _sequence(check: Check) -> Iterator[str]:
    sequence = check.door.sequence
    if len(sequence.forces) > 1:
        forces = ", ".join(sorted(sequence.forces))
        yield f"- They are of {len(sequence.forces)} forces; a key is of one: {forces}."
    if check.words["repeated"]:
        yield f"- {check.words['repeated']} repeat one before them word for word: harmless."
    if sequence.backwards:
        yield f"- {sequence.backwards} carry a lower revision than one before them: kept, and not acted on."
    if sequence.unnumbered:
        yield f"- {sequence.unnumbered} have no revision: Waymark numbers them in the order of arrival."
    if sequence.earlier:
        yield f"- {sequence.earlier} were recorded before the one in front of them: sent out of order."
    if 0 < sequence.tests < sum(sequence.forces.values()):
        yield f"- {sequence.tests} are marked `test`: these reach no live recipient, the others do."
    elif sequence.tests:
        yield "- All are marked `test`: they reach no live recipient."


def _costs(check: Check, shown: int | None) -> Iterator[str]:
    costs = check.costs
    if not costs.decided:
        return
    yield ""
    yield (
        f"Decided as they are, for a family without a past: {costs.undecided} of {costs.decided} leave a"
        " question to the police that could change the result;"
        f" {costs.waiting} would reach nobody and wait for a person."
    )
    dear = [one for one in costs.by_cost() if one.asked]
    rows = [(one.about.at, f"{one.share:.0%}", str(one.asked), _could_add(one), one.because) for one in dear]
    heads = ("field", "filled", "left open in", "could add", "why it matters")
    if rows:
        yield from _table("What each gap costs", heads, rows, shown)
    other = [
        (one.about.at, f"{one.share:.0%}", str(one.lacking), one.because)
        for one in costs.by_cost()
        if one.about.serves
    ]
    if other:
        yield from _table(
            "Besides the decision", ("field", "filled", "missing in", "why it matters"), other, shown
        )


def _could_add(cost: FieldCost) -> str:
    return ", ".join(f"{name} in {count}" for name, count in cost.could_add.most_common(3)) or "handling only"


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], shown: int | None) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    kept = rows if shown is None else rows[:shown]
    cells = [[_cell(cell) for cell in row] for row in (heads, *kept)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    for number, row in enumerate(cells):
        yield _row(row, widths)
        if number == 0:
            yield _row(["-" * width for width in widths], widths)
    if len(rows) > len(kept):
        yield ""
        yield f"and {len(rows) - len(kept)} more: -o FILE or --json has them all."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _row(cells: Iterable[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
