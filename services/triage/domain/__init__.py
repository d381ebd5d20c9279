"""The rules of triage: facts, protocols, the engine, receipts. No I/O; time and ids come in as arguments.

`facts` the vocabulary of facts; `family`, `evidence`, `people`, `past` derive them; `conditions`, `protocol`
the rules; `engine` what they say; `routing` where to and by when; `questions` what to ask and who looks;
`receipt` the decision as canonical data. `decide` is the whole of it.
"""

from __future__ import annotations

from services.triage.domain.receipt import ENGINE, Receipt, decide

__all__ = ["ENGINE", "Receipt", "decide"]
