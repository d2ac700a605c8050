"""The sidecar's log: lines with the time on standard error, which never contain a hash or anything about a person."""

import logging
import sys
from datetime import UTC, datetime
from typing import override

from takeback.gate.watch import error_location


def write_log(text: str) -> None:
    """Writes a line with the time (UTC) to standard error."""
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}", file=sys.stderr, flush=True)  # noqa: T201 - it is the log


class _ForeignLogHandler(logging.Handler):
    """Logs the level, logger and traceback of other packages' records, but not their text, which may hold a hash."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        write_log(f"a {record.levelname.lower()} of {record.name}" + (f": {error_location(error)}" if error else ""))


def start_logging() -> None:
    """Redirects the errors of other packages to this log; their warnings, about callers' mistakes, are dropped."""
    logging.basicConfig(handlers=[_ForeignLogHandler()], level=logging.ERROR, force=True)
