"""The printed unit, checked by the real systemd."""

import re
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from takeback.errors import SettingsError
from takeback.registry.operations.systemd import unit
from takeback.registry.security.rate_limit import networks
from takeback.registry.settings import RegistrySettings, read_settings

VERIFY = shutil.which("systemd-analyze")


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Systemd verifies the unit without a warning, and rates the service as well confined."""
    if VERIFY is None:
        pytest.skip("needs systemd-analyze (Debian: apt install systemd)")
    file = tmp_path / "takeback-registry.service"
    made = unit(RegistrySettings(data=tmp_path / "var", page=tmp_path / "dist"), sys.executable, "/etc/takeback.env")
    file.write_text(made.replace("User=takeback\nGroup=takeback\n", "User=root\nGroup=root\n"))
    verified = subprocess.run([VERIFY, "verify", file], capture_output=True, text=True, check=False, timeout=60)
    ours = [line for line in verified.stderr.splitlines() if file.name in line]
    assert (verified.returncode, ours) == (0, [])


def test_settings_stand_in_the_unit() -> None:
    """The unit has all settings except the database address, as the registry reads it."""
    settings = RegistrySettings(
        data=Path("/srv/takeback"), database="postgresql://me:p4ssw0rd@db/takeback", keys=Path("/srv/keys"),
        page=Path("/srv/page"), host="::1", port=8001, tls=True, mix=60, expire=365, keep=7,
        proxies=networks("10.0.0.0/8 192.0.2.7"), arrivals=0, work=0, demote=0, flood=10,
        well_known=Path("/srv/known.txt"), ncmec=True, stopncii=True,
        security_contact=("mailto:security@takeback.example", "https://takeback.example/report"),
    )  # fmt: skip
    usual = RegistrySettings()
    assert all(getattr(settings, one.name) != getattr(usual, one.name) for one in fields(RegistrySettings))
    made = unit(settings, "/usr/bin/takeback", "/etc/takeback.env")
    assert "p4ssw0rd" not in made
    lines = re.findall(r"^Environment=(TAKEBACK_\w+)=(.*)$", made, re.MULTILINE)
    assert read_settings(dict(lines)) == replace(settings, database="")


def test_the_proxy_on_the_same_machine_is_named() -> None:
    """The unit of a registry that listens only on its own machine trusts a proxy there, such as the printed nginx."""
    made = unit(RegistrySettings(), "/usr/bin/takeback", "/etc/takeback.env")
    assert "Environment=TAKEBACK_PROXIES=127.0.0.1,::1\n" in made
    assert "TAKEBACK_PROXIES" not in unit(RegistrySettings(host="192.0.2.1"), "/usr/bin/takeback", "/etc/takeback.env")


def test_no_value_breaks_a_line() -> None:
    """A value that systemd would misread is refused."""
    with pytest.raises(SettingsError, match="cannot be used in a systemd unit"):
        unit(RegistrySettings(data=Path("/srv/a b")), "/usr/bin/takeback", "/etc/takeback.env")
