"""The printed unit, held against the real systemd."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from takeback.errors import SettingsError
from takeback.registry.settings import Settings
from takeback.registry.systemd import unit

VERIFY = shutil.which("systemd-analyze")


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Systemd reads the unit without a complaint, and finds the service well confined."""
    if VERIFY is None:
        pytest.skip("needs systemd-analyze (Debian: apt install systemd)")
    file = tmp_path / "takeback-registry.service"
    made = unit(Settings(data=tmp_path / "var", page=tmp_path / "dist"), sys.executable, "/etc/takeback.env")
    file.write_text(made.replace("User=takeback\nGroup=takeback\n", "User=root\nGroup=root\n"))
    verified = subprocess.run([VERIFY, "verify", file], capture_output=True, text=True, check=False, timeout=60)
    ours = [line for line in verified.stderr.splitlines() if file.name in line]
    assert (verified.returncode, ours) == (0, [])


def test_settings_stand_in_the_unit() -> None:
    """Every setting but the database's address, which may hold a password, is in the unit; no value breaks a line."""
    made = unit(Settings(data=Path("/srv/takeback"), tls=True, expire=365), "/usr/bin/takeback", "/etc/takeback.env")
    assert "Environment=TAKEBACK_DATA=/srv/takeback\n" in made
    assert "Environment=TAKEBACK_TLS=1\n" in made
    assert "Environment=TAKEBACK_EXPIRE=365\n" in made
    assert "TAKEBACK_DATABASE" not in made
    with pytest.raises(SettingsError, match="cannot stand in a unit"):
        unit(Settings(data=Path("/srv/a b")), "/usr/bin/takeback", "/etc/takeback.env")
