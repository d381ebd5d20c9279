"""Delivery: to each service, by its deadline, with only what it may see.

Reads the decisions of triage and what recipients answer. Decides who gets what, in which form and by
when: finds the recipient of each route, shows it what its role may see, sends, tries again, falls back,
escalates what is late, and replaces what has changed. Writes signed webhooks, a topic per recipient that
wants one, the pull inbox, meeting lists, and `waymark.outcomes.v1`. Owns deliveries, attempts, receipts,
inboxes and meetings.
Never decides who should be told, never lowers anything, never shows a field that nobody has allowed, and
never sends the same delivery under two ids.
"""
