import os
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import pytest

from takeback.errors import PictureError
from takeback.gate import Action, Gate
from takeback.gate.settings import GateSettings, save
from takeback.hashing import hash_picture
from tests.gate.feeds import KEY
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import running

LISTED = jpeg(drawing(1))


def test_a_check_takes_an_open_file(tmp_path: Path) -> None:
    """Bytes, a path, an open file, a spooled file and a pipe lead to one decision; a seekable file keeps its place."""
    path = tmp_path / "listed.jpg"
    path.write_bytes(LISTED)
    with running() as registry:
        registry.log.add(hash_picture(LISTED).signals[0])
        save(tmp_path, GateSettings(registry.url, KEY))
        with Gate.open(tmp_path) as gate, path.open("rb") as file, SpooledTemporaryFile() as spooled:
            gate.sync()
            spooled.write(LISTED)
            file.seek(7)
            reading, writing = os.pipe()
            with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as into:
                into.write(LISTED)
                into.close()
                uploads: list[bytes | str | Path | IO[bytes]] = [LISTED, path, str(path), file, spooled, pipe]
                assert [gate.check(upload).action for upload in uploads] == [Action.BLOCK] * 6
                assert pipe.read() == b""
            assert (file.tell(), spooled.tell()) == (7, len(LISTED))
            assert not file.closed


def closed() -> BytesIO:
    file = BytesIO(LISTED)
    file.close()
    return file


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda path: path.open(), "binary mode"),
        (lambda _: closed(), "pass an open file"),
        (lambda path: path.parent, "is not a file"),
        (lambda path: path / "none", "does not exist"),
        (lambda path: path.open("ab"), "cannot be read"),
    ],
    ids=["text", "closed", "folder", "missing", "write-only"],
)
def test_what_cannot_be_read_is_told(made: Any, said: str, tmp_path: Path) -> None:
    """A file for text, a closed one, a folder, a missing one and one that cannot be read are refused in a sentence."""
    path = tmp_path / "text"
    path.write_text("hello")
    save(tmp_path, GateSettings("http://127.0.0.1:9", KEY))
    upload = made(path)
    with Gate.open(tmp_path) as gate, pytest.raises(PictureError, match=said):
        gate.check(upload)
    if hasattr(upload, "close"):
        upload.close()
