"""The gate: follows the registry's feed, keeps the index, and decides `allow`, `review` or `block` for an upload.

`service.py` puts the rooms together, `commands.py` and `serve` are its two doors; `feed` and `index` hold the list,
`rules` decide. It imports `hashing`, and nothing of the registry but the messages. Platforms use the names below.
"""

from takeback.gate.rules.decision import Decision, Match
from takeback.gate.rules.policy import Action, Policy
from takeback.gate.service import Gate, Status, Synced
from takeback.protocol import Verdict

__all__ = ["Action", "Decision", "Gate", "Match", "Policy", "Status", "Synced", "Verdict"]
