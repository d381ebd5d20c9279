"""Intake: the front door.

Reads police incidents over HTTP, and from triage and delivery what became of them. Decides whether a
submission is readable, new, an amendment or a repeat, and names what is unreadable or missing. Writes
`waymark.incidents.v1`, the newest revision of each case. Owns the raw submissions (verbatim), the
case's id, the answers given, and what the police may know of outcomes. Never decides what a case needs,
never refuses a badly written fact, and never answers 202 before it is stored.
"""
