"""The gate: follows the registry's feed, keeps the index, and decides `allow`, `review` or `block` for an upload.

The names in `__all__` are public; `Gate.open` makes a gate.
"""

from takeback.gate.decision import Decision, Feed, Match
from takeback.gate.follow import Position
from takeback.gate.media import Kind
from takeback.gate.policy import Action, Policy
from takeback.gate.service import Gate, Status, Synced
from takeback.protocol import Verdict

__all__ = ["Action", "Decision", "Feed", "Gate", "Kind", "Match", "Policy", "Position", "Status", "Synced", "Verdict"]
