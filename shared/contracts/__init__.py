"""The contracts: the only place where services meet. One module per event; `topics.py` says who writes
and who reads what. Frozen: fields may be added, a break is a new class and a new topic."""
