"""Hashes one uploaded file in a process of its own, within limits of time and memory.

A file may be made to stall a decoder. The process has no environment, and ends with the file; it is less confined than
a gate's (`takeback.gate.processes`), which also takes files, network and system calls from it. It needs Pillow alone.
"""

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from multiprocessing import spawn
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from takeback.errors import DamagedPicture, InvalidSignal, OverBudget, PictureError, PictureTooLarge, UnknownFormat
from takeback.hashing.kernel import DIHEDRALS
from takeback.hashing.patches import MAX_ASKED
from takeback.hashing.picture import MAX_BYTES, sniff
from takeback.hashing.video import video_format
from takeback.lookup.messages import PatchMessage
from takeback.signals import Signal, SignalType, Variant

CPU_SECONDS: Final = 10
"""Processor time for a file, of which loading the decoders takes about half a second."""
WALL_CLOCK_SECONDS: Final = 60.0
MEMORY_BYTES: Final = 1 << 30
"""Memory beyond what is loaded, as a gate's."""
_MAX_ANSWER_BYTES: Final = 1 << 20
_KEPT_VARIABLES: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "SYSTEMROOT")
_PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from takeback.lookup.reading_process import main; main(*map(int, sys.argv[2:]))"
)
_MEDIA_TYPE: Final = re.compile(r"\s*(?:image|video)/", re.IGNORECASE)

type UploadKind = Literal["picture", "video", "unreadable", "not_media", "signals"]
"""What an upload turned out to be, by the names of `takeback.gate.MediaKind`."""
type _Pdq = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class HashedUpload(NamedTuple):
    """What a file turned out to be, its SHA-256, and its other fingerprints; `why` says why it is unreadable, if so."""

    kind: UploadKind
    sha256: str
    signals: tuple[Signal, ...] = ()
    dihedral: dict[str, str] = {}  # noqa: RUF012 - it is never changed
    patches: tuple[PatchMessage, ...] = ()
    why: PictureError | None = None


class _Found(Struct, frozen=True, forbid_unknown_fields=True):
    """What the process found, or the code and the text of the reason why it could not."""

    signals: Annotated[list[tuple[SignalType, str, int | None, Variant]], Meta(max_length=64)] = []
    dihedral: Annotated[dict[str, _Pdq], Meta(max_length=len(DIHEDRALS))] = {}
    patches: Annotated[list[PatchMessage], Meta(max_length=MAX_ASKED)] = []
    code: Annotated[str, Meta(max_length=40)] = ""
    text: Annotated[str, Meta(max_length=300)] = ""


def read_upload(data: bytes, given: str = "") -> HashedUpload:
    """Hashes an upload; `given` is its media type, if known. Every file gets a result: `why` holds the error.

    Of a video and of an unreadable file there is the SHA-256 alone.
    """
    exact = sha256(data).hexdigest()
    if video_format(data[:4096]):
        return HashedUpload("video", exact)
    try:
        sniff(data[:4096])
    except UnknownFormat as error:
        is_media = bool(_MEDIA_TYPE.match(given)) or data[4:8] == b"ftyp"
        return HashedUpload("unreadable", exact, why=error) if is_media else HashedUpload("not_media", exact)
    try:
        found = _hash_elsewhere(data)
        signals = tuple(Signal(*fields) for fields in found.signals)
    except InvalidSignal:
        return HashedUpload("unreadable", exact, why=DamagedPicture("its process gave an invalid answer"))
    except PictureError as error:
        return HashedUpload("unreadable", exact, why=error)
    return HashedUpload("picture", exact, signals, found.dihedral, tuple(found.patches))


def _hash_elsewhere(data: bytes) -> _Found:
    """Hashes a picture in a new process. Raises `PictureError`."""
    if len(data) > MAX_BYTES:
        raise PictureTooLarge(f"the file is larger than {MAX_BYTES >> 20} MB")
    paths = [os.path.abspath(path) for path in sys.path]  # noqa: PTH100 - an empty path is the current folder
    program = [os.fsdecode(spawn.get_executable() or sys.executable), "-I", "-c", _PROGRAM, json.dumps(paths)]
    environ = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - this very Python
            [*program, str(MEMORY_BYTES), str(CPU_SECONDS)],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            timeout=WALL_CLOCK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OverBudget(f"the file takes more than {WALL_CLOCK_SECONDS:.0f} seconds") from error
    # What read a file may have been taken over by it, so its answer is read as a stranger's.
    if done.returncode or len(done.stdout) > _MAX_ANSWER_BYTES:
        raise OverBudget(f"the file takes more than {CPU_SECONDS} seconds or a gigabyte, or broke its process")
    try:
        found = msgspec.json.decode(done.stdout, type=_Found)
    except msgspec.MsgspecError as error:
        raise DamagedPicture("its process gave an invalid answer") from error
    if found.code:
        refused = PictureError(found.text)
        refused.code = found.code
        raise refused
    return found
