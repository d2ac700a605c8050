"""A command of this zone that serves, in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

PROGRAM = (sys.executable, "-c", "from takeback.cli import main; main()", "gate")


def environment(**more: str) -> dict[str, str]:
    """The environment of a command."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **more}


@dataclass
class Started:
    """A command that serves: a client for it, its process, and its log."""

    client: httpx.Client
    process: "subprocess.Popen[str]"
    file: Path

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self.file.read_text()

    def kill(self) -> None:
        """Ends it at once, as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(15)


@contextmanager
def started(folder: Path, *arguments: str, **environ: str) -> Iterator[Started]:
    """`takeback gate ...` on a free port."""
    file = folder / "log"
    command = [*PROGRAM, *arguments, "--listen", "127.0.0.1:0"]
    with (
        file.open("a") as log,
        subprocess.Popen(command, env=environment(**environ), stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, file.read_text()
            with httpx.Client(base_url=line.split()[-1], timeout=30) as client:
                yield Started(client, process, file)
        finally:
            process.terminate()  # so that its coverage is written
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def until(holds: Callable[[], object], seconds: float = 40) -> None:
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
