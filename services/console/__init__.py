"""The console: web pages for those who watch the system, and the same as JSON.

Reads the events of all others and asks each for its health and the broker for its offsets. Decides
nothing. Writes its own read model and nothing else. Owns what ops see: per case its ids, levels,
state, deadlines, time ledger and trace id, and the pace of each stage. Never holds or shows a person:
no name, address, birth date or account of what happened is taken off an event.
"""
