"""The second part of CPython and Pillow's libraries: pictures wait for it only where they must, with right hashes."""

import io
import json
import re
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from hashlib import sha384
from pathlib import Path
from typing import Any, Final

import pytest

from builder.runtime.samples import samples
from builder.split.profile_file import read_browser_functions
from builder.split.runtime import SECOND_PART
from takeback.hashing import hash_picture, with_variants
from takeback.registry.http.response_headers import headers_for, kind_of
from tests.e2e import pictures
from tests.e2e.door import serve
from tests.e2e.entered import entered_site, missing
from tests.e2e.hands import Hands, PlaywrightHands
from tests.e2e.product import DIST, Registry
from tests.e2e.recorder import Answer
from tests.e2e.screens import UNDER_18, Start
from tests.starved import starved, without_libraries

SECOND: Final = f"/runtime/{SECOND_PART}"
WASM: Final = "application/wasm"
HASHING: Final = frozenset({"PyNumber_TrueDivide"})
"""A function that every picture needs, and Python's start does not."""
STARTING: Final = frozenset({"PyDict_SetItemString"})
"""One that Python's start needs."""
PHASH: Final = frozenset({"PyNumber_MatrixMultiply"})
"""One that phash alone needs."""
DECODING: Final = frozenset({"ImagingZipDecode"})
"""A function of a library, which every PNG needs."""
LOADING: Final = frozenset({"PyInit__imaging"})
"""One that starts the library."""
RESIZING: Final = frozenset({"ImagingResampleVertical_8bpc"})
"""One that phash alone needs."""
ANIMATED: Final = frozenset({"_anim_decoder_new"})
"""One of another library, which every WebP needs."""
ISOLATION: Final = frozenset({"cross-origin-opener-policy", "cross-origin-embedder-policy"})


@pytest.fixture
def ship(registry: Registry) -> Iterator[Any]:
    """Has the registry serve a build with other files of the runtime."""
    yield lambda files, isolated=True: registry.recorder.extra.update(_build(files, isolated=isolated))
    registry.recorder.reset()


@pytest.fixture
def starve(ship: Any) -> Any:
    """Has the registry serve a build whose first parts lack functions, by the names of exports."""
    return lambda names, isolated=True: ship(starved(names), isolated)


def test_no_browser_waits_for_it(engine: Hands) -> None:
    """Every whole sample is hashed by functions of the first part alone, phash included, in each engine."""
    whole = {name: data for name, data in samples().items() if not name.startswith(("cut-", "broken-"))}
    with entered_site(whole) as (address, expression):
        engine.open(address)
        found, known = missing(engine.run(expression)), read_browser_functions()
        assert found.functions <= known.functions
        assert all(functions <= known.libraries[name] for name, functions in found.libraries.items())


@pytest.mark.parametrize(
    "names",
    [HASHING, STARTING, PHASH, DECODING, LOADING, RESIZING, STARTING | LOADING | DECODING | RESIZING],
    ids=["hashing", "starting", "phash", "decoding", "loading", "resizing", "all"],
)
def test_a_picture_that_needs_it_has_the_right_hash(
    engine: Hands, registry: Registry, starve: Any, names: frozenset[str]
) -> None:
    """The worker asks for the second part when it needs a function of it, waits, and gives the whole's answer."""
    starve(names)
    [answer] = _hash(engine, registry, [_picture(1)])
    _assert_right(answer, _picture(1))
    # The page's own door starts Python too, but hashes nothing.
    doors = 2 if names & (STARTING | LOADING) or not engine.run(_SHARES) else 1
    assert len(registry.recorder.to("GET", SECOND)) == doors


def test_without_a_function_of_a_library_pictures_have_the_right_hash(
    engine: Hands, registry: Registry, ship: Any
) -> None:
    """With no function of a library in its first part PNG and WebP have the hashes of the whole."""
    ship(without_libraries())
    files = [_picture(9), _picture(10, "WEBP")]
    for answer, file in zip(_hash(engine, registry, files), files, strict=True):
        _assert_right(answer, file)


def test_a_library_that_is_loaded_later_has_its_second_part(engine: Hands, registry: Registry, starve: Any) -> None:
    """A library that only a later picture needs joins its second part when the file is long there."""
    starve(DECODING | ANIMATED)
    files = [_picture(11), _picture(12, "WEBP"), _picture(13)]
    for answer, file in zip(_hash(engine, registry, files), files, strict=True):
        _assert_right(answer, file)
    assert len(registry.recorder.to("GET", SECOND)) == (1 if engine.run(_SHARES) else 2)


def test_it_comes_after_the_first_hash(person: PlaywrightHands, registry: Registry, folder: Path) -> None:
    """A page that does not need it loads it when phash is there, so that later pictures need no network."""
    hashing = Start.open(person, registry.url).begin().answer(UNDER_18).choose(pictures.save(folder, 5, "png")).go_on()
    hashing.wait_until_done(1)
    person.page.wait_for_function(f"performance.getEntriesByName(location.origin + '{SECOND}').length")
    loaded = [request.path for request in registry.recorder.to("GET", "/runtime/")]
    assert loaded.index(SECOND) == len(loaded) - 1
    assert loaded.index("/runtime/phash.zip") < loaded.index(SECOND)


def test_without_isolation_both_parts_come_first(engine: Hands, registry: Registry, starve: Any) -> None:
    """Where memory cannot be shared, the worker has the second part from the start."""
    starve(HASHING | DECODING, isolated=False)
    [answer] = _hash(engine, registry, [_picture(2)])
    assert engine.run("crossOriginIsolated") is False
    _assert_right(answer, _picture(2))


def test_without_it_the_picture_can_be_tried_again(engine: Hands, registry: Registry, starve: Any) -> None:
    """If the second part cannot be had, the picture says so, the worker is replaced, and the next try succeeds."""
    _skip_unless_shared(engine, registry)
    starve(HASHING)
    whole = registry.recorder.extra[SECOND]
    registry.recorder.extra[SECOND] = Answer(503, {}, b"")
    assert _hash(engine, registry, [_picture(3)]) == [{"error": "decoder-missing"}]
    registry.recorder.extra[SECOND] = whole
    again = engine.run(_ONE_BY_ONE % json.dumps(serve(registry, [_picture(3)])))
    assert isinstance(again, list)
    _assert_right(again[0], _picture(3))


def test_a_changed_second_part_is_refused(engine: Hands, registry: Registry, starve: Any) -> None:
    """A file with another digest than the page names never reaches the worker."""
    _skip_unless_shared(engine, registry)
    starve(HASHING)
    whole = registry.recorder.extra[SECOND]
    registry.recorder.extra[SECOND] = Answer(200, whole.headers, whole.body[:-1] + b"\0")
    assert _hash(engine, registry, [_picture(4)]) == [{"error": "decoder-missing"}]


def test_without_it_at_the_start_the_page_says_so(engine: Hands, registry: Registry, starve: Any) -> None:
    """If Python cannot start without it, the door is closed with the reason that any missing file has."""
    starve(STARTING)
    registry.recorder.extra[SECOND] = Answer(503, {}, b"")
    engine.open(registry.url)
    said = engine.run("""(async () => {
      const { createDoor } = await import("/page.js");
      return createDoor().ready.then(() => "ready", (fault) => fault.code);
    })()""")
    assert said == "runtime-unavailable"


def test_phash_is_given_up_without_it(engine: Hands, registry: Registry, starve: Any) -> None:
    """If phash alone needs it and it cannot be had, the picture is done without phash, and the next one is hashed."""
    _skip_unless_shared(engine, registry)
    starve(PHASH)
    registry.recorder.extra[SECOND] = Answer(503, {}, b"")
    answers = _hash(engine, registry, [_picture(6), _picture(7)])
    for answer in answers:
        assert {"pdq", "sha256"} <= {signal["type"] for signal in answer["signals"]}
        assert "phash" not in {signal["type"] for signal in answer["signals"]}


def test_a_slow_second_part_is_waited_for(
    person: PlaywrightHands, registry: Registry, folder: Path, starve: Any
) -> None:
    """While it is on its way the page can be used, and nothing is told as failed; then the picture is done."""
    starve(HASHING)
    held: list[Any] = []
    person.page.route(f"**{SECOND}", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
    picture = pictures.save(folder, 8, "png")
    hashing = Start.open(person, registry.url).wait_until_ready().begin().answer(UNDER_18).choose(picture).go_on()
    while not held:
        person.page.wait_for_timeout(50)
    person.page.wait_for_timeout(1000)
    assert "Something went wrong" not in hashing.text()
    hashing.stop()
    hashing = hashing.resume()
    for route in held:
        route.continue_()
    held.clear()
    person.page.unroute(f"**{SECOND}")
    hashing.wait_until_done(1)


def test_two_workers_have_it_each(person: PlaywrightHands, registry: Registry, starve: Any) -> None:
    """Two workers that need it at the same time both get it, each asks once, and it is loaded once."""
    starve(HASHING | DECODING)
    person.page.add_init_script(_TWO_CORES)
    files = [_picture(20 + number) for number in range(16)]
    answers = _hash(person, registry, files, together=True)
    for answer, file in zip(answers, files, strict=True):
        _assert_right(answer, file)
    assert person.run("globalThis.asked") == 2
    assert len(registry.recorder.to("GET", SECOND)) == 1


def test_a_kept_page_has_it(person: PlaywrightHands, registry: Registry) -> None:
    """A page that is kept on the device has the second part without a network."""
    Start.open(person, registry.url).wait_until_ready().keep_program()
    registry.recorder.cut()
    assert person.run(f"fetch('{SECOND}').then((answer) => answer.ok)") is True


def _skip_unless_shared(hands: Hands, registry: Registry) -> None:
    """Skips a browser that shares no memory: there both parts come first, and the start fails without one."""
    hands.open(registry.url)
    if not hands.run(_SHARES):
        pytest.skip("this browser shares no memory")


def _picture(seed: int, kind: str = "PNG") -> bytes:
    """A picture in a format whose native hashes are equal to the bit."""
    out = io.BytesIO()
    pictures.draw(seed, (320, 240)).save(out, kind, lossless=True)
    return out.getvalue()


def _assert_right(answer: dict[str, Any], file: bytes) -> None:
    """Holds every signal against the native one."""
    native = {(signal.type, signal.variant): signal.value for signal in with_variants(hash_picture(file)).signals}
    found = {(signal["type"], signal.get("variant", "whole")): signal["value"] for signal in answer["signals"]}
    assert found == native


def _hash(
    hands: Hands, registry: Registry, files: Collection[bytes], *, together: bool = False
) -> list[dict[str, Any]]:
    """What the page's door makes of each file, or the code of its error; the door stays open for the next."""
    hands.open(registry.url)
    answers = hands.run((_ALL if together else _ONE_BY_ONE) % json.dumps(serve(registry, list(files))))
    assert isinstance(answers, list), answers
    return answers


def _build(files: Mapping[str, bytes], *, isolated: bool) -> dict[str, Answer]:
    """The answers of a build with other files of the runtime, which the page names by their digests."""
    page = (DIST / "index.html").read_text()
    answers = {}
    for name, data in files.items():
        digest = f"sha384-{b64encode(sha384(data).digest()).decode()}"
        page, count = re.subn(rf"(/runtime/{re.escape(name)}) \d+ \S+?(?=\")", rf"\1 {len(data)} {digest}", page)
        assert count == 1, name
        kind = WASM if name.endswith(".wasm") else "application/zip"
        answers[f"/runtime/{name}"] = _answer(f"/runtime/{name}", data, kind)
    index = _answer("/", page.encode(), "text/html; charset=utf-8")
    headers = {name: value for name, value in index.headers.items() if isolated or name not in ISOLATION}
    return {**answers, "/": Answer(200, headers, index.body)}


def _answer(path: str, content: bytes, content_type: str) -> Answer:
    headers = {name.lower(): value for name, value in headers_for(kind_of(path), tls=False)}
    return Answer(200, {"content-type": content_type, **headers}, content)


_SHARES: Final = "crossOriginIsolated && typeof SharedArrayBuffer === 'function'"
_PREPARE: Final = """
  const { createDoor } = await import("/page.js");
  const door = (globalThis.door ??= createDoor());
  const take = async (path) => new File([await (await fetch(path)).blob()], "file");
  const hash = async (path) => door.hash(await take(path)).catch((fault) => ({ error: fault.code }));
"""
_ONE_BY_ONE: Final = f"""(async () => {{
  {_PREPARE}
  const answers = [];
  for (const path of %s) answers.push(await hash(path));
  return answers;
}})()"""

_ALL: Final = f"""(async () => {{
  {_PREPARE}
  return Promise.all(%s.map(hash));
}})()"""
_TWO_CORES: Final = """
Object.defineProperty(Navigator.prototype, "hardwareConcurrency", { get: () => 2 });
Object.defineProperty(Navigator.prototype, "deviceMemory", { get: () => 8 });
globalThis.asked = 0;
globalThis.Worker = class extends Worker {
  constructor(...ways) {
    super(...ways);
    this.addEventListener("message", ({ data }) => {
      if (data.kind === "needs") globalThis.asked += 1;
    });
  }
};
"""
"""A device that bears two workers, and how often a worker asked for a file."""
