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
    holder_of,
    holder_recorded,
    source_of,
    taken_of,
)
from services.enrichment.domain.families import (
    Family,
    Gathered,
    gather_families,
    number_families,
    touched_cases,
)
from services.enrichment.domain.history import digest_of, history_of, join_in_order, told_at, unavailable
from services.enrichment.domain.people import Mention, mention_from, mention_recorded, person_asked
from services.enrichment.domain.ties import Named, Ruling, Tie, explain_tie, tie

__all__ = [
    "Account",
    "Case",
    "Decided",
    "Family",
    "Gathered",
    "Mention",
    "Named",
    "Record",
    "Related",
    "Ruling",
    "Taken",
    "Tie",
    "account_from",
    "account_of",
    "case_of",
    "decided_of",
    "digest_of",
    "explain_tie",
    "gather_families",
    "history_of",
    "holder_of",
    "holder_recorded",
    "join_in_order",
    "mention_from",
    "mention_recorded",
    "number_families",
    "person_asked",
    "source_of",
    "taken_of",
    "tie",
    "told_at",
    "touched_cases",
    "unavailable",
]
