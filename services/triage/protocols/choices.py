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
        named = {"protocol.live": choice.live}
        named |= {f"protocol.then from {one.since}": one.live for one in choice.then or ()}
        for where, ref in named.items():
            live = library.get(ref)
            if live is None:
                yield f"{area.id}: {where}: there is no protocol {ref}."
            elif live.never_live is not None:
                yield f"{area.id}: {where}: {ref} may never decide. {live.never_live.because}"
        if choice.shadow is not None and library.get(choice.shadow) is None:
            yield f"{area.id}: protocol.shadow: there is no protocol {choice.shadow}."
