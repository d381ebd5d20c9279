"""A council's register from files: what `waymark records import` does.

`columns` says what the tables of a CSV folder hold; `files` reads a folder, JSON lines or one document
entry by entry; `slices` puts entries together; `sender` posts them; `journal` remembers beside the file what
was answered, so that an interrupted import goes on where it stopped; `report` says what was left out.
"""

from __future__ import annotations

from services.enrichment.importing.files import Source, open_source
from services.enrichment.importing.journal import Journal, Task
from services.enrichment.importing.report import Report
from services.enrichment.importing.sender import Sender

__all__ = ["Journal", "Report", "Sender", "Source", "Task", "open_source"]
