"""The registry's log: one JSON object a line on standard error, without anything that could identify a person.

Only this package's own messages are written in full. Of other packages' messages only the logger's name is written, and
of exceptions only the type and the places in the code, because their texts may contain an address, a hash or a PIN.
"""

import json
import logging
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Final, override

LOG: Final = logging.getLogger("takeback")


class _Format(logging.Formatter):
    @override
    def format(self, record: logging.LogRecord) -> str:
        ours = record.name == LOG.name
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "event": record.getMessage() if ours else f"a message of {record.name}",
        }
        if record.exc_info and record.exc_info[0]:
            line |= _exception(record.exc_info[0], record.exc_info[2])
        return json.dumps(line)


def _exception(kind: type[BaseException], trace: TracebackType | None) -> dict[str, object]:
    frames = traceback.extract_tb(trace)
    return {"error": kind.__name__, "at": [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames]}


def start_logging() -> None:
    """Configures all loggers of the process to use this format."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Format())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    LOG.setLevel(logging.INFO)
