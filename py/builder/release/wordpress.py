"""Packs the WordPress plugin with the PHP client: `python -m builder.release.wordpress FILE.zip` outside a release."""

import io
import sys
import time
import zipfile
from pathlib import Path
from typing import Final

from builder import ROOT

INTEGRATIONS: Final = ROOT / "py" / "takeback" / "integrations"
PLUGIN: Final = INTEGRATIONS / "wordpress" / "takeback"
CLIENT: Final = INTEGRATIONS / "php" / "takeback.php"
FIRST_TIME: Final = 315532800
"""1980, the earliest time that a zip file can hold."""


def plugin_archive(at: int = FIRST_TIME) -> bytes:
    """The zip file that WordPress installs: sorted, with one time for each file, so that it is the same every time."""
    files = {f"takeback/{path.relative_to(PLUGIN).as_posix()}": path for path in PLUGIN.rglob("*") if path.is_file()}
    files |= {"takeback/client/takeback.php": CLIENT, "takeback/LICENSE": ROOT / "LICENSE"}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            member = zipfile.ZipInfo(name, time.gmtime(at)[:6])
            member.external_attr = 0o644 << 16
            archive.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(plugin_archive())
