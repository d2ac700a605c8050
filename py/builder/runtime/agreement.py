"""How close the browser's hashes must be to the native ones: PROTOCOL.md, "The frames of a video"."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from takeback.signals import SignalType, frames_of, hamming_distance, patches_of

type HashAnswer = Mapping[str, Any]
"""The result of hashing: `signals`, `quality`, `width`, `height`, `format`; or `error`."""

MAX_PDQ_BITS: Final[Mapping[str, int]] = MappingProxyType({"JPEG": 2, "MPO": 2, "AVIF": 6, "HEIC": 6, "JXL": 6})
"""PDQ bits that may differ, by format, where browser and native decoders differ; all other pictures are equal."""
MAX_PHASH_BITS: Final[Mapping[str, int]] = MappingProxyType({"JPEG": 4, "MPO": 4, "AVIF": 6, "HEIC": 6, "JXL": 6})
"""phash bits that may differ. The browser's libjpeg smooths subsampled colours differently where they clip."""
MAX_PATCH_BITS: Final = 4
"""Bits within which two local hashes are of one region."""
MIN_SHARED_PATCHES: Final = 0.75
"""Share of a frame's local hashes that both choose, where decoders differ; elsewhere they are equal."""
MIN_MATCHED_QUALITY: Final = 50
"""Hashes of lower quality are not matched, so any difference is allowed."""


def difference(browser: HashAnswer, native: HashAnswer) -> str:
    """Describes how two answers differ by more than allowed; empty if they agree."""
    if "error" in browser or "error" in native:
        codes = _code(browser), _code(native)
        return "" if codes[0] == codes[1] else f"browser: {codes[0]}, native: {codes[1]}"
    for part in ("format", "width", "height"):
        if browser[part] != native[part]:
            return f"{part}: browser {browser[part]}, native {native[part]}"
    ours, theirs = _by_view(browser["signals"]), _by_view(native["signals"])
    if ours.keys() != theirs.keys():
        return (
            f"browser lacks {sorted(theirs.keys() - ours.keys())}, native lacks {sorted(ours.keys() - theirs.keys())}"
        )
    apart = [_apart(view, ours[view], theirs[view], browser["format"]) for view in ours]
    return "; ".join(filter(None, apart))


def _code(answer: HashAnswer) -> str:
    """The code of an error, or `hashed`."""
    error = answer.get("error")
    return "hashed" if error is None else str(error["code"] if isinstance(error, Mapping) else error)


def _by_view(signals: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The signals by type and variant."""
    return {(str(signal["type"]), str(signal.get("variant", "whole"))): signal for signal in signals}


def _apart(view: tuple[str, str], ours: Mapping[str, Any], theirs: Mapping[str, Any], kind: str) -> str:
    """How two signals of one variant differ by more than allowed."""
    if view[0] == SignalType.VPDQ:
        return _frames_apart(ours["value"], theirs["value"], kind)
    if view[0] == SignalType.PATCHES:
        return patches_apart(ours["value"], theirs["value"], kind)
    if view[0] in {SignalType.SHA256, SignalType.MD5}:
        return "" if ours["value"] == theirs["value"] else f"{view[0]} differs"
    most = (MAX_PHASH_BITS if view[0] == SignalType.PHASH else MAX_PDQ_BITS).get(kind, 0)
    bits = hamming_distance(ours["value"], theirs["value"])
    weak = min(ours.get("quality", 100), theirs.get("quality", 100)) < MIN_MATCHED_QUALITY
    return "" if bits <= most or (weak and most) else f"{' '.join(view)}: {bits} bits of at most {most}"


def _frames_apart(ours: str, theirs: str, kind: str) -> str:
    """How the frames of two videos differ by more than allowed."""
    here, there = frames_of(ours), frames_of(theirs)
    shown = [[(frame.number, frame.seconds) for frame in frames] for frames in (here, there)]
    if shown[0] != shown[1]:
        return f"frames: browser {shown[0]}, native {shown[1]}"
    strong = [(a, b) for a, b in zip(here, there, strict=True) if min(a.quality, b.quality) >= MIN_MATCHED_QUALITY]
    bits = max((hamming_distance(a.hash, b.hash) for a, b in strong), default=0)
    most = MAX_PDQ_BITS.get(kind, 0)
    return "" if bits <= most else f"frames: {bits} bits of at most {most}"


def patches_apart(ours: str, theirs: str, kind: str) -> str:
    """How two values of local hashes differ by more than allowed for a format."""
    here, there = patches_of(ours), patches_of(theirs)
    if here == there:
        return ""
    if len(here) != len(there) or kind not in MAX_PDQ_BITS:
        return f"local hashes: browser {ours}, native {theirs}"
    least = min(_shared(a, b) for a, b in zip(here, there, strict=True))
    return "" if least >= MIN_SHARED_PATCHES else f"local hashes: {least:.0%} are shared"


def _shared(a: Sequence[str], b: Sequence[str]) -> float:
    """The share of the longer list whose regions are in the shorter one too."""
    shorter, longer = sorted((a, b), key=len)
    shared = sum(min(hamming_distance(one, other) for other in longer) <= MAX_PATCH_BITS for one in shorter)
    return shared / len(longer)
