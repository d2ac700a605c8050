"""The vectors, hashed by the real worker of the real page in every browser engine, against the same code natively."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from builder.runtime.agreement import patches_apart
from takeback.errors import PictureError
from takeback.hashing import HashedPicture, hash_picture, with_variants
from takeback.protocol import SignalMessage
from takeback.signals import Signal, SignalType, hamming_distance
from tests.e2e.door import hash_in_browser
from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.product import ROOT, Registry

VECTORS: Final = ROOT / "tests" / "vectors"
JPEG_BITS: Final = 2
"""The native JPEG decoder and the one in the browser may round differently; this much and no more."""


def test_our_vectors_in_every_engine(engine: Hands, registry: Registry) -> None:
    """Vectors have the native signals in each browser; broken files the same error, and their exact hashes at most."""
    document = json.loads((VECTORS / "vectors.json").read_text("utf-8"))
    files = [VECTORS / "pictures" / case["file"] for case in (*document["vectors"], *document["errors"])]
    answers = hash_in_browser(engine, registry, [file.read_bytes() for file in files])
    _compare(files, answers)
    for case, answer in zip(document["vectors"], answers, strict=False):
        first = answer["signals"][0]
        if first["type"] != "pdq":  # it tells nothing and is not sent, as natively
            continue
        bits = hamming_distance(case["pdq"], first["value"])
        assert bits <= (JPEG_BITS if case["format"] in {"JPEG", "MPO"} else 0), case["file"]


@pytest.mark.only_browser("chromium")
def test_the_photographs_beside_the_repository(person: PlaywrightHands, registry: Registry, shared: Path) -> None:
    """Every photograph and published vector has the same signals in Chromium as natively; the distances are printed."""
    suffixes = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".mpo"}
    folders = (shared / "photos", shared / "vectors")
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.suffix.lower() in suffixes)
    bits = _compare(files, hash_in_browser(person, registry, [file.read_bytes() for file in files]))
    print(f"bits of PDQ between browser and native, JPEG: {dict(sorted(bits.items()))}")


def _compare(files: Sequence[Path], answers: Sequence[dict[str, Any]]) -> Counter[int]:
    """Holds each answer against the native one; returns how many JPEGs differ by how many bits."""
    distances: Counter[int] = Counter()
    for file, answer in zip(files, answers, strict=True):
        try:
            native = _as_sent(hash_picture(file.read_bytes()))
        except PictureError as error:
            assert answer.get("unseen", answer.get("error")) == error.code, file.name
            assert [signal["type"] for signal in answer.get("signals", [])] in ([], ["sha256", "md5"]), file.name
            continue
        assert (answer["width"], answer["height"], answer["format"]) == (native.width, native.height, native.format)
        signals = [_signal(wire) for wire in answer["signals"]]
        assert [(s.type, s.variant) for s in signals] == [(s.type, s.variant) for s in native.signals], file.name
        if native.format not in {"JPEG", "MPO"}:
            assert signals == list(native.signals), file.name
            continue
        for seen, expected in zip(signals, native.signals, strict=True):
            if seen.type is SignalType.PATCHES:
                assert not patches_apart(seen.value, expected.value, native.format), file.name
                continue
            bits = hamming_distance(seen.value, expected.value)
            distances[bits] += seen.type is SignalType.PDQ
            assert bits <= (JPEG_BITS if seen.type is SignalType.PDQ else 0), (file.name, bits)
    return distances


def _as_sent(native: HashedPicture) -> HashedPicture:
    """With the views that a person sends, and phash last, as it comes last on the page."""
    signals = sorted(with_variants(native).signals, key=lambda signal: signal.type is SignalType.PHASH)
    return native._replace(signals=tuple(signals))


def _signal(wire: dict[str, Any]) -> Signal:
    """A signal as the page has it, read by the rules of the protocol."""
    return msgspec.convert(wire, SignalMessage).signal()
