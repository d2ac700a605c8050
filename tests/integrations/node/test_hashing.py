"""The fingerprints that the client in JavaScript computes, beside those of the client in Python."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from builder import ROOT
from takeback.hashing import hash_picture
from takeback.hashing.kernel import DIHEDRALS
from takeback.lookup import RemoteGate
from takeback.signals import PDQ_QUALITY_FLOOR, SignalType, hamming_distance
from tests.gate.pictures import drawing
from tests.gate.servers import running
from tests.integrations.node.clients import COPY, KEY, encoded, recording, saved, told

DRAWN: Final = ROOT / "tests" / "vectors" / "pictures"
UNREADABLE: Final = {"rgb.bmp", "text.jpg"}
LAID_OVER_WHITE: Final = {"grey-alpha.png", "rgba.png"}
MAX_DECODER_BITS: Final = 4
"""Bits of PDQ by which two decoders of JPEG or two ways to lay a picture over white may differ."""

PDQ_OF_NOTHING: Final = "0" * 64
VALID: Final = json.dumps(
    {
        "pdq": PDQ_OF_NOTHING,
        "quality": 0,
        "dihedral": dict.fromkeys(DIHEDRALS, PDQ_OF_NOTHING),
        "patches": [],
        "frames": "",
        "partly": False,
    }
)
"""What the process that decodes a picture may say."""

pytestmark = pytest.mark.timeout(240)


def asked_by_node(packages: Path, paths: Sequence[str]) -> list[dict[str, Any]]:
    """The questions that the client in JavaScript asks about pictures; an empty one if it cannot read one."""
    sent = list[dict[str, Any]]()
    with running() as server:
        server.answer = recording(sent)
        told(packages, server.url, KEY, [("check", path, {"type": "image/x"}) for path in paths])
    return sent


def asked_by_python(upload: bytes) -> dict[str, Any]:
    """The question that the client in Python asks about a picture."""
    sent = list[dict[str, Any]]()
    with running() as server:
        server.answer = recording(sent)
        with RemoteGate(server.url, KEY) as gate:
            gate.check(upload)
    return sent[0]


def distances(data: bytes, asked: dict[str, Any]) -> list[int]:
    """Bits of PDQ between what Node and Python find in a picture: of the hash itself, then of its other forms."""
    hashed = hash_picture(data, look_ups=True)
    assert abs(asked["signals"][0]["quality"] - hashed.quality) <= 1
    assert asked["signals"][0]["value"] == asked["dihedral"]["orig"]
    return [hamming_distance(asked["dihedral"][name], value) for name, value in hashed.dihedral.items()]


def test_the_fingerprints_are_those_of_python(packages: Path) -> None:
    """PDQ of lossless pictures has the same bits, and of all others at most four different ones."""
    files = sorted(file for file in DRAWN.iterdir() if file.name not in {"loud.jpg", "cut.jpg", "cut.png"})
    asked = asked_by_node(packages, list(map(str, files)))
    assert {file.name for file, found in zip(files, asked, strict=True) if not found} == UNREADABLE
    for file, found in zip(files, asked, strict=True):
        if found:
            bits = distances(file.read_bytes(), found)
            is_exact = file.suffix in {".png", ".tiff", ".gif"} and file.name not in LAID_OVER_WHITE
            assert max(bits) <= (0 if is_exact else MAX_DECODER_BITS), (file.name, bits)


def test_local_hashes_and_frames_are_those_of_python(packages: Path, tmp_path: Path) -> None:
    """All local hashes of a lossless picture and all frames of an animation are the same in both clients."""
    frames = [drawing(seed % 25, (300, 200)) for seed in range(40)]
    more: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": [7, 130, 300, 40] * 10}
    uploads = [encoded(drawing(4), "PNG"), encoded(frames[0], "GIF", **more)]
    uploads.append(encoded(frames[0], "WEBP", lossless=True, **more))
    paths = saved(tmp_path, *uploads)
    node = asked_by_node(packages, paths)
    for asked, upload in zip(node, uploads, strict=True):
        python = asked_by_python(upload)
        assert asked["patches"] == python["patches"]
        for kind in (SignalType.PDQ, SignalType.VPDQ):
            values = [
                [one["value"] for one in signals if one["type"] == kind and one.get("variant", "whole") == "whole"]
                for signals in (asked["signals"], python["signals"])
            ]
            assert values[0] == values[1]
    assert [len(asked["signals"]) for asked in node] == [1, 2, 2]


def test_quality_is_that_of_python(packages: Path) -> None:
    """A picture whose quality is below the floor is below it in both clients."""
    loud = DRAWN / "loud.jpg"
    quality = asked_by_node(packages, [str(loud)])[0]["signals"][0]["quality"]
    assert max(quality, hash_picture(loud.read_bytes()).quality) < PDQ_QUALITY_FLOOR


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("console.log('{')", "damaged-picture"),
        ("console.log(process.env.SECRET ?? '{\"pdq\": 1}')", "damaged-picture"),
        (f"console.log(process.env.SECRET ? '{{' : '{VALID}')", ""),
        (f"console.log('{VALID.replace(PDQ_OF_NOTHING, 'x', 1)}')", "damaged-picture"),
        (
            "console.log(' '.repeat(2 << 20) + '{}'); for (;;) await new Promise((soon) => setTimeout(soon))",
            "over-budget",
        ),
        ("process.kill(process.pid, 'SIGSEGV')", "over-budget"),
        pytest.param(
            "for (const held = []; ; ) held.push(Buffer.alloc(1 << 26, 1))",
            "damaged-picture",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux"),
        ),
    ],
)
def test_a_hashing_process_that_a_file_took_over(packages: Path, tmp_path: Path, program: str, why: str) -> None:
    """Whatever the process that decodes a picture says or does, the file is at most unreadable; it sees no settings."""
    folder = tmp_path / "app"
    folder.mkdir()
    for file in packages.iterdir():
        (folder / file.name).symlink_to(file)
    for file in packages.glob("*.mjs"):
        (folder / file.name).unlink()
        shutil.copy(file, folder)
    (folder / "takeback-hashing.mjs").write_text(program)
    (copy,) = saved(tmp_path, COPY)
    with running() as server:
        server.answer = recording([])
        (found,), _ = told(folder, server.url, KEY, [("check", copy)])
    assert (found["why"], found["action"]) == (why, "review" if why else "allow")
