"""Damaged and hostile files, a person who stops, a worker that dies."""

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from takeback.hashing import hash_picture
from takeback.hashing.exact import exact_signals
from takeback.protocol import NewCase, decode
from tests.e2e import pictures
from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import Registry
from tests.e2e.screens import UNDER_18, Start, way_to_review

HUGE = 60_000
"""Pixels a side of a picture that would need 10 GB."""


def test_one_bad_file_does_not_stop_the_rest(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """Among good pictures one that is no picture is told; a damaged and a huge one go by their exact hashes."""
    good = [pictures.save(folder, seed, "png") for seed in (1, 2)]
    bad = [pictures.damage(good[0], folder), _text(folder), _huge(folder)]
    files = [good[0], *bad, good[1]]
    hashing = Start.open(person, registry.url).begin().answer(UNDER_18).choose(*files).go_on()
    text = hashing.wait_until_done(len(good) + 2, 1).text()
    assert text.count("We cannot read this kind of file.") == 1
    assert text.count("We cannot look inside this picture. So only exact copies of the file can be spotted.") == 2
    sent = decode(hashing.go_on().message().encode(), NewCase).pictures
    exact = [tuple(signal.value for signal in picture.signals) for picture in sent if len(picture.signals) == 2]
    assert exact == [_exact(bad[0]), _exact(bad[2])]
    assert len(sent) == len(good) + 2


def test_a_half_downloaded_picture_is_hashed(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """Of a picture that lacks its end the page takes what is there, and says so."""
    whole = pictures.save(folder, 3, "jpg")
    cut = folder / f"half-{whole.name}"
    cut.write_bytes(whole.read_bytes()[:-400])
    hashing = Start.open(person, registry.url).begin().answer(UNDER_18).choose(cut).go_on()
    assert "Part of this file is missing. We used the part that is there." in hashing.wait_until_done(1).text()
    (sent,) = decode(hashing.go_on().message().encode(), NewCase).pictures
    assert sent.signals[0].signal() == hash_picture(cut.read_bytes()).signals[0]


def _exact(path: Path) -> tuple[str, str]:
    """The exact hashes of a file."""
    sha256, md5 = exact_signals(path.read_bytes())
    return sha256.value, md5.value


def test_a_person_can_stop_and_go_on(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """After a stop in the middle nothing was sent, and going on hashes every picture."""
    files = [pictures.save(folder, seed, "jpg", (2400, 1800)) for seed in range(4)]
    hashing = Start.open(person, registry.url).wait_until_ready().begin().answer(UNDER_18).choose(*files).go_on()
    hashing.stop()
    assert registry.recorder.to("POST", "/") == []
    review = hashing.resume().wait_until_done(len(files)).go_on()
    assert len(decode(review.message().encode(), NewCase).pictures) == len(files)


def test_what_one_is_about_to_press_does_not_move(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """From the first picture to the last the button under the bar keeps its place while the words around it change."""
    files = [*(pictures.save(folder, seed, "jpg", (1600, 1200)) for seed in range(3)), _text(folder)]
    person.page.emulate_media(reduced_motion="reduce")
    Start.open(person, registry.url).begin().answer(UNDER_18).choose(*files).go_on()
    assert person.run(_PLACES_OF_STOP) == 1


def test_a_worker_that_dies_is_replaced(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """When the worker dies at a picture, that picture is tried once more in a new one, and nobody is bothered."""
    person.page.add_init_script(_FIRST_PICTURE_KILLS % 1)
    files = [pictures.save(folder, seed, "png") for seed in (1, 2)]
    hashing = Start.open(person, registry.url).wait_until_ready().begin().answer(UNDER_18).choose(*files).go_on()
    hashing.wait_until_done(2)
    assert person.run("globalThis.killed") == 1


def test_a_picture_that_kills_twice_is_told(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """When the worker dies at a picture again it goes by its exact hashes, and the page can try it once more."""
    person.page.add_init_script(_FIRST_PICTURE_KILLS % 2)
    files = [pictures.save(folder, seed, "png") for seed in (1, 2)]
    hashing = Start.open(person, registry.url).wait_until_ready().begin().answer(UNDER_18).choose(*files).go_on()
    hashing.wait_until_done(2)
    assert hashing.text().count("We cannot look inside this picture.") == 1
    person.press("button", "Try picture 1 again")
    person.wait_for_text("The fingerprints of 2 pictures.")


@pytest.mark.parametrize(("cores", "workers"), [(4, 2), (1, 1)])
def test_many_pictures_at_once(
    person: PlaywrightHands, registry: Registry, folder: Path, cores: int, workers: int
) -> None:
    """Fifty files, one of them broken, are hashed by as many workers as the device bears, also after a stop."""
    person.page.add_init_script(_COUNT_WORKERS % cores)
    files = [pictures.save(folder, seed, "png", (160, 120)) for seed in range(48)]
    files += [_text(folder), pictures.save(folder, 48, "jpg", (2400, 1800))]
    hashing = Start.open(person, registry.url).wait_until_ready().begin().answer(UNDER_18).choose(*files).go_on()
    hashing.stop()
    review = hashing.resume().wait_until_done(49, 1).go_on()
    assert person.run("globalThis.mostWorkers") == workers
    sent = [picture for message in _messages(review.message()) for picture in message.pictures]
    assert len({picture.signals[0].value for picture in sent}) == 49
    # Some of these pictures of plain shapes have local hashes too.
    assert {frozenset(signal.type for signal in picture.signals) - {"patches"} for picture in sent} == {
        frozenset(("md5", "pdq", "phash", "sha256"))
    }


def test_the_second_worker_starts_while_pictures_are_chosen(
    person: PlaywrightHands, registry: Registry, folder: Path
) -> None:
    """With many pictures in the list a second worker starts before the first of them is handed over, else none does."""
    person.page.add_init_script(_COUNT_WORKERS % 4)
    files = [pictures.save(folder, seed, "png", (160, 120)) for seed in range(8)]
    chosen = Start.open(person, registry.url).begin().answer(UNDER_18).choose(files[0])
    assert person.run("globalThis.mostWorkers") == 1
    chosen.choose(*files)
    person.page.wait_for_function("globalThis.mostWorkers === 2")
    chosen.go_on().wait_until_done(8)
    assert person.run("globalThis.mostWorkers") == 2


@pytest.mark.parametrize("dying", [1, 2])
def test_a_worker_that_does_not_start_beside_another(
    person: PlaywrightHands, registry: Registry, folder: Path, dying: int
) -> None:
    """When one of two workers dies before it was ready, the other one hashes all pictures."""
    person.page.add_init_script(_COUNT_WORKERS % 4 + _DIES_AT_START % dying)
    files = [pictures.save(folder, seed, "png", (160, 120)) for seed in range(8)]
    chosen = Start.open(person, registry.url).begin().answer(UNDER_18).choose(*files)
    person.page.wait_for_function("globalThis.died === true")
    chosen.go_on().wait_until_done(8)


def _messages(shown: str) -> Iterator[NewCase]:
    """The messages that stand on the screen one after the other: a single one has no room for so many pictures."""
    while shown.strip():
        _, end = json.JSONDecoder().raw_decode(shown := shown.lstrip())
        yield decode(shown[:end].encode(), NewCase)
        shown = shown[end:]


def test_the_same_picture_twice_is_sent_once(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """Two files with the same bytes make one picture of the case."""
    picture = pictures.save(folder, 3, "jpg")
    twin = folder / f"twin-{picture.name}"
    twin.write_bytes(picture.read_bytes())
    hashing = Start.open(person, registry.url).begin().answer(UNDER_18).choose(picture, twin).go_on()
    hashing.wait_until_done(1)
    person.wait_for_text("The same as picture 1. We send it once.")


def test_going_back_keeps_the_pictures(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """From the message one can go back and add a picture, and the new message has both."""
    first, second = (pictures.save(folder, seed, "png") for seed in (4, 5))
    way_to_review(person, registry.url, [first])
    person.press("button", "Back")
    person.choose([second])
    person.wait_for_text("Picture 2")
    person.press("button", "Continue")
    person.wait_for_text("The fingerprints of 2 pictures.")


_PLACES_OF_STOP = """
new Promise((done) => {
  const places = new Set();
  const foot = document.querySelector(".actions");
  const look = () => {
    places.add(foot.getBoundingClientRect().top);
    return foot.dataset.state === "done" ? done(places.size) : requestAnimationFrame(look);
  };
  look();
})
"""
"""How many places the row of buttons was in until all was done."""

_FIRST_PICTURE_KILLS = """
globalThis.killed = 0;
globalThis.Worker = class extends Worker {
  postMessage(message, ...more) {
    if (message.kind !== "hash" || message.id !== 1 || globalThis.killed === %d)
      return super.postMessage(message, ...more);
    globalThis.killed += 1;
    queueMicrotask(() => this.dispatchEvent(new ErrorEvent("error")));
  }
};
"""
"""The first picture ends the worker that it is handed to, so many times, as a fault in a decoder would."""

_COUNT_WORKERS = """
Object.defineProperty(Navigator.prototype, "hardwareConcurrency", { get: () => %d });
Object.defineProperty(Navigator.prototype, "deviceMemory", { get: () => 8 });
let workers = 0;
globalThis.mostWorkers = 0;
globalThis.Worker = class extends Worker {
  constructor(...ways) {
    super(...ways);
    workers += 1;
    globalThis.mostWorkers = Math.max(globalThis.mostWorkers, workers);
  }
  terminate() {
    workers -= 1;
    super.terminate();
  }
};
"""
"""How many workers for pictures there are at most at the same time, on a device with so many cores."""

_DIES_AT_START = """
let started = 0;
const each = [];
globalThis.died = false;
globalThis.Worker = class extends Worker {
  postMessage(message, ...more) {
    if (message.kind !== "start" || started === 2) return super.postMessage(message, ...more);
    started += 1;
    each.push(() => super.postMessage(message, ...more));
    const dying = started === %d && this;
    if (dying) each.push(() => (dying.dispatchEvent(new ErrorEvent("error")), (globalThis.died = true)));
    if (started === 2) each.forEach((act) => act());
  }
};
"""
"""Of the first two workers one dies as it is started; they start when both are there."""


def _text(folder: Path) -> Path:
    """A file that only claims to be a picture."""
    path = folder / "text.png"
    path.write_text("This is no picture.")
    return path


def _huge(folder: Path) -> Path:
    """A PNG of a few bytes that says it has 3.6 thousand million pixels."""
    path = folder / "huge.png"
    header = struct.pack(">IIBBBBB", HUGE, HUGE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks))
    return path


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
