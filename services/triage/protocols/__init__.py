"""The library of protocols: one YAML file per published version, with its cases beside it.

Published versions are never edited: a change is a new version in a new file.
"""

from __future__ import annotations

from services.triage.protocols.files import (
    LIBRARY,
    Library,
    ProtocolFault,
    load_library,
    load_protocol,
    read_protocol,
)

__all__ = ["LIBRARY", "Library", "ProtocolFault", "load_library", "load_protocol", "read_protocol"]
