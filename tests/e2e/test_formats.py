"""HEIC, AVIF and JPEG XL in the sealed worker of the real page, in every browser engine, against the same natively."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from builder.runtime.agreement import patches_apart
from takeback.errors import PictureError
from takeback.hashing import hash_picture, with_variants
from takeback.protocol import NewCase, decode
from takeback.signals import Frame, SignalType, frames_of, hamming_distance
from tests import stills
from tests.e2e.door import hash_in_browser
from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.pictures import SECRET_NAME, draw
from tests.e2e.product import Registry
from tests.e2e.recorder import Answer
from tests.e2e.screens import UNDER_18, Start

NEAR: Final = 6
"""Bits of PDQ, and of phash, between the decoders of browser and machine: colours are rounded in different ways."""
BROKEN: Final = {"unknown-format"}


def samples() -> list[bytes]:
    """A file of every kind, turned and mirrored, clear in part, and grey."""
    picture = draw(11, (400, 300))
    clear = picture.convert("RGBA")
    clear.putalpha(draw(12, (400, 300)).convert("L"))
    return [
        *(stills.heic(picture, turns, mirror) for turns, mirror in stills.SHOWN),
        *(stills.avif(picture, orientation) for orientation in (1, 2, 5, 6)),
        stills.avif(clear, quality=90),
        stills.jxl(picture),
        stills.jxl(clear),
        stills.jxl(picture.convert("L")),
    ]


def test_every_kind_in_every_engine(engine: Hands, registry: Registry) -> None:
    """Each browser gives nearly the hashes that native decoding gives, turned once and not twice."""
    files = samples()
    print(f"bits to native: {_compare(files, hash_in_browser(engine, registry, files))}")


def test_an_animated_avif_in_every_engine(engine: Hands, registry: Registry) -> None:
    """Its frames are hashed as a video's where the browser decodes them, its first frame everywhere."""
    first, *others = [draw(seed, (240, 180)) for seed in range(50, 56)]
    shown = [400, 500, 500, 600, 500, 900]
    file = stills.avif(first, save_all=True, append_images=others, duration=shown)
    moving, still = hash_in_browser(engine, registry, [file, stills.avif(first)])
    native = _frames([{"type": signal.type, "value": signal.value} for signal in hash_picture(file).signals])
    frames = _frames(moving["signals"])
    assert [frame.seconds for frame in native] == [0.0, 0.9, 2.0]
    assert bool(frames) == engine.run("typeof ImageDecoder === 'function'")
    for ours, theirs in zip(frames, native if frames else [], strict=True):
        assert (ours.number, ours.seconds) == (theirs.number, theirs.seconds)
        assert hamming_distance(ours.hash, theirs.hash) <= NEAR
    assert [moving["signals"][0]["type"], _frames(still["signals"])] == ["pdq", []]


def test_an_animated_avif_that_is_turned_in_every_engine(engine: Hands, registry: Registry) -> None:
    """Its frames are hashed as they are seen: turned and mirrored once, as natively."""
    files = [stills.moving_avif([draw(60, (240, 180)), draw(61, (240, 180))], *turn) for turn in stills.SHOWN]
    answers = hash_in_browser(engine, registry, files)
    for turn, file, answer in zip(stills.SHOWN, files, answers, strict=True):
        native = _frames([{"type": signal.type, "value": signal.value} for signal in hash_picture(file).signals])
        frames = _frames(answer["signals"])
        assert len(native) == 2
        assert bool(frames) == engine.run("typeof ImageDecoder === 'function'")
        for ours, theirs in zip(frames, native if frames else [], strict=True):
            assert hamming_distance(ours.hash, theirs.hash) <= NEAR, turn


@pytest.mark.only_browser("chromium")
def test_the_samples_beside_the_repository(person: PlaywrightHands, registry: Registry, shared: Path) -> None:
    """Real files from phones and encoders have nearly the native hashes in Chromium; the distances are printed."""
    paths = sorted((shared / "photos" / "formats").iterdir())
    files = [path.read_bytes() for path in paths if path.suffix.lower() in {".heic", ".avif", ".jxl"}]
    assert len(files) > 4
    print(f"bits to native: {_compare(files, hash_in_browser(person, registry, files))}")


def test_broken_files_end_in_an_answer(engine: Hands, registry: Registry) -> None:
    """A file that is cut short, damaged or far too large gives at least its exact hashes, and so does the next."""
    picture = draw(13, (400, 300))
    whole = [stills.heic(picture), stills.avif(picture), stills.jxl(picture)]
    cuts = [data[: len(data) * part // 4] for data in whole for part in (1, 3)]
    holes = [data[:place] + bytes(90) + data[place + 90 :] for data in whole for place in (40, 400)]
    huge = stills.heic(picture, size=(60_000, 60_000))
    answers = hash_in_browser(engine, registry, [*cuts, *holes, huge, *whole])
    assert all(answer.get("error") in BROKEN or answer["signals"] for answer in answers)
    assert {answer.get("unseen") for answer in answers[: len(cuts)]} >= {"damaged-picture"}
    assert answers[-len(whole) - 1]["unseen"] == "picture-too-large"
    assert [signal["type"] for signal in answers[-len(whole) - 1]["signals"]] == ["sha256", "md5"]
    assert all("signals" in answer for answer in answers[-len(whole) :])


def test_a_decoder_comes_when_it_is_wanted(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """No decoder is loaded before a picture needs it; without it the person can try again, and then it is there."""
    jpeg, heic = folder / f"{SECRET_NAME}.jpg", folder / f"{SECRET_NAME}.heic"
    draw(1, (400, 300)).save(jpeg)
    heic.write_bytes(stills.heic(draw(2, (400, 300))))
    registry.recorder.extra["/runtime/heic.wasm"] = Answer(503, {}, b"")
    hashing = Start.open(person, registry.url).begin().answer(UNDER_18).choose(jpeg, heic).go_on()
    hashing.wait_until_done(1, 1)
    assert hashing.text().count("Something went wrong on our side with this picture. You can try it again.") == 1
    del registry.recorder.extra["/runtime/heic.wasm"]
    person.press("button", "Try picture 2 again")
    message = hashing.wait_until_done(2).go_on().message()
    assert [request.path for request in registry.recorder.to("GET", "/runtime/") if "heic" in request.path] == [
        "/runtime/heic.wasm"
    ] * 2
    assert not [request for request in registry.recorder.requests if "avif" in request.path or "jxl" in request.path]
    for picture in decode(message.encode(), NewCase).pictures:
        # A picture of a few plain shapes has no local hashes.
        kinds = {signal.type for signal in picture.signals} | {SignalType.PATCHES}
        assert kinds == set(SignalType) - {SignalType.VPDQ}


def _frames(signals: Sequence[Mapping[str, Any]]) -> list[Frame]:
    """The frames of the vpdq among these signals."""
    return next((list(frames_of(signal["value"])) for signal in signals if signal["type"] == SignalType.VPDQ), [])


def _compare(files: Sequence[bytes], answers: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, int]]:
    """Holds each answer against the native one; how many hashes of each type differ by how many bits."""
    bits: dict[str, Counter[int]] = {}
    for number, (file, answer) in enumerate(zip(files, answers, strict=True)):
        try:
            native = with_variants(hash_picture(file))
        except PictureError as error:
            pytest.fail(f"file {number} cannot be read natively: {error}")
        assert (answer.get("width"), answer.get("height"), answer.get("format")) == (
            native.width, native.height, native.format,
        ), (number, answer)  # fmt: skip
        # phash comes last on the page.
        expectation = sorted(native.signals, key=lambda signal: signal.type is SignalType.PHASH)
        seen = [(signal["type"], signal.get("variant", "whole")) for signal in answer["signals"]]
        assert seen == [(signal.type, signal.variant) for signal in expectation], number
        for found, expected in zip(answer["signals"], expectation, strict=True):
            if expected.type in {SignalType.PDQ, SignalType.PHASH}:
                distance = hamming_distance(found["value"], expected.value)
                assert distance <= NEAR, (number, native.format, distance)
                bits.setdefault(expected.type, Counter())[distance] += 1
            elif expected.type is SignalType.PATCHES:
                assert not patches_apart(found["value"], expected.value, native.format), number
            else:
                assert found["value"] == expected.value
    return {kind: dict(sorted(counts.items())) for kind, counts in bits.items()}
