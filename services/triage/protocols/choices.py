"""What areas choose to decide by, checked against the library."""

from __future__ import annotations

from collections.abc import Iterator

from services.triage.protocols.files import Library
from shared.areas import Areas


def unfit_choices(library: Library, areas: Areas) -> Iterator[str]:
    """A sentence for every choice that cannot stand: no such protocol, or one kept to compare with.

    A shadow only counts differences and may be any protocol.
    """
    for area in areas.by_id.values():
        choice = area.rules.protocol
        live = library.get(choice.live)
        if live is None:
            yield f"{area.id}: protocol.live: there is no protocol {choice.live}."
        elif live.never_live is not None:
            yield f"{area.id}: protocol.live: {choice.live} may never decide. {live.never_live.because}"
        if choice.shadow is not None and library.get(choice.shadow) is None:
            yield f"{area.id}: protocol.shadow: there is no protocol {choice.shadow}."
