"""The program of a hashing process: it receives files from a gate and returns what it finds in them.

It trusts its parent, which does not trust it. Both directions carry frames: a four-byte length, then that many bytes.
The parent sends a job in JSON; this process requests chunks of the file, reports the picture's size, waits for
permission to go on, and sends the result in JSON, then each thumbnail. The parent's side is in
gate/processes/hashing_process.py.
"""

import gc
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO, Final, override

from takeback.errors import PictureError, UnknownFormat
from takeback.hashing import hash_picture
from takeback.hashing.confine import confine
from takeback.hashing.frames import HashedFrame, chosen_thumbnails
from takeback.hashing.kernel import Thumbnail
from takeback.hashing.moving_box import moving_frames
from takeback.hashing.patches import AskedPatch, asked_patches
from takeback.hashing.rehearsal import load_all
from takeback.hashing.size import pixels_of
from takeback.hashing.video import hash_video
from takeback.signals import Signal

CHUNK_BYTES: Final = 1 << 20
"""Bytes of a video requested at a time."""


class ParentPipes:
    """The two pipes to the parent."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: object, *more: bytes) -> None:
        """Sends a JSON message, then each of `more` as a frame."""
        for data in (json.dumps(message).encode(), *more):
            self._writer.write(len(data).to_bytes(4, "big") + data)
        self._writer.flush()

    def take(self) -> bytes:
        """Receives the next frame; exits the process if the parent has closed the pipe."""
        return self._exactly(int.from_bytes(self._exactly(4), "big"))

    def read(self, at: int, length: int) -> bytes:
        """Reads `length` bytes of the file at offset `at`."""
        self.send({"read": [at, length]})
        return self.take()

    def _exactly(self, length: int) -> bytes:
        data = self._reader.read(length)
        if len(data) < length:
            os._exit(0)
        return data


class ParentFile(io.RawIOBase):
    """The file of a job, read from the parent on demand."""

    def __init__(self, pipes: ParentPipes, size: int) -> None:
        self._pipes = pipes
        self._size = size
        self._at = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    @override
    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        data = self._pipes.read(self._at, wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def answer(pipes: ParentPipes, job: dict[str, Any]) -> None:
    """Processes one job."""
    kinds: dict[str, Callable[[ParentPipes, int], tuple[dict[str, object], list[Thumbnail]] | None]] = {
        "picture": _picture,
        "video": _video,
    }
    try:
        found = kinds[job["kind"]](pipes, job["size"])
        if found:
            message = {**found[0], "thumbnails": [_shape(thumbnail) for thumbnail in found[1]]}
            pipes.send({"found": message, "used": time.process_time()}, *(thumbnail.pixels for thumbnail in found[1]))
    except PictureError as error:
        out_of_memory = isinstance(error.__cause__, MemoryError)
        _refuse(pipes, "memory" if out_of_memory else error.code, str(error))
    except MemoryError:
        _refuse(pipes, "memory", "")


def _refuse(pipes: ParentPipes, code: str, text: str) -> None:
    pipes.send({"refused": {"code": code, "text": text}, "used": time.process_time()})


def _picture(pipes: ParentPipes, size: int) -> tuple[dict[str, object], list[Thumbnail]] | None:
    data = pipes.read(0, size) if size else b""
    pipes.send({"pixels": pixels_of(data)})
    if pipes.take() != b"go":
        return None
    hashed = hash_picture(data, look_ups=True)
    frames, thumbnails = _frames(hashed.frames)
    found: dict[str, object] = {
        "signals": _wire(hashed.signals),
        "dihedral": hashed.dihedral,
        "patches": asked_patches(hashed.thumbnail),
        "frames": frames,
        "notes": list(hashed.notes),
    }
    return found, [hashed.thumbnail, *thumbnails]


def _video(pipes: ParentPipes, size: int) -> tuple[dict[str, object], list[Thumbnail]]:
    hashed = hash_video(io.BufferedReader(ParentFile(pipes, size), CHUNK_BYTES), look_ups=True)
    if hashed.quality is None:
        raise hashed.fault or UnknownFormat("none of the video's frames can be read")
    frames, thumbnails = _frames(hashed.frames)
    return {"signals": _wire(hashed.signals), "frames": frames}, thumbnails


def _frames(frames: tuple[HashedFrame, ...]) -> tuple[list[list[object]], list[Thumbnail]]:
    """The frames and their moving parts, and the thumbnails of the chosen frames in the same order."""
    every = (*frames, *moving_frames(frames))
    wire: list[list[object]] = [
        [one.seconds, one.quality, one.dihedral, one.is_chosen, one.is_part, _patches(one)] for one in every
    ]
    return wire, chosen_thumbnails(every)


def _patches(frame: HashedFrame) -> list[AskedPatch]:
    """The patches of a frame that stands for its video."""
    return asked_patches(frame.thumbnail, turned=False) if frame.is_chosen and frame.thumbnail else []


def _shape(thumbnail: Thumbnail) -> dict[str, float]:
    return {"width": thumbnail.width, "height": thumbnail.height, "across": thumbnail.across, "down": thumbnail.down}


def _wire(signals: tuple[Signal, ...]) -> list[list[object]]:
    return [[signal.type, signal.value, signal.quality, signal.variant] for signal in signals]


def _take_over() -> ParentPipes:
    """The pipes on new descriptors, so that a decoder that prints or reads cannot disturb them."""
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.close(nothing)
    return ParentPipes(reader, writer)


def main(memory: int, parent: int, life: int) -> None:
    """Answers jobs until the process `parent` is gone. `memory` is in bytes, `life` in seconds of processor time."""
    pipes = _take_over()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    # In this order: once confined, the process can open and import nothing.
    load_all()
    pipes.send({"sealed": confine(memory, parent, life)})
    while True:
        job = json.loads(pipes.take())
        _set_timer(job["seconds"])
        answer(pipes, job)
        _set_timer(0)
        gc.collect()  # frees reference cycles of decoders, which may hold half of the memory that the next file needs


def _set_timer(seconds: float) -> None:
    """Ends this process after `seconds` of processor time; 0 means never. Windows has no such timer."""
    # Code that took over this process could lift the timer; the hard limit on its life in `confine` would remain.
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)
