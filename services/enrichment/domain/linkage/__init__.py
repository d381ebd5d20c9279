"""Record linkage: whether two records are one person, why, and who is never one.

Reads people, finds candidates by keys, weighs them field by field after Fellegi and Sunter, and holds
look-alikes apart by rule. Pure: no clock, no database, no network.
"""

from services.enrichment.domain.linkage.answering import Link, keep_incident_apart, link_among
from services.enrichment.domain.linkage.directory import Directory
from services.enrichment.domain.linkage.keys import can_be_found, full_keys, keys_of, probes_of
from services.enrichment.domain.linkage.lookalikes import are_two_people
from services.enrichment.domain.linkage.model import Weights, read_model, shipped_model
from services.enrichment.domain.linkage.person import Person, pack, read_person, unpack
from services.enrichment.domain.linkage.scoring import Decision, Match, Scorer

__all__ = [
    "Decision",
    "Directory",
    "Link",
    "Match",
    "Person",
    "Scorer",
    "Weights",
    "are_two_people",
    "can_be_found",
    "full_keys",
    "keep_incident_apart",
    "keys_of",
    "link_among",
    "pack",
    "probes_of",
    "read_model",
    "read_person",
    "shipped_model",
    "unpack",
]
