"""The look-up service: small sites ask a trusted host about fingerprints, and the list stays with the host.

`remote.py` is the client, `RemoteGate`, for a site: it hashes an upload (`reading.py`) and asks. It needs httpx,
msgspec and Pillow, and nothing of the gate. `messages.py` defines what both sides say, `refusals.py` the errors.
`service` is the server, over a gate's folder; `commands.py`, `takeback lookup`, is its command line. The names in
`__all__` are the public interface.
"""

from takeback.lookup.refusals import LookUpAway, TooManyQuestions
from takeback.lookup.remote import RemoteDecision, RemoteGate, WhenAway
from takeback.protocol import Action, Verdict

__all__ = ["Action", "LookUpAway", "RemoteDecision", "RemoteGate", "TooManyQuestions", "Verdict", "WhenAway"]
