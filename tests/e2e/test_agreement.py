"""Every file beside the repository and in it: the page in Chromium finds what is found natively, within the rule."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from builder.runtime.agreement import HashAnswer, difference
from builder.runtime.modules import native_answer
from takeback.errors import PictureError
from takeback.hashing.video import SNIFF_BYTES, hash_video, video_format
from tests.e2e.door import hash_in_browser
from tests.e2e.hands import PlaywrightHands
from tests.e2e.product import ROOT, Registry

VECTORS: Final = ROOT / "tests" / "vectors"
UNDECODED: Final = {"hevc.mp4", "mpeg4.3gp", "mpeg4.avi", "wmv2.wmv", "flv1.flv", "mpeg1.mpg"}
"""Videos that Chromium has no decoder for: they have their exact hashes there."""
SHORTER: Final = {"half.webm"}
"""Videos of which the page gets fewer frames: its reader of WebM gives up a cluster that is cut, FFmpeg reads on."""
BEYOND: Final = {"colors-animated-8bpc-audio.avif", "multilayer001.heic"}
"""Files that one side's decoder refuses: libavif's build for the web, and libheif's for Python."""


@pytest.mark.only_browser("chromium")
def test_the_videos_of_the_repository(person: PlaywrightHands, registry: Registry) -> None:
    """Every video of the repository, odd or broken, is hashed alike; what Chromium cannot decode by its bytes."""
    agree(person, registry, sorted((VECTORS / "videos").iterdir()))


@pytest.mark.only_browser("chromium")
def test_the_pictures_of_the_repository(person: PlaywrightHands, registry: Registry) -> None:
    """Every picture of the repository, odd or broken, is hashed alike."""
    agree(person, registry, sorted((VECTORS / "pictures").iterdir()))


@pytest.mark.only_browser("chromium")
@pytest.mark.parametrize("folder", ["cases/files", "photos", "vectors"])
def test_the_files_beside_the_repository(
    person: PlaywrightHands, registry: Registry, shared: Path, folder: str
) -> None:
    """Every file of the collections beside the repository is hashed alike."""
    if not (shared / folder).is_dir():
        pytest.skip(f"needs {folder} of ../shared, which is not here")
    no_media = {".md", ".json", ".txt", ".csv", ".py"}
    paths = sorted(p for p in (shared / folder).rglob("*") if p.is_file() and p.suffix.lower() not in no_media)
    agree(person, registry, paths)


def agree(person: PlaywrightHands, registry: Registry, paths: Sequence[Path]) -> None:
    """Fails with a table of the files that are not hashed alike."""
    answers = hash_in_browser(person, registry, [path.read_bytes() for path in paths])
    rows = [(path.name, _apart(path, answer)) for path, answer in zip(paths, answers, strict=True)]
    apart = [f"{name:50} {text}" for name, text in rows if text]
    assert not apart, "\n".join([f"{len(apart)} of {len(paths)} files are not hashed alike:", *apart])


def _apart(path: Path, browser: dict[str, Any]) -> str:
    """How the page's answer differs from the native one."""
    native = _native(path.read_bytes())
    if path.name in BEYOND and (browser["format"] == "") != ("error" in native):
        return ""
    if browser.get("format") == "":  # what cannot be read has its exact hashes on the page, and an error natively
        return "" if "error" in native else "browser: exact hashes alone, native: hashed"
    if path.name in UNDECODED | SHORTER and browser.get("quality") is None:
        return "" if browser["signals"] == native["signals"][-2:] else "exact hashes differ"
    return difference(browser, native)


def _native(data: bytes) -> HashAnswer:
    """What is found natively in a picture or a video, in the form of the door's answers."""
    if not video_format(data[:SNIFF_BYTES]):
        return native_answer(data)
    try:
        video = hash_video(io.BytesIO(data))
    except PictureError as error:
        return {"error": error.code}
    signals = [{"type": str(signal.type), "value": signal.value} for signal in video.sent()]
    return {"signals": signals, "format": video.format, "width": video.width, "height": video.height}
