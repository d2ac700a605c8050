"""A process that another one started ends with it, also when that one is killed and can tell nobody."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.connection import wait
from typing import Final

_SET_DEATH_SIGNAL: Final = 1
"""`PR_SET_PDEATHSIG` of Linux's `prctl`."""


def end_with_parent() -> None:
    """Ends this process as soon as the one that started it by `multiprocessing` is gone; does nothing elsewhere.

    A thread waits for the end of the pipe that the parent holds open. On Linux the system sends the signal itself,
    so that work which never lets another thread run ends too.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    threading.Thread(target=_end_after, args=(parent.sentinel,), name="parent", daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
