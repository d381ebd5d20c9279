"""Triage. Reads enriched incidents and people's decisions; decides each child's level, the victim's level,
the response, who is told and by when, what to ask, and whether a person has to look; writes decisions, each
with its receipt. Owns protocols, the screening queue and decisions. Never lowers a result by itself, and
never treats what is unknown as no."""
