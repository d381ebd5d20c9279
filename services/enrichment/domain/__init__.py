"""The rules: who is whom, which family, what was known before. Pure: no I/O, no clock, no chance."""

from services.enrichment.domain.accounts import (
    Account,
    Case,
    Decided,
    Record,
    Related,
    Taken,
    account_from,
    account_of,
    case_of,
    decided_of,
    taken_of,
)
from services.enrichment.domain.families import Family, gather_families, number_families, touched_cases
from services.enrichment.domain.history import digest_of, history_of, join_in_order, told_at, unavailable
from services.enrichment.domain.people import Mention, mention_from, mention_recorded

__all__ = [
    "Account",
    "Case",
    "Decided",
    "Family",
    "Mention",
    "Record",
    "Related",
    "Taken",
    "account_from",
    "account_of",
    "case_of",
    "decided_of",
    "digest_of",
    "gather_families",
    "history_of",
    "join_in_order",
    "mention_from",
    "mention_recorded",
    "number_families",
    "taken_of",
    "told_at",
    "touched_cases",
    "unavailable",
]
