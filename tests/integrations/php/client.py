"""Runs calls of the PHP client in a process of its own."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.debian import install

HERE: Final = Path(__file__).parent
CLIENT: Final = HERE.parents[2] / "py" / "takeback" / "integrations" / "php" / "takeback.php"
NEEDED: Final = {"curl", "gd", "imagick"}

type Settings = dict[str, str | int] | None


def php_command() -> str:
    """The path of PHP with the extensions of `NEEDED`, which are installed if need be; skips the test without them."""
    if not _has_all():
        install("php-cli", "php-curl", "php-gd", "php-imagick")
    if not _has_all():
        pytest.skip("needs PHP with curl, gd and imagick (Debian: php-cli, php-curl, php-gd, php-imagick)")
    return str(shutil.which("php"))


def _has_all() -> bool:
    php = shutil.which("php")
    if php is None:
        return False
    found = subprocess.run([php, "-m"], capture_output=True, text=True, check=False).stdout
    return set(found.lower().split()) >= NEEDED


def calls(
    settings: Settings, *called: list[Any], environ: dict[str, str] | None = None, options: str = ""
) -> list[Any]:
    """What the calls return, in order; `options` are PHP's, such as `-dmemory_limit=32M`. A warning fails the test."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("TAKEBACK")}
    around |= {"TAKEBACK_PHP": str(CLIENT), **(environ or {})}
    texts = [json.dumps(settings), json.dumps(called, default=str)]
    command = [php_command(), *options.split(), str(HERE / "client.php"), *texts]
    done = subprocess.run(command, env=around, capture_output=True, text=True, check=False, timeout=100)
    # libpng and libjpeg write to standard error by themselves.
    errors = [line for line in done.stderr.splitlines() if not line.startswith(("libpng ", "libjpeg "))]
    assert (done.returncode, errors) == (0, []), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def actions(told: list[Any]) -> list[str]:
    """The actions of decisions."""
    return [one["action"] for one in told]
