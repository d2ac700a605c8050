"""The gate: follows the registry's feed, keeps an index of it, and decides `allow`, `review` or `block` for an upload.

`service.py` combines the rooms. `commands.py` (the command line) and `serve` (HTTP) are its entry points. `feed` and
`index` hold the list, and `rules` decide. The gate imports `hashing` and the protocol's messages, and nothing of the
registry. The names in `__all__` are the public interface for platforms; `Gate.open` opens a gate.
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
