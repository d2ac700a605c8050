"""`python3 build.py bench schema`: 20,000 requests generated from the OpenAPI document, which all answers must fit.

schemathesis generates them, valid and invalid, and checks every answer against the document: no 5xx, no status, header,
type or body that is not described. It is installed from `schema.lock` into a folder of its own on the first run.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from builder import WORK
from tests.registry.support import Server

LOCK: Final = Path(__file__).with_suffix(".lock")
HOME: Final = WORK / "bench" / "schema"
REQUESTS: Final = 20_000
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
EXAMPLES: Final = 100
"""Of each operation in one run; more are slower to think of than to send. Runs go on with other seeds until enough."""
CONFIG: Final = """
[[operations]]
include-name = "GET /v1/feed"
parameters = { wait = 0 }
"""
"""Without it half of the requests would wait for news for up to 30 seconds."""
_MADE: Final = re.compile(r"(\d+) generated")


def main() -> None:
    """Prints how many requests were made and whether one broke the document. Ends non-zero if so."""
    install()
    made, seed, wanted = 0, 1, int(os.environ.get("REQUESTS", REQUESTS))
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder, "var"), environ={"TAKEBACK_WORK": "250"})
        try:
            key = server.platform("Example Photos").key
            while made < wanted:
                made += run(server.address, key, seed)
                seed += 1
        finally:
            server.stop()
    print(f"{made} requests, no 5xx, nothing that the OpenAPI document does not describe")


def install() -> None:
    """Schemathesis as its lock file has it, unless it is there."""
    done = HOME / LOCK.name
    if done.is_file() and done.read_bytes() == LOCK.read_bytes():
        return
    python = HOME / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", LOCK], check=True)
    HOME.joinpath("schemathesis.toml").write_text(CONFIG)
    done.write_bytes(LOCK.read_bytes())


def run(address: str, key: str, seed: int) -> int:
    """One run; the number of its requests. Ends the benchmark where one of them failed, and says which."""
    arguments = [f"{address}/docs/openapi.json", "-H", f"Authorization: Bearer {key}", "--no-color"]
    arguments += ["--checks", ",".join(CHECKS), "-n", str(EXAMPLES), "--seed", str(seed)]
    command = [str(HOME / "bin" / "schemathesis"), "run", *arguments]
    done = subprocess.run(command, cwd=HOME, text=True, stdout=subprocess.PIPE, check=False)
    made = _MADE.search(done.stdout)
    if done.returncode or not made:
        raise SystemExit(f"{done.stdout}\nThe registry and its OpenAPI document disagree")
    return int(made[1])


if __name__ == "__main__":
    main()
