"""The gate: follows the registry's feed, keeps the index, and decides `allow`, `review` or `block` for an upload.

`service.py` puts the rooms together, `commands.py` and `serve` are its two doors; `feed` and `index` hold the list,
`rules` decide. It imports `hashing`, and nothing of the registry but the messages. The names in `__all__` are public;
`Gate.open` makes a gate.
"""

from takeback.gate.feed.follow import FeedPosition
from takeback.gate.rules.decision import Decision, Feed, Match
from takeback.gate.rules.media import MediaKind
from takeback.gate.rules.policy import Action, Policy
from takeback.gate.service import Gate, Status, Synced
from takeback.protocol import Verdict

__all__ = [
    "Action",
    "Decision",
    "Feed",
    "FeedPosition",
    "Gate",
    "Match",
    "MediaKind",
    "Policy",
    "Status",
    "Synced",
    "Verdict",
]
