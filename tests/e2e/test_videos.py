"""Videos, hashed by the sealed worker of the real page in every browser engine, against the same natively."""

import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from takeback.errors import PictureError
from takeback.hashing.exact import exact_signals
from takeback.hashing.video import HashedVideo, hash_video
from takeback.protocol import NewCase, decode
from takeback.signals import SignalType, frames_of, hamming_distance
from tests.e2e.door import hash_in_browser, serve
from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.product import ROOT, Registry
from tests.e2e.recorder import Answer
from tests.e2e.screens import UNDER_18, Start
from tests.hashing.test_video import sound

VIDEOS: Final = ROOT / "tests" / "vectors" / "videos"
NEAR: Final = 10
"""Bits between browser and native of at least 95 % of the frames: a browser may hand out colours instead of luma."""
EVERYWHERE: Final = {"vp8.webm"}
"""Videos whose frames every one of the browsers decodes; the rest depends on what the system has."""
_STOP: Final = """
(async () => {
  const { createDoor } = await import("/page.js");
  const door = createDoor();
  const file = new File([await (await fetch("/file/0")).blob()], "video");
  const long = new File([file, new Uint8Array(2 ** 28)], "long");
  const stop = new AbortController();
  const stopped = door.hash(long, { signal: stop.signal, onShare: () => stop.abort() }).catch(({ code }) => code);
  const after = door.hash(file);
  return [await stopped, (await after).signals.length, await door.hash(file).then(({ kind }) => kind)];
})()
"""

_QUICK_WATCH: Final = """
(async () => {
  const wait = setInterval;
  globalThis.setInterval = (act, time) => wait(act, time / 5);
  const { createDoor } = await import("/page.js");
  const { quality, signals } = await createDoor().hash(new File([await (await fetch("/file/0")).blob()], "video"));
  return [quality, signals.map(({ type }) => type)];
})()
"""
"""The page looks after its worker five times as often as it does for a person."""


def test_our_videos_in_every_engine(engine: Hands, registry: Registry) -> None:
    """Each browser gives the frames that native decoding gives, nearly to the bit, or the exact hashes alone."""
    files = sorted(VIDEOS.iterdir())
    decoded, bits = _compare(files, hash_in_browser(engine, registry, [file.read_bytes() for file in files]))
    print(f"frames decoded of {', '.join(sorted(decoded))}; bits to native: {dict(sorted(bits.items()))}")
    assert decoded >= EVERYWHERE
    assert sum(count for distance, count in bits.items() if distance <= NEAR) >= 0.95 * bits.total()


@pytest.mark.only_browser("chromium")
def test_the_videos_beside_the_repository(person: PlaywrightHands, registry: Registry, shared: Path) -> None:
    """Real videos have the same frames in Chromium as natively; the distances are printed."""
    files = sorted((shared / "photos" / "video").glob("*.mp4"))
    decoded, bits = _compare(files, hash_in_browser(person, registry, [file.read_bytes() for file in files]))
    print(f"bits to native: {dict(sorted(bits.items()))}")
    assert decoded == {file.name for file in files}
    assert sum(count for distance, count in bits.items() if distance <= NEAR) >= 0.95 * bits.total()


def test_broken_videos_end_in_an_answer(engine: Hands, registry: Registry) -> None:
    """A video that is cut or damaged anywhere gives its exact hashes, with frames or without, in every browser."""
    whole = {name: (VIDEOS / name).read_bytes() for name in ("h264.mp4", "fragments.mp4", "vp8.webm", "vp9.webm")}
    cuts = [data[: len(data) * part // 8] for data in whole.values() for part in (1, 4, 7)]
    holes = [data[:place] + bytes(90) + data[place + 90 :] for data in whole.values() for place in (30, 700, 5000)]
    answers = hash_in_browser(engine, registry, [*cuts, *holes])
    for data, answer in zip([*cuts, *holes], answers, strict=True):
        exact = [{"type": str(signal.type), "value": signal.value} for signal in exact_signals(data)]
        assert answer["signals"][-2:] == exact
    assert {answer["quality"] is None for answer in answers} == {True, False}


def test_sound_alone_is_refused(person: PlaywrightHands, registry: Registry) -> None:
    """A file without pictures is told to be none, with a cover or without."""
    answers = hash_in_browser(person, registry, [sound(cover=False), sound(cover=True)])
    assert answers == [{"error": "unknown-format"}] * 2


@pytest.mark.parametrize(
    "fault", ["setTimeout(() => { throw new Error(); }); await 0;", "for (;;);"], ids=["dies", "hangs"]
)
def test_a_worker_that_fails_at_the_frames_leaves_the_exact_hashes(
    person: PlaywrightHands, registry: Registry, fault: str
) -> None:
    """When the worker dies of a video's frames, or is stuck in them, a fresh one makes the exact hashes."""
    with urllib.request.urlopen(f"{registry.url}/video.js") as answer:
        headers = {name.lower(): value for name, value in answer.getheaders() if name.lower() != "content-length"}
        script = answer.read()
    decoder = f"VideoDecoder.isConfigSupported = async () => {{ {fault} }};".encode()
    registry.recorder.extra["/video.js"] = Answer(200, headers, decoder + script)
    serve(registry, [(VIDEOS / "vp8.webm").read_bytes()])
    Start.open(person, registry.url).wait_until_ready()
    assert person.run(_QUICK_WATCH) == [None, ["sha256", "md5"]]


def test_a_stopped_video_leaves_a_worker_that_works(engine: Hands, registry: Registry) -> None:
    """Stopping a long video ends it, the one behind it is hashed all the same, and so is the next."""
    serve(registry, [(VIDEOS / "vp8.webm").read_bytes()])
    Start.open(engine, registry.url).wait_until_ready()
    assert engine.run(_STOP) == ["aborted", 4, "video"]


def test_a_video_becomes_part_of_the_message(person: PlaywrightHands, registry: Registry) -> None:
    """A person's video is sent as its frames' hashes and its exact ones, and as nothing else."""
    hashing = Start.open(person, registry.url).begin().answer(UNDER_18).choose(VIDEOS / "h264.mp4").go_on()
    (picture,) = decode(hashing.wait_until_done(1).go_on().message().encode(), NewCase).pictures
    assert [signal.type for signal in picture.signals] == [
        SignalType.VPDQ,
        SignalType.SHA256,
        SignalType.MD5,
    ]


def test_a_person_is_told_what_exact_hashes_alone_mean(person: PlaywrightHands, registry: Registry) -> None:
    """Where the browser cannot decode a video the page says that only exact copies will be found."""
    Start.open(person, registry.url).begin().answer(UNDER_18).choose(VIDEOS / "hevc.mp4").go_on().wait_until_done(1)
    if person.run("VideoDecoder.isConfigSupported({ codec: 'hvc1.1.6.L60.90' }).then(({ supported }) => supported)"):
        pytest.skip("this Chromium decodes HEVC, so there is nothing to be told")
    person.wait_for_text("Your browser cannot look inside this video.")


def _compare(files: Sequence[Path], answers: Sequence[Mapping[str, Any]]) -> tuple[set[str], Counter[int]]:
    """Holds each answer against the native one: which videos had frames, how many of them differ by how many bits."""
    decoded, bits = set(), Counter[int]()
    for file, answer in zip(files, answers, strict=True):
        native = _native(file)
        signals = {signal["type"]: signal["value"] for signal in answer["signals"]}
        expected = {str(signal.type): signal.value for signal in native.sent()}
        assert (answer["kind"], answer["format"]) == ("video", native.format)
        assert {kind: signals[kind] for kind in ("sha256", "md5")} == {k: expected[k] for k in ("sha256", "md5")}
        if answer["quality"] is None:
            assert signals.keys() == {"sha256", "md5"}, file.name
            continue
        assert (answer["width"], answer["height"]) == (native.width, native.height), file.name
        decoded.add(file.name)
        assert signals.keys() == expected.keys(), file.name
        if "vpdq" not in expected:  # one frame alone is no video's signal
            continue
        seen, wanted = frames_of(signals["vpdq"]), frames_of(expected["vpdq"])
        assert [(f.number, f.seconds) for f in seen] == [(f.number, f.seconds) for f in wanted], file.name
        if signals["vpdq"] == expected["vpdq"]:
            assert signals.get("patches") == expected.get("patches"), file.name
        bits.update(hamming_distance(a.hash, b.hash) for a, b in zip(seen, wanted, strict=True))
    return decoded, bits


def _native(file: Path) -> HashedVideo:
    """The same by PyAV."""
    with file.open("rb") as opened:
        try:
            return hash_video(opened)
        except PictureError as error:
            raise AssertionError(file.name) from error
