"""The gate's list frozen at one moment, by which all workers of a scan decide, on whatever machine and day.

A snapshot is a gate's folder without the platform key. It holds hashes, and only its owner can read it.
"""

import io
import shutil
import tarfile
from pathlib import Path
from typing import Final

from takeback.errors import SettingsError
from takeback.gate import settings as settings_file
from takeback.gate.feed.state import STATE_FILE, State
from takeback.gate.rules.benign_list import BENIGN_LIST_FILE
from takeback.gate.rules.policy import POLICY_FILE
from takeback.gate.service import Gate
from takeback.gate.settings import GateSettings

_NO_KEY: Final = f"tbk_{'0' * 16}_{'0' * 64}"


def draft_of(folder: Path) -> Path:
    """Returns the path under which a snapshot is built before it is complete."""
    return folder.with_name(f"{folder.name}.new")


def freeze(home: Path, folder: Path, newer_than: int = 0) -> int:
    """Copies the entries after feed number `newer_than` of the gate in `home`, and returns the checkpoint.

    Raises `SettingsError` if the gate has not read the feed that far, and `GateError` if its state cannot be read.
    """
    draft = draft_of(folder)
    draft.mkdir(mode=0o700)
    try:
        checkpoint = _fill(home, draft, newer_than)
        draft.replace(folder)
    except BaseException:
        shutil.rmtree(draft)
        raise
    return checkpoint


def _fill(home: Path, draft: Path, newer_than: int) -> int:
    settings = settings_file.load(home)
    state = State(home, settings.registry)
    try:
        position, read_at = state.position()
        if read_at is None:
            raise SettingsError("this gate has never read the feed to its end: run `takeback gate sync` first")
        if newer_than > position.checkpoint:
            raise SettingsError(f"the gate has read up to number {position.checkpoint} only: run `takeback gate sync`")
        checkpoint = state.copy(draft / STATE_FILE, newer_than)
    finally:
        state.close()
    for name in (POLICY_FILE, BENIGN_LIST_FILE):
        if (home / name).exists():
            shutil.copy(home / name, draft / name)
    settings_file.save(draft, GateSettings(settings.registry, _NO_KEY))
    with Gate.open(draft) as gate:
        gate.warm_up()  # builds the index file now, which each worker would build otherwise
    return checkpoint


def pack(folder: Path) -> bytes:
    """Returns the snapshot as a tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, file.name)
    return out.getvalue()
