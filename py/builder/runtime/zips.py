"""Reads and writes zips and wheels, reproducibly."""

import io
import zipfile
from typing import Final

EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can represent."""


def read_zip(data: bytes) -> dict[str, bytes]:
    """Returns the members of a zip by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


def stored_zip(members: dict[str, bytes]) -> bytes:
    """Makes a reproducible zip of `members`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), members[name])
    return out.getvalue()
