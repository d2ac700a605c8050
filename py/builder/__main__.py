"""`python -m builder`: the part of `build.py` that runs inside `.venv`."""

import sys

from builder import commands
from builder.entry import run_plainly
from builder.options import parse

if __name__ == "__main__":
    options = parse(sys.argv[1:])
    sys.exit(run_plainly(lambda: commands.COMMANDS[options.command](options)))
