"""Makes a child process end with its parent, even if the parent is killed."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.connection import wait
from typing import Final

_SET_DEATH_SIGNAL: Final = 1
"""`PR_SET_PDEATHSIG` of prctl(2)."""


def end_with_parent() -> None:
    """Makes this process exit when the parent that started it by `multiprocessing` is gone; without one, does nothing.

    A thread waits until the pipe that the parent holds open is closed. On Linux the kernel sends SIGKILL too, which
    also ends a process whose C code never releases the global interpreter lock.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        # If the parent has died before this call, no signal comes, but the thread below finds the pipe closed.
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    threading.Thread(target=_end_after, args=(parent.sentinel,), name="parent", daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    # `sys.exit` would only end this thread.
    os._exit(1)
