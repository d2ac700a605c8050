"""A process of its own that removes a folder when nobody holds a lock on it any more; `shared.py` starts it.

It is run by its path and needs nothing but Python, so that it starts in a moment. It leaves the process group and the
parent that started it: whatever ends those, killed or not, must not end it.
"""

import fcntl
import os
import shutil
import sys


def main(draft: str, folder: str) -> None:
    """Waits for the locks of the folder that is called `draft` now, and `folder` perhaps when they are gone."""
    held = os.open(draft, os.O_RDONLY)
    if os.fork():
        return
    os.setsid()
    fcntl.flock(held, fcntl.LOCK_EX)
    for path in (draft, folder):
        if os.path.isdir(path) and os.path.samestat(os.fstat(held), os.stat(path)):  # noqa: PTH112, PTH116 - as bare as it can be
            shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
