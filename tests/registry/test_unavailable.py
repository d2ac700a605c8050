import sqlite3
from pathlib import Path

from tests.registry.support import Server, md5, problem

HURRIES = """
from takeback.registry import database

database._PRAGMAS = ("busy_timeout=50", *database._PRAGMAS[1:])
from takeback.cli import main
main()
"""
"""A registry that does not wait long for a locked database."""


def test_a_store_that_cannot_be_written_is_told_and_recovers(tmp_path: Path) -> None:
    """While the database is locked, writes answer 503 with when to try again; reads go on; then all is as before."""
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
    assert "the store cannot take an event" in server.log.read_text()
