"""A WordPress site of Debian's packages: MariaDB, PHP's own server and a new install, all processes of the test."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from tests import debian
from tests.registry.postgres import free_port

PACKAGES: Final = (
    *("wordpress", "mariadb-server", "php-cli", "php-mysql", "php-curl", "php-gd", "php-xml"),
    *("php-cgi", "micro-httpd"),  # so that WordPress does not bring Apache
)
SOURCES: Final = Path("/usr/share/wordpress")
WORKERS: Final = 4
PASSWORD: Final = "correct horse battery"
CONFIG: Final = """<?php
define('DB_NAME', 'wordpress'); define('DB_USER', 'root'); define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:{socket}');
define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {{
    define($name . '_KEY', 'key of ' . $name); define($name . '_SALT', 'salt of ' . $name);
}}
define('WP_DEBUG', true); define('WP_DEBUG_LOG', '{log}'); define('WP_DEBUG_DISPLAY', false);
define('WP_ENVIRONMENT_TYPE', 'local'); define('DISABLE_WP_CRON', true); define('WP_HTTP_BLOCK_EXTERNAL', true);
define('FS_METHOD', 'direct'); define('AUTOMATIC_UPDATER_DISABLED', true);
if (is_file(__DIR__ . '/constants.php')) {{ require __DIR__ . '/constants.php'; }}
$table_prefix = 'wp_';
defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""


class NoWordPress(Exception):
    """WordPress cannot be run; the text says why."""


def _missing() -> str:
    programs = [name for name in ("php", "mariadbd", "mariadb-install-db") if shutil.which(name) is None]
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=False).stdout if not programs else ""
    programs += [name for name in ("mysqli", "curl", "gd", "xml") if programs == [] and name not in modules.split()]
    return ", ".join(programs + ([] if (SOURCES / "wp-load.php").is_file() else ["wordpress"]))


def ensure_installed() -> None:
    """Installs what is missing if that is permitted. Raises `NoWordPress`."""
    if _missing():
        debian.install(*PACKAGES)
    if missing := _missing():
        raise NoWordPress(f"needs {missing}: apt-get install {' '.join(PACKAGES)}")


@dataclass
class Site:
    """A running site: its folder, its address, and a browser's session of its administrator."""

    folder: Path
    url: str
    admin: httpx.Client
    rest: httpx.Client = field(init=False)

    def php(self, code: str) -> str:
        """What code prints that runs inside WordPress."""
        program = f"require {str(self.folder / 'wp-load.php')!r}; {code}"
        command = ["php", "-d", f"error_log={self.log}", "-r", program]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout

    @property
    def log(self) -> Path:
        return self.folder / "debug.log"

    def complaints(self) -> list[str]:
        """What PHP said of the plugin, or of anything fatal."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        ours = ("plugins/takeback/", "Takeback", "takeback")
        return [line for line in lines if any(name in line for name in ours) or "PHP Fatal" in line]

    def uploads(self) -> list[Path]:
        """The files in uploads/."""
        return sorted(path for path in (self.folder / "wp-content" / "uploads").rglob("*") if path.is_file())

    def empty(self) -> None:
        """Removes the files in uploads/."""
        for path in self.uploads():
            path.unlink()

    def constants(self, **values: str) -> None:
        """Puts constants into wp-config.php, in place of those before."""
        lines = "".join(f"define({name!r}, {value!r});\n" for name, value in values.items())
        (self.folder / "constants.php").write_text(f"<?php\n{lines}")

    def nonce(self, page: str, pattern: str) -> str:
        """The nonce on a page of the admin."""
        text = self.admin.get(page).text
        found = re.search(pattern, text)
        assert found, text[-3000:]
        return found[1]

    def run_cron(self) -> None:
        """Runs the jobs, as if the time of ours had come."""
        self.php(
            "if (wp_next_scheduled('takeback_recheck')) { wp_clear_scheduled_hook('takeback_recheck');"
            " wp_schedule_single_event(time() - 1, 'takeback_recheck'); }"
        )
        assert self.admin.get("/wp-cron.php?doing_wp_cron").status_code == 200


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """A new site in `folder`, installed by its own pages. Raises `NoWordPress`."""
    ensure_installed()
    site = folder / "site"
    shutil.copytree(SOURCES, site, ignore=shutil.ignore_patterns(".htaccess", "wp-config.php"))
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="wp") as short, database(folder, Path(short, "s")) as socket:
        (site / "wp-config.php").write_text(CONFIG.format(socket=socket, log=site / "debug.log"))
        with serving(site) as url, httpx.Client(base_url=url, timeout=60, follow_redirects=True) as admin:
            install(admin)
            made = Site(site, url, admin)
            made.php("update_option('blog_public', '0');")
            secret = made.php(
                "echo WP_Application_Passwords::create_new_application_password(1, ['name' => 'test'])[0];"
            )
            with httpx.Client(base_url=url, timeout=60, auth=("admin", secret)) as made.rest:
                yield made


@contextmanager
def database(folder: Path, socket: Path) -> Iterator[Path]:
    """A MariaDB of its own; the path of its socket."""
    data = folder / "data"
    owner = ["--user=root"] if os.geteuid() == 0 else []
    options = ["--no-defaults", f"--datadir={data}", *owner]
    make = ["mariadb-install-db", *options, "--auth-root-authentication-method=normal", "--skip-test-db"]
    done = subprocess.run(make, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or done.stdout
    fast = ["--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]
    command = ["mariadbd", *options, *fast, f"--socket={socket}", f"--log-error={folder / 'mariadb.log'}"]
    with running(command):
        _wait(lambda: query(socket, "SELECT 1") == 0)
        assert query(socket, "CREATE DATABASE wordpress CHARACTER SET utf8mb4") == 0
        yield socket


def query(socket: Path, text: str) -> int:
    """The exit status of a query."""
    command = ["mariadb", "--no-defaults", f"--socket={socket}", "-uroot", "-e", text]
    return subprocess.run(command, capture_output=True, check=False).returncode


@contextmanager
def serving(site: Path) -> Iterator[str]:
    """PHP's server for a folder; its address."""
    port = free_port()
    limits = ["-d", "upload_max_filesize=20M", "-d", "post_max_size=24M", "-d", "error_reporting=-1"]
    fast = ["-d", "opcache.enable_cli=1", "-d", "opcache.revalidate_freq=0"]
    command = ["php", *limits, *fast, "-S", f"127.0.0.1:{port}", "-t", str(site)]
    with running(command, PHP_CLI_SERVER_WORKERS=str(WORKERS)):
        url = f"http://127.0.0.1:{port}"
        _wait(lambda: _answers(url))
        yield url


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readme.html", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def install(admin: httpx.Client) -> None:
    """Answers the questions of a new site, and logs its administrator in."""
    answers = {"weblog_title": "Site", "user_name": "admin", "admin_email": "admin@site.example", "language": ""}
    passwords = {"admin_password": PASSWORD, "admin_password2": PASSWORD, "pw_weak": "on"}
    done = admin.post("/wp-admin/install.php?step=2", data={**answers, **passwords})
    assert "Success!" in done.text, done.text[-2000:]
    admin.get("/wp-login.php")  # sets the cookie that proves that there are cookies
    inside = admin.post("/wp-login.php", data={"log": "admin", "pwd": PASSWORD, "testcookie": "1"})
    assert "wp-admin" in str(inside.url), inside.text[-2000:]


@contextmanager
def running(command: Sequence[str], **environ: str) -> Iterator[None]:
    """A program and its children, until the block ends."""
    around = {**os.environ, **environ}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=around, stdout=quiet, stderr=quiet, start_new_session=True) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, 15)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)


def _wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
