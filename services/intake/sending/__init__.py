"""Posting incidents from a file to a running intake: what `waymark send` does.

`files` reads the file item by item; `sender` posts the items and waits where the door asks for it;
`journal` remembers beside the file what was answered, so that an interrupted sending goes on where it
stopped; `report` says what became of each, and why.
"""

from __future__ import annotations

from services.intake.sending.files import Item, Source, incidents_in, items_of, open_source
from services.intake.sending.journal import Journal
from services.intake.sending.report import Outcome, Report
from services.intake.sending.sender import Sender

__all__ = [
    "Item", "Journal", "Outcome", "Report", "Sender", "Source", "incidents_in", "items_of", "open_source",
]  # fmt: skip
