"""The entry point of `build.py`: parses the command line, makes the environment, and continues inside it."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from builder import BuildError
from builder.clean import clean
from builder.demo.serve import check_address
from builder.options import Options, parse
from builder.setup.environment import VENV_PYTHON, make_environment
from builder.steps import one_at_a_time

INTERRUPTED: Final = 130
"""The exit status that shells report for a command stopped by Ctrl-C."""


def main(arguments: list[str]) -> int:
    """Runs one command; returns its exit status."""
    options = parse(arguments)
    return run_plainly(lambda: _enter(options, arguments))


def _enter(options: Options, arguments: list[str]) -> int:
    """Makes what the command needs, then hands over to the Python in `.venv`."""
    if sys.platform == "win32":
        raise BuildError("Windows is not supported directly: run the same command in WSL (`wsl --install`)")
    if options.command == "clean":
        clean(everything=options.all)
        return 0
    # First, so that a port in use is reported before the environment is made, not after.
    if options.command in {"serve", "dev"}:
        check_address(options.host, options.port)
    with one_at_a_time():
        make_environment(with_tools=options.command not in {"build", "serve", "dev", "release", "reference"})
    return os.execv(VENV_PYTHON, [str(VENV_PYTHON), "-m", "builder", *arguments])  # continues in the same process


def run_plainly(command: Callable[[], int]) -> int:
    """Runs a command; errors are printed as one line, never as a traceback. Returns the exit status."""
    try:
        return command()
    except BuildError as error:
        text = str(error)
    except OSError as error:
        text = _explain(error)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED
    print(f"build.py: {text}", file=sys.stderr)
    return 1


def _explain(error: OSError) -> str:
    """The system's error message, and what to do about it."""
    where = f"{Path(os.fsdecode(error.filename))}: " if isinstance(error.filename, str | bytes) else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"{where}no space left on the disk; make room and run the same command again"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"{where}no permission to write; change the permissions, or work in a clone that you own"
    return f"{where}{error.strerror or error}"
