"""Record linkage: whether two records are one person, why, and who is never one.

Reads people, finds candidates by keys, weighs them field by field after Fellegi and Sunter, and holds
look-alikes apart by rule. Pure: no clock, no database, no network.
"""

from services.enrichment.domain.linkage.directory import Directory, Link
from services.enrichment.domain.linkage.keys import keys_of, probes_of
from services.enrichment.domain.linkage.model import Weights, read_model, shipped_model
from services.enrichment.domain.linkage.person import Person, read_person
from services.enrichment.domain.linkage.scoring import Decision, Match, Scorer

__all__ = [
    "Decision",
    "Directory",
    "Link",
    "Match",
    "Person",
    "Scorer",
    "Weights",
    "keys_of",
    "probes_of",
    "read_model",
    "read_person",
    "shipped_model",
]
