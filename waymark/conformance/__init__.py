"""`waymark check-sender`: a supplier's messages judged before they are sent.

`messages` reads them from a file or an address; `door` says what the door would answer to each; `fields`
says which fields matter and which question each of them settles; `costs` decides every message as it is
and counts the questions that its gaps leave open; `verdict` puts it together, `rendering` shows it.
"""
