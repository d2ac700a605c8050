"""`takeback hash` and the worker's door."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from takeback.cli import main
from takeback.hashing.sealed import hash_to_json
from takeback.protocol import Picture, decode

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
    """With `--json` a bad file is an error object, the rest go on, and the exit status is 1."""
    files = [str(PICTURES / name) for name in ("rgb.png", "text.jpg", "nowhere.png", "turned-6.jpg")]
    result = CliRunner().invoke(main, ["hash", "--json", *files])
    assert result.exit_code == 1
    first, second, third, fourth = (json.loads(line) for line in result.stdout.splitlines())
    assert set(first) == {"file", "signals", "quality", "width", "height", "format", "variants"}
    assert "left-third" in first["variants"]
    assert set(first["signals"]) == {"pdq", "sha256", "md5", "phash"}
    assert second["error"]["code"] == "unknown-format"
    assert third["error"]["code"] == "unreadable-file"
    assert set(fourth["variants"]["stored"]) == {"pdq", "phash"}


def test_standard_input() -> None:
    """`-` is standard input."""
    result = CliRunner().invoke(main, ["hash", "--json", "-"], input=(PICTURES / "rgb.png").read_bytes())
    assert json.loads(result.stdout)["format"] == "PNG"


@pytest.mark.parametrize("name", ["rgb.png", "turned-6.jpg"])
def test_the_worker_answers_in_the_words_of_the_protocol(name: str) -> None:
    """What the worker hands to the page is a picture of the protocol, ready to send."""
    answer = json.loads(hash_to_json((PICTURES / name).read_bytes()))
    picture = decode(json.dumps({"signals": answer["signals"]}).encode(), Picture)
    assert len(picture.signals) == len(answer["signals"])
    assert answer["quality"] == 100


def test_the_worker_answers_for_a_bad_picture_as_well() -> None:
    """A bad picture is an answer with an error's code, not an exception."""
    answer = json.loads(hash_to_json(memoryview(b"no picture")))
    assert answer["error"]["code"] == "unknown-format"
