"""A real MediaWiki with the extension: Debian's package, SQLite and PHP's own web server, all in one folder."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests import debian
from tests.lookup.service.test_nginx import free_port

SOFTWARE: Final = Path("/usr/share/mediawiki")
INTEGRATIONS: Final = Path(__file__).parents[3] / "py" / "takeback" / "integrations"
PACKAGES: Final = (
    "mediawiki",
    *(f"php-{name}" for name in ("cli", "curl", "gd", "intl", "mbstring", "sqlite3", "xml")),
)
ADMIN: Final = ("Admin", "Orange-Lantern-7")
USER: Final = ("Ann", "Yellow-Kettle-42")
SETTINGS: Final = r"""
error_reporting(-1);
ini_set('display_errors', '0');
$wgEnableUploads = true;
$wgUploadDirectory = '{folder}/images';
$wgTmpDirectory = '{folder}/tmp';
$wgJobRunRate = 0;
$wgMinUploadChunkSize = 1024;
$wgAllowCopyUploads = $wgCopyUploadsFromSpecialUpload = true;
$wgEnableAsyncUploads = true;
$wgGroupPermissions['user']['upload_by_url'] = true;
$wgRateLimits = [];
$wgShowExceptionDetails = true;
$wgDebugLogFile = '{folder}/debug.log';
$wgExtensionDirectory = '{folder}/extensions';
$wgJobTypeConf['takebackRecheck'] = ['claimTTL' => 1];
wfLoadExtension('Takeback');
"""

type Json = dict[str, Any]


class NoMediaWiki(Exception):
    """The packages are not there and cannot be installed; the text says which."""


def need() -> None:
    """Installs MediaWiki if it is missing. Raises `NoMediaWiki`."""
    if not (SOFTWARE / "api.php").exists() or not shutil.which("php"):
        debian.install(*PACKAGES)
    if not (SOFTWARE / "api.php").exists() or not shutil.which("php"):
        raise NoMediaWiki(f"needs the packages {', '.join(PACKAGES)}")


@dataclass
class Person:
    """Somebody who is logged in."""

    http: httpx.Client
    token: str = ""

    def api(self, files: Json | None = None, /, **fields: str) -> Json:
        """What the API answers."""
        answer = self.http.post("/api.php", data={"format": "json", **fields}, files=files)
        return dict(answer.raise_for_status().json())

    def log_in(self, name: str, password: str) -> None:
        token = self.api(action="query", meta="tokens", type="login")["query"]["tokens"]["logintoken"]
        answer = self.api(action="login", lgname=name, lgpassword=password, lgtoken=token)
        assert answer["login"]["result"] == "Success", answer
        self.token = self.api(action="query", meta="tokens")["query"]["tokens"]["csrftoken"]

    def upload(self, data: bytes, name: str = "Picture.jpg", **fields: str) -> Json:
        """What `action=upload` answers, warnings ignored."""
        given = {"action": "upload", "filename": name, "token": self.token, "ignorewarnings": "1", **fields}
        return self.api({"file": (name, data, "image/jpeg")}, **given)

    def fetched(self, url: str, name: str = "Picture.jpg") -> Json:
        """What it answers if the wiki is to fetch the file."""
        return self.api(action="upload", url=url, filename=name, token=self.token, ignorewarnings="1")

    def stashed(self, data: bytes, size: int = 20_000, later: bool = False) -> Json:
        """What the last part of an upload in parts is answered; `later` has a job put them together."""
        given = {
            "action": "upload",
            "stash": "1",
            "filename": "Picture.jpg",
            "token": self.token,
            "ignorewarnings": "1",
        }
        given |= {"filesize": str(len(data)), **({"async": "1"} if later else {})}
        answer: Json = {}
        for start in range(0, len(data), size):
            part = {"chunk": ("part", data[start : start + size], "application/octet-stream")}
            more = {"filekey": answer["upload"]["filekey"]} if answer else {}
            answer = self.api(part, **given, offset=str(start), **more)
        return answer

    def published(self, filekey: str, name: str = "Picture.jpg") -> Json:
        """What publishing a stashed file is answered."""
        return self.api(action="upload", filekey=filekey, filename=name, token=self.token, ignorewarnings="1")

    def form(self, data: bytes, name: str = "Picture.jpg") -> str:
        """The page that Special:Upload shows, or ends at."""
        fields = {"wpDestFile": name, "wpEditToken": self.token, "wpUpload": "1", "wpSourceType": "file"}
        files = {"wpUploadFile": (name, data, "image/jpeg")}
        return self.http.post("/index.php?title=Special:Upload", data=fields, files=files, follow_redirects=True).text

    def log(self, kind: str = "takeback") -> list[tuple[str, str]]:
        """The entries of a log that this person sees: action and file, the newest first."""
        events = self.api(action="query", list="logevents", letype=kind)["query"]["logevents"]
        return [(event["action"], event["title"]) for event in events]


@dataclass
class Wiki:
    """A wiki that runs, in its folder."""

    folder: Path
    url: str
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def admin(self) -> Person:
        return self.person(ADMIN)

    @property
    def user(self) -> Person:
        return self.person(USER)

    def person(self, who: tuple[str, str]) -> Person:
        if who[0] not in self.people:
            self.people[who[0]] = Person(httpx.Client(base_url=self.url, timeout=60))
            self.people[who[0]].log_in(*who)
        return self.people[who[0]]

    def keep(self) -> None:
        """Keeps a copy of everything, with both people logged in, for `reset`."""
        for who in (ADMIN, USER):
            self.person(who)
        shutil.copytree(self.folder, self._kept, ignore=shutil.ignore_patterns("*.log"))

    def reset(self) -> None:
        """Puts everything back as it was at `keep`; nothing keeps a file open between requests."""
        for kept in self._kept.iterdir():
            here = self.folder / kept.name
            if kept.is_dir():
                shutil.rmtree(here)
                shutil.copytree(kept, here)
            else:
                shutil.copy(kept, here)
        for log in self.folder.glob("*.log"):
            log.write_text("")

    @property
    def _kept(self) -> Path:
        return self.folder.with_name("kept")

    def set(self, **takeback: object) -> None:
        """Sets `$wgTakeback`."""
        values = ", ".join(f"'{name}' => {php(value)}" for name, value in takeback.items())
        self.also(f"$wgTakeback = [{values}];")

    def also(self, line: str) -> None:
        """Adds a line to LocalSettings.php."""
        with (self.folder / "LocalSettings.php").open("a") as file:
            file.write(f"{line}\n")

    def run(self, script: str | Path, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        """Runs a maintenance script."""
        path = SOFTWARE / "maintenance" / script
        command = ["php", *options(self.folder), path, *words]
        return subprocess.run(
            command, env=environ(self.folder), capture_output=True, text=True, check=False, timeout=100
        )

    def jobs(self, kind: str = "takebackRecheck") -> str:
        """Runs the jobs of this kind that wait, and returns what is said."""
        return self.run("runJobs.php", f"--type={kind}").stdout

    def stored(self) -> list[bytes]:
        """Every file on disk, stashed and deleted ones too, without MediaWiki's own."""
        own = {".htaccess", "index.html", "README"}
        files = [file for top in ("images", "tmp") for file in (self.folder / top).rglob("*") if file.is_file()]
        return [file.read_bytes() for file in files if file.name not in own and "lockdir" not in file.parts]

    def faults(self) -> list[str]:
        """What PHP said of the extension's files and the client's, and whatever ended a request."""
        log = self.folder / "php.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line for line in lines if "akeback" in line or "PHP Fatal" in line]


def php(value: object) -> str:
    """A value as PHP writes it."""
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def options(folder: Path) -> list[str]:
    """PHP's settings: every notice goes to a file, and LocalSettings.php is read anew in every request."""
    (folder / "changes").write_text(f"{folder}/LocalSettings.php\n")
    return [
        f"-dopcache.blacklist_filename={folder}/changes",
        f"-derror_log={folder}/php.log",
        "-dlog_errors=1",
        "-dhtml_errors=0",
        "-dmemory_limit=256M",
    ]


def environ(folder: Path) -> dict[str, str]:
    return {**os.environ, "MW_CONFIG_FILE": str(folder / "LocalSettings.php"), "MW_INSTALL_PATH": str(SOFTWARE)}


def install(folder: Path, url: str) -> Wiki:
    """Makes a wiki in the folder, with the extension installed as its guide says."""
    for name in ("data", "images", "tmp", "extensions"):
        (folder / name).mkdir(parents=True)
    shutil.copytree(INTEGRATIONS / "mediawiki" / "Takeback", folder / "extensions" / "Takeback")
    shutil.copy(INTEGRATIONS / "php" / "takeback.php", folder / "extensions" / "Takeback")
    wiki = Wiki(folder, url)
    where: list[str | Path] = [
        "--confpath",
        folder,
        "--dbtype",
        "sqlite",
        "--dbpath",
        folder / "data",
        "--dbname",
        "wiki",
    ]
    command: list[str | Path] = ["php", *options(folder), SOFTWARE / "maintenance" / "install.php"]
    command += [*where, "--scriptpath", "", "--server", url, "--pass", ADMIN[1], "Wiki", ADMIN[0]]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    wiki.also(SETTINGS.replace("{folder}", str(folder)))
    made = wiki.run("createAndPromote.php", *USER)
    assert made.returncode == 0, made.stdout + made.stderr
    return wiki


@contextmanager
def running(folder: Path) -> Iterator[Wiki]:
    """A wiki that runs until the block ends."""
    port = free_port()
    wiki = install(folder, f"http://127.0.0.1:{port}")
    command = ["php", *options(folder), "-S", f"127.0.0.1:{port}", "-t", str(SOFTWARE)]
    output = (folder / "server.log").open("w")
    with output, subprocess.Popen(command, env=environ(folder), stdout=output, stderr=output) as process:
        try:
            _wait(wiki.url, process)
            yield wiki
        finally:
            for person in wiki.people.values():
                person.http.close()
            process.kill()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while True:
        try:
            httpx.get(f"{url}/api.php", timeout=30)
        except httpx.ConnectError:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return
