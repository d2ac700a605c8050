import secrets
import sqlite3
from pathlib import Path

from tests.registry.support import Platform, Server, md5, problem, serving

HURRIES = """
from takeback.registry.storage.engine import database

database._PRAGMAS = ("busy_timeout=50", *database._PRAGMAS[1:])
from takeback.cli import main
main()
"""
"""A registry that does not wait long for a locked database."""


FULL = """
from takeback.registry.storage.engine import database

database._PRAGMAS = (*database._PRAGMAS, "max_page_count=120")
from takeback.cli import main
main()
"""
"""A registry on a disk that is full after 480 KiB."""


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """On a full disk cases are refused with 503 and acknowledged ones stay; with free space the registry continues."""
    data, kept, answer = tmp_path / "var", list[str](), None
    server = Server(data, program=FULL)
    key = server.platform("Example Photos").key
    while True:
        signals, secret = [md5() for _ in range(24)], secrets.token_hex(16)
        answer = server.submit(signals, key=secret)
        if answer.status_code != 201:
            break
        kept.append(answer.json()["number"])
    problem(answer, 503, "store-unavailable")
    assert server.case(kept[0]).status_code == 200
    server.stop()
    with serving(data) as roomy:
        assert [roomy.case(number).json()["state"] for number in kept] == ["active"] * len(kept)
        assert roomy.submit(signals, key=secret).status_code == 201
        assert len(Platform(roomy.http, key).active()) == 24 * (len(kept) + 1)


def test_a_store_that_cannot_be_written_is_told_and_recovers(tmp_path: Path) -> None:
    """While the database is locked, writes are answered with 503 and `Retry-After`, and reads work."""
    data = tmp_path / "var"
    server = Server(data, program=HURRIES)
    number = server.submit([md5()]).json()["number"]
    signal, key = md5(), "ab" * 16
    lock = sqlite3.connect(data / "registry.sqlite", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    refused = [server.submit([signal], key=key), server.withdraw(number), server.http.get("/healthz")]
    read = server.case(number)
    lock.execute("ROLLBACK")
    lock.close()
    again = server.submit([signal], key=key)
    server.stop()

    for answer in refused:
        problem(answer, 503, "store-unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert read.json()["state"] == "active"
    assert again.status_code == 201
    assert "the database cannot store an event" in server.log.read_text()
