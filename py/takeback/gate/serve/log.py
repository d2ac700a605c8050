"""The sidecar's log: lines with the time on standard error, and nothing in them that could name a person or a hash."""

import logging
import sys
from datetime import UTC, datetime
from typing import override

from takeback.gate.watch import error_location


def write_log(text: str) -> None:
    """Writes a line."""
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}", file=sys.stderr, flush=True)  # noqa: T201 - it is the log


class _ForeignLogHandler(logging.Handler):
    """Says that another package has something to say, and where it went wrong, but not what: it may hold a hash."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        write_log(f"a {record.levelname.lower()} of {record.name}" + (f": {error_location(error)}" if error else ""))


def start_logging() -> None:
    """Sends what other packages log of errors through the one door; their warnings are of callers' mistakes."""
    logging.basicConfig(handlers=[_ForeignLogHandler()], level=logging.ERROR, force=True)
