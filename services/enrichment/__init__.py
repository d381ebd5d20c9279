"""Enrichment: who these people are, and what is already known.

Reads accepted incidents, decisions and outcomes from the topics, and social care's records over HTTP.
Decides who is whom, which incidents belong to one family, and what was known before each of them. Writes
`waymark.enriched.v1`. Owns people, families, history and involvement. Never guesses: who cannot be told
from others is a new person; and never passes off a history that could not be looked up as none.
"""
