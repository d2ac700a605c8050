"""Sites of Django in processes of their own, and the packages that a site needs beside those of the tests."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from builder import cache_folder

AWAY = (
    "Failed to establish a new connection",
    "NewConnectionError",
    "Timeout",
    "Max retries",
    "Connection reset",
)
"""What pip says if the index cannot be reached."""


def packages(lock: Path) -> Path:
    """A folder with the packages of a lock, from the cache or installed by their hashes; skips without an index."""
    folder = cache_folder() / f"{lock.stem}-{sys.version_info.minor}-{sha256(lock.read_bytes()).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    new = folder.with_name(f"{folder.name}.{os.getpid()}")
    options = [
        "--retries",
        "1",
        "--timeout",
        "30",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--target",
        str(new),
    ]
    command = [sys.executable, "-m", "pip", "--no-input", "install", *options, "--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    if done.returncode and any(word in done.stderr for word in AWAY):
        pytest.skip(f"needs the packages of {lock.name}, and the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    try:
        new.rename(folder)
    except OSError:  # another test was faster
        shutil.rmtree(new)
    return folder


class Site:
    """A site's folder with `manage.py`; `path` are folders of packages."""

    def __init__(self, folder: Path, *path: Path, **environ: str) -> None:
        self.folder = folder
        before = os.pathsep.join([*map(str, path), *sys.path])
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TAKEBACK_")}
        self.environ = {**kept, "PYTHONPATH": before, "PYTHONUNBUFFERED": "1", **environ}

    def manage(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Runs a command of `manage.py`."""
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=self.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def done(self, *words: str, **environ: str) -> str:
        """The output of a command that succeeds."""
        ran = self.manage(*words, **environ)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def add_admin(self) -> None:
        """Adds a person who may do everything."""
        named = {"DJANGO_SUPERUSER_PASSWORD": "secret", "DJANGO_SUPERUSER_EMAIL": "a@example.org"}
        self.done("createsuperuser", "--noinput", "--username", "admin", **named)

    @contextmanager
    def running(self, *options: str, **environ: str) -> Iterator[httpx.Client]:
        """The site's server on a free port, and a client for it that keeps cookies."""
        command = [sys.executable, "manage.py", "runserver", "--noreload", *options, "127.0.0.1:0"]
        around = self.environ | environ
        log = self.folder / "server.log"
        with (
            log.open("w") as errors,
            subprocess.Popen(
                command, cwd=self.folder, env=around, stdout=subprocess.PIPE, stderr=errors, text=True
            ) as process,
        ):
            try:
                url = _address(process, log)
                with httpx.Client(base_url=url, timeout=60, follow_redirects=True) as client:
                    yield client
            finally:
                process.terminate()  # so that its coverage is written
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()


def _address(process: "subprocess.Popen[str]", log: Path) -> str:
    """The address that the server prints."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"server at (http://[\d.:]+)", line):
            return found[1]
    raise AssertionError(log.read_text())


def hidden(page: str, form: str = "") -> dict[str, str]:
    """The hidden fields of a page's forms with their values, or of the form that begins with this text."""
    part = page[page.index(form) :] if form else page
    fields: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", part):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if attributes.get("type") == "hidden" and "name" in attributes:
            fields.setdefault(attributes["name"], attributes.get("value", ""))
    return fields


def token(client: httpx.Client, path: str) -> str:
    """The CSRF token of a page's form."""
    page = client.get(path)
    assert page.status_code == 200, page.text
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert found is not None, page.text
    return found[1]


def log_in(client: httpx.Client, path: str) -> None:
    """Logs the person in whom `add_admin` added."""
    login = {"csrfmiddlewaretoken": token(client, path), "username": "admin", "password": "secret"}
    answer = client.post(path, data=login, headers=referring(client, path), follow_redirects=False)
    assert answer.status_code == 302, answer.text
    assert "sessionid" in client.cookies


def referring(client: httpx.Client, path: str) -> Mapping[str, str]:
    """Headers with which a browser sends a form of this page."""
    return {"Referer": str(client.base_url.join(path)), "Origin": str(client.base_url).rstrip("/")}
