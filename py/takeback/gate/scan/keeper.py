"""A separate process that removes a folder when no process holds a lock on it any more; `shared.py` starts it.

It is run by its path and imports only the standard library, so that it starts quickly. It forks and starts a new
session, so that it survives when its parent or the process group is killed.
"""

import fcntl
import os
import shutil
import sys


def main(draft: str, folder: str) -> None:
    """Waits until all locks on the folder are released, and removes it.

    The folder is called `draft` now, and may have been renamed to `folder` by then.
    """
    held = os.open(draft, os.O_RDONLY)
    # The first process ends at once, so `shared.py` waits for the start alone; setsid would fail in a group's leader.
    if os.fork():
        return
    os.setsid()
    fcntl.flock(held, fcntl.LOCK_EX)
    # By then another folder may have the name.
    for path in (draft, folder):
        if os.path.isdir(path) and os.path.samestat(os.fstat(held), os.stat(path)):  # noqa: PTH112, PTH116 - no import of pathlib, to start quickly
            shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
