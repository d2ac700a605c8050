import json
import secrets
import socket
from pathlib import Path

from tests.registry.support import OTHER_PIN, PIN, Server, command, md5, pdq, secret_headers, serving

BREAKS = """
from takeback.registry.storage.case_store import CaseStore

def broken(self, case):
    raise RuntimeError(f"a secret of {case.number}")

CaseStore.status = broken
from takeback.cli import main
main()
"""
"""A registry with a fault: asking for a case's status crashes, with the case number in the error."""
AGENT = "Mozilla/5.0 (a very telling phone)"


def test_the_log_names_nobody(tmp_path: Path) -> None:
    """After a run with every kind of request, error and crash, the log contains nothing about a person or a message."""
    data = tmp_path / "var"
    with serving(data) as calm:
        platform_key = calm.platform("Example Photos").key
    server = Server(data, program=BREAKS)
    server.http.headers["User-Agent"] = AGENT
    signals, key = [pdq(), md5()], secrets.token_hex(16)
    number = server.submit(signals, key=key).json()["number"]
    server.submit([md5()], key=key)
    assert server.case(number).status_code == 500
    server.case(number, OTHER_PIN)
    server.http.post("/v1/cases", content=b'{"holiday.jpg": 1}', headers=secret_headers())
    server.http.get("/v1/feed?after=0", headers={"Authorization": f"Bearer {platform_key}"})
    server.http.get("/v1/feed?after=0", headers={"Authorization": "Bearer wrong"})
    server.http.get("/holiday.jpg?" + number)
    _send_rubbish(server, f"POST /{number} {PIN}\r\n\r\n")
    server.withdraw(number)
    server.stop()
    log = server.log.read_text()

    for told in (
        number, PIN, OTHER_PIN, AGENT, key, "holiday", "127.0.0.1", platform_key, platform_key.split("_")[1],
        *(signal["value"] for signal in signals),
    ):  # fmt: skip
        assert told not in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"the registry starts", "an unexpected error", "the registry has stopped"} <= {
        line["event"] for line in lines
    }
    crash = next(line for line in lines if line["event"] == "an unexpected error")
    assert crash["error"] == "RuntimeError"
    assert crash["at"][-1].endswith(" broken")


def _send_rubbish(server: Server, text: str) -> None:
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(text.encode())
        connection.recv(1000)


def test_a_crash_tells_the_client_nothing(tmp_path: Path) -> None:
    """A crash is answered with a plain problem, without the error's text."""
    server = Server(tmp_path / "var", program=BREAKS)
    number = server.submit([md5()]).json()["number"]
    answer = server.case(number)
    server.stop()

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:takeback:problem:internal"
    assert "secret" not in answer.text


def test_refusals_at_the_start_are_one_line(tmp_path: Path) -> None:
    """A start that fails says why in one line."""
    (tmp_path / "file").write_text("")
    refused = command("registry", "serve", "--data", tmp_path / "file" / "var", "--port", 0)

    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith("Error: cannot write in the data folder")
