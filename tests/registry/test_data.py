import subprocess
import sys
from pathlib import Path

import pytest

from takeback.errors import SettingsError
from takeback.registry.data import check_data, open_data, open_pin_key
from takeback.registry.settings import RegistrySettings


def test_commands_import_no_server() -> None:
    """A command that opens the data does not wait for the packages of the server."""
    script = "import sys, takeback.registry.data; print(sorted({'litestar', 'uvicorn'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"


def test_folder_is_private(tmp_path: Path) -> None:
    """The first start makes the folder, for its owner alone, and the PIN key, which later starts find again."""
    settings = RegistrySettings(data=tmp_path / "data")
    engine = open_data(settings)
    assert settings.data.stat().st_mode & 0o777 == 0o700
    made = open_pin_key(engine, settings.pin_key)
    assert open_pin_key(engine, settings.pin_key).secret == made.secret
    engine.dispose()


def test_no_folder(tmp_path: Path) -> None:
    """A folder that cannot be made is an error that names it."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"cannot write in the data folder .*/file/data: Not a directory"):
        open_data(RegistrySettings(data=tmp_path / "file" / "data"))


def test_check_needs_the_pin_key(tmp_path: Path) -> None:
    """A check passes with the PIN key that the database was used with, and fails with another."""
    settings = RegistrySettings(data=tmp_path / "data")
    engine = open_data(settings)
    open_pin_key(engine, settings.pin_key)
    engine.dispose()
    check_data(settings)
    settings.pin_key.write_bytes(settings.pin_key.read_bytes()[::-1])
    with pytest.raises(SettingsError):
        check_data(settings)
