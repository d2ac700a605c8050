"""The gate's list as it is at one moment: every worker of a scan decides by it, also on other machines and days.

A snapshot is a gate's folder without the platform key. It holds hashes, and can be read by its owner alone.
"""

import io
import os
import shutil
import tarfile
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Final

from takeback.errors import SettingsError
from takeback.gate import settings as settings_file
from takeback.gate.policy import POLICY_FILE
from takeback.gate.service import Gate
from takeback.gate.settings import Settings
from takeback.gate.state import STATE_FILE, State
from takeback.gate.well_known import WELL_KNOWN_FILE

_NO_KEY: Final = f"tbk_{'0' * 16}_{'0' * 64}"


def freeze(home: Path, folder: Path, newer_than: int = 0) -> int:
    """Makes the snapshot of the gate in `home`, of entries after a number; returns the number it reaches."""
    settings = settings_file.load(home)
    state = State(home, settings.registry)
    try:
        position, read_at = state.standing()
        if read_at is None:
            raise SettingsError("this gate has never read the feed to its end: run `takeback gate sync` first")
        if newer_than > position.checkpoint:
            raise SettingsError(f"the gate has read up to number {position.checkpoint} only: run `takeback gate sync`")
        draft = Path(mkdtemp(dir=folder.parent, prefix=".draft-"))
        checkpoint = state.copy(draft / STATE_FILE, newer_than)
    finally:
        state.close()
    for name in (POLICY_FILE, WELL_KNOWN_FILE):
        if (home / name).exists():
            shutil.copy(home / name, draft / name)
    settings_file.save(draft, Settings(settings.registry, _NO_KEY))
    with Gate.open(draft) as gate:
        gate.warm_up()  # makes now what workers would each make
    draft.replace(folder)
    return checkpoint


def pack(folder: Path) -> bytes:
    """The snapshot as one piece that can be sent."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, file.name)
    return out.getvalue()


def unpack(packed: bytes | memoryview) -> Path:
    """The folder of a packed snapshot on this machine, made by whichever worker comes first."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(gettempdir(), f"takeback-scan-{user}-{sha256(packed).hexdigest()[:24]}")
    if folder.exists() and folder.stat().st_uid != user:
        raise SettingsError(f"{folder} is somebody else's: remove it")
    if not folder.exists():
        draft = Path(mkdtemp(prefix="takeback-scan-"))
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(draft, filter="data")
        try:
            draft.replace(folder)
        except OSError:  # another worker was first
            shutil.rmtree(draft)
    return folder
