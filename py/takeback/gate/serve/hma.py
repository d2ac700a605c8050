"""Speaks as Meta's hasher-matcher-actioner does, so that its callers need only a new address.

Differences: a file's hashes include every type that is known here, `url` is refused because the sidecar never
fetches anything, and no look-up is left to chance.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from starlette.responses import Response

from takeback.errors import InvalidMessage, InvalidSignal
from takeback.gate.decision import Decision, Match
from takeback.gate.index import usable
from takeback.gate.policy import Action
from takeback.gate.serve.uploads import Upload
from takeback.hashing import hash_picture
from takeback.signals import Signal, SignalType, Variant

BANK: Final = "TAKEBACK"
"""The bank of what blocks."""
REVIEW_BANK: Final = "TAKEBACK_REVIEW"
"""The bank of what asks for a review."""
CALLERS_QUALITY: Final = 100
"""A look-up brings no quality; its callers drop hashes below the floor themselves, as that system does."""
_TYPES: Final = {
    "pdq": SignalType.PDQ,
    "sha256": SignalType.SHA256,
    "md5": SignalType.MD5,
    "video_md5": SignalType.MD5,
}
_ID_DIGITS: Final = 13
"""Hex digits of an entry that make its number: 52 bits, which every JSON reader keeps."""

type Banks = dict[str, list[dict[str, object]]]


def signal_of(query: Mapping[str, str]) -> Signal:
    """The signal that `GET /m/lookup` asks for."""
    if "url" in query:
        raise InvalidMessage("the sidecar fetches nothing: send the file by POST", "url")
    name, value = query.get("signal_type", ""), query.get("signal", "")
    if name not in _TYPES:
        raise InvalidMessage(f"signal_type is one of {', '.join(_TYPES)}", "signal_type")
    kind = _TYPES[name]
    try:
        return Signal(kind, value, CALLERS_QUALITY if kind is SignalType.PDQ else None)
    except InvalidSignal as error:
        raise InvalidMessage(str(error), "signal") from error


def hashes(upload: Upload, query: Mapping[str, str]) -> dict[str, str]:
    """The hashes of a file by type; `types` chooses among them. A PDQ below the quality floor is empty, as there."""
    found = {
        signal.type.value: signal.value if usable(signal) else ""
        for signal in hash_picture(upload.data).signals
        if signal.variant is Variant.WHOLE
    }
    wanted = [name.strip() for name in query.get("types", ",".join(found)).split(",")]
    if unknown := [name for name in wanted if name not in found]:
        raise InvalidMessage(f"there is no signal type {unknown[0][:20]!r} here; there are {', '.join(found)}", "types")
    return {name: found[name] for name in wanted}


def banks(matches: Iterable[Match]) -> Banks:
    """The matches by bank."""
    found: Banks = defaultdict(list)
    for match in matches:
        found[BANK if match.action is Action.BLOCK else REVIEW_BANK].append(
            {
                "bank_content_id": int(match.entry[:_ID_DIGITS], 16),
                "distance": str(match.distance),
                "entry": match.entry,
            }
        )
    return found


def banks_by_type(hashed: Iterable[str], decision: Decision) -> dict[str, Banks]:
    """The matches of a file by type of signal and by bank."""
    return {name: banks(m for m in decision.matches if m.type == name) for name in hashed}


def problem(status: int, _code: str, text: str, _field: str) -> Response:
    """An error as that system words it; a file that cannot be read is the caller's fault there."""
    return Response(
        msgspec.json.encode({"message": text}),
        status_code=400 if status == 422 else status,
        media_type="application/json",
    )
