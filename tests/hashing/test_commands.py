"""`takeback hash`, and the worker's interface."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from takeback.cli import main
from takeback.hashing import sent
from takeback.hashing.sealed import Hashing, hash_to_json
from takeback.hashing.vpdq import vpdq_signal
from takeback.protocol import Picture, decode
from takeback.signals import Frame, Variant

PICTURES = Path(__file__).parents[1] / "vectors" / "pictures"


def test_a_line_a_picture() -> None:
    """One picture gives one line with its hashes, quality, format, size and name."""
    result = CliRunner().invoke(main, ["hash", str(PICTURES / "rgb.png")])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) == 1
    assert "quality" in result.output
    assert "200x150" in result.output
    assert "phash" in result.output


def test_json_and_errors() -> None:
    """With `--json` a bad file gives an error object, the rest are hashed, and the exit status is 1."""
    files = [str(PICTURES / name) for name in ("rgb.png", "text.jpg", "nowhere.png", "turned-6.jpg")]
    result = CliRunner().invoke(main, ["hash", "--json", *files])
    assert result.exit_code == 1
    first, second, third, fourth = (json.loads(line) for line in result.stdout.splitlines())
    assert set(first) == {"file", "signals", "quality", "width", "height", "format", "variants"}
    assert "shape-1-1" in first["variants"]
    assert set(first["signals"]) >= {"pdq", "sha256", "md5", "phash"}
    assert second["error"]["code"] == "unknown-format"
    assert third["error"]["code"] == "unreadable-file"
    assert set(fourth["variants"]["stored"]) == {"pdq", "phash"}


def test_standard_input() -> None:
    """`-` reads standard input."""
    result = CliRunner().invoke(main, ["hash", "--json", "-"], input=(PICTURES / "rgb.png").read_bytes())
    assert json.loads(result.stdout)["format"] == "PNG"


@pytest.mark.parametrize("name", ["rgb.png", "turned-6.jpg"])
def test_the_worker_answers_in_the_words_of_the_protocol(name: str) -> None:
    """What the worker returns to the page is a picture of the protocol, ready to send."""
    answer = json.loads(hash_to_json((PICTURES / name).read_bytes()))
    picture = decode(json.dumps({"signals": answer["signals"]}).encode(), Picture)
    assert len(picture.signals) == len(answer["signals"])
    assert answer["quality"] == 100


@pytest.mark.parametrize("path", sorted(PICTURES.iterdir()), ids=lambda path: str(path.name))
def test_what_is_sent_is_never_refused(path: Path) -> None:
    """For every picture, even flat, tiny or animated, worker and `takeback hash` give what the protocol accepts."""
    hashing = Hashing()
    answer = json.loads(hashing.hash(path.read_bytes()))
    result = CliRunner().invoke(main, ["hash", "--json", str(path)])
    native = json.loads(result.stdout)
    if "error" in answer:
        assert native["error"]["code"] == answer["error"]["code"]
        return
    hashing.keep(1)
    signals = [*answer["signals"], *json.loads(hashing.phash_to_json(1))]
    picture = decode(json.dumps({"signals": signals}).encode(), Picture)
    whole = {signal.type: signal.value for signal in picture.signals if signal.variant is Variant.WHOLE}
    assert whole == native["signals"]
    assert {"sha256", "md5"} <= whole.keys(), "the exact hashes always go out"
    assert CliRunner().invoke(main, ["hash", str(path)]).exit_code == 0


def test_a_flat_picture_and_a_film_of_one_frame_send_their_exact_hashes() -> None:
    """Signals without information are omitted: PDQ of a flat picture, vpdq of an animation that does not move."""
    for name, kinds in (
        ("flat.png", {"sha256", "md5", "phash"}),
        ("moving.gif", {"pdq", "patches", "sha256", "md5", "phash"}),
    ):
        result = CliRunner().invoke(main, ["hash", "--json", str(PICTURES / name)])
        assert set(json.loads(result.stdout)["signals"]) == kinds
    assert "no detail" in CliRunner().invoke(main, ["hash", str(PICTURES / "flat.png")]).output


@pytest.mark.parametrize("hashes", [["f" * 32 + "0" * 32], [f"{1:064x}", "f" * 32 + "0" * 32], [f"{1:064x}"]])
def test_frames_that_tell_nothing_are_left_out(hashes: list[str]) -> None:
    """A vpdq holds the frames with enough detail, and is sent if there are at least two."""
    frames = [Frame(place, 100, value, place) for place, value in enumerate(hashes)]
    told = Frame(9, 100, "0" * 32 + "f" * 32, 9.0)
    assert sent([vpdq_signal(frames)]) == ()
    telling = [frame for frame in [*frames, told] if frame.hash != f"{1:064x}"]
    both = sent([vpdq_signal([*frames, told])])
    assert both == ((vpdq_signal(telling),) if len(telling) > 1 else ())


def test_the_worker_answers_for_a_bad_picture_as_well() -> None:
    """A bad picture gives an answer with an error code, not an exception."""
    answer = json.loads(hash_to_json(memoryview(b"no picture")))
    assert answer["error"]["code"] == "unknown-format"
