"""Small pages that are built, released and served as the real one is."""

import io
import shutil
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from builder.setup.cache import Cache
from builder.site.assemble import manifest, write_site
from tests.debian import install

FILES: Final = {
    "index.html": b'<!doctype html><title>page</title><script type="module" src="/page.js"></script>' * 20,
    "page.js": b"export {};" * 500,
    "worker.js": b"postMessage('ready');" * 500,
    "runtime/python.zip": b"PK" + bytes(range(256)) * 300,
    "words/es.json": b'{"start": "Empieza"}' * 50,
}


def build(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    """The page of these files in `folder`, with its manifest and its compressed forms."""
    files = FILES if files is None else files
    write_site(folder, {**files, "manifest.json": manifest(files)}, Cache(folder.with_name(f"{folder.name}.cache")))
    return folder


def release(folder: Path, dist: Path) -> Path:
    """The folder of a release with the archive of the page in `dist`, and its sums."""
    folder.mkdir()
    name = "takeback-1.2.3-page.tar.gz"
    with tarfile.open(folder / name, "w:gz") as archive:
        for path in sorted(path for path in dist.rglob("*") if path.is_file()):
            archive.add(path, f"takeback-1.2.3-page/{path.relative_to(dist).as_posix()}")
    write_sums(folder)
    return folder


def write_sums(folder: Path) -> None:
    """`SHA256SUMS` of what is in the folder."""
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("SHA256SUMS"))
    lines = [f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


def need(program: str, package: str) -> None:
    """Installs Debian's package of a program that is missing; skips the test where that is not possible."""
    if shutil.which(program) is None:
        install(package)
    if shutil.which(program) is None:
        pytest.skip(f"needs {program} (Debian: {package})")


def make_key(path: Path) -> str:
    """Makes an SSH key without a passphrase at `path`; the line of `allowed_signers` that lets it sign."""
    need("ssh-keygen", "openssh-client")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    return f"takeback {path.with_name(path.name + '.pub').read_text()}"


def sign(folder: Path, key: Path, namespace: str = "takeback-release") -> None:
    """Signs the sums of a release."""
    (folder / "SHA256SUMS.sig").unlink(missing_ok=True)
    command: list[str | Path] = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", key, folder / "SHA256SUMS"]
    subprocess.run(command, check=True, capture_output=True)


def archive_of(members: dict[str, bytes]) -> bytes:
    """A tar.gz of these members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()
