"""The stock clients of `threatexchange`, ready to import: `from tests.stock import ncmec`, for example."""

import sys
from pathlib import Path
from typing import Final

ABSENT: Final = Path(__file__).with_name("absent")
"""A dependency of `threatexchange` that the lock omits, because it needs a compiler."""

sys.path.append(str(ABSENT))

from threatexchange.cli.main import inner_main  # noqa: E402
from threatexchange.exchanges.clients.ncmec import hash_api as ncmec  # noqa: E402
from threatexchange.exchanges.clients.stopncii import api as stopncii  # noqa: E402
from threatexchange.exchanges.collab_config import CollaborationConfigBase  # noqa: E402
from threatexchange.exchanges.impl import ncmec_api as ncmec_exchange  # noqa: E402
from threatexchange.exchanges.impl import stop_ncii_api as stopncii_exchange  # noqa: E402
from threatexchange.signal_type.md5 import VideoMD5Signal  # noqa: E402
from threatexchange.signal_type.pdq.signal import PdqSignal  # noqa: E402
from threatexchange.signal_type.sha256 import VideoSHA256Signal  # noqa: E402

__all__ = [
    "CollaborationConfigBase",
    "PdqSignal",
    "VideoMD5Signal",
    "VideoSHA256Signal",
    "inner_main",
    "ncmec",
    "ncmec_exchange",
    "stopncii",
    "stopncii_exchange",
]
