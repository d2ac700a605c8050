import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from takeback.gate import Gate
from takeback.gate.settings import GateSettings, save
from takeback.hashing import hash_picture
from tests.gate.feeds import KEY
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import running
from tests.gate.sidecar import answering

FOLDER: Final = Path(__file__).parents[3] / "py" / "takeback" / "integrations" / "examples"
EXAMPLES: Final = sorted(file.stem for file in FOLDER.glob("*_uploads.py"))
LISTED: Final = jpeg(drawing(1))
COPY: Final = jpeg(drawing(1).resize((400, 300)), 70)

type Post = Callable[[bytes], int]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A gate's folder that lists one picture, set in the environment."""
    monkeypatch.setenv("TAKEBACK_GATE_HOME", str(tmp_path))
    with running() as registry:
        registry.log.add(hash_picture(LISTED).signals[0])
        save(tmp_path, GateSettings(registry.url, KEY))
        with Gate.open(tmp_path) as gate:
            gate.sync()
        yield tmp_path


@contextmanager
def by_flask(example: ModuleType) -> Iterator[Post]:
    client = example.app.test_client()
    yield lambda data: int(client.post("/upload", data={"photo": (BytesIO(data), "a.jpg")}).status_code)


@contextmanager
def by_asgi(example: ModuleType) -> Iterator[Post]:
    with answering(example.app) as client:
        yield lambda data: client.post("/upload", files={"photo": ("a.jpg", data)}).status_code


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example(name: str, home: Path) -> None:
    """Each framework's example refuses a listed picture, holds back a text sent as one, and accepts another one."""
    assert home.is_dir()
    example = import_module(f"takeback.integrations.examples.{name}")
    run = by_flask if name == "flask_uploads" else by_asgi
    with run(example) as post:
        held = 202 if name == "flask_uploads" else 422
        assert [post(data) for data in (COPY, b"hello", jpeg(drawing(2)))] == [422, held, 201]
    assert example.gate().status().feedback_waiting == 1
    example.gate().close()
    example.gate.cache_clear()


def test_the_examples_are_short() -> None:
    """There are examples for three frameworks, each under 45 lines."""
    assert EXAMPLES == ["fastapi_uploads", "flask_uploads", "starlette_uploads"]
    assert all(len((FOLDER / f"{name}.py").read_text().splitlines()) < 45 for name in EXAMPLES)


@pytest.mark.parametrize(
    "start",
    [
        ["-m", "flask", "--app", "takeback.integrations.examples.flask_uploads", "run", "--port", "0"],
        ["-m", "uvicorn", "takeback.integrations.examples.fastapi_uploads:app", "--port", "0"],
        ["-m", "uvicorn", "takeback.integrations.examples.starlette_uploads:app", "--port", "0"],
    ],
    ids=["flask", "fastapi", "starlette"],
)
@pytest.mark.parametrize("given", ["no folder", "an empty folder"])
def test_a_missing_setting_stops_the_server_at_its_start(start: list[str], given: str, tmp_path: Path) -> None:
    """Without the gate's folder, or with one that no gate was set up in, the server does not start and says why."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environ.pop("TAKEBACK_GATE_HOME", None)
    said = "give the gate's folder, or set TAKEBACK_GATE_HOME"
    if given == "an empty folder":
        environ["TAKEBACK_GATE_HOME"] = str(tmp_path)
        said = f"{tmp_path / 'gate.toml'} does not exist: create it with `takeback gate init`"
    done = subprocess.run(
        [sys.executable, *start], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode not in {0, None}
    assert done.stderr.rstrip().splitlines()[-1] == f"takeback.errors.SettingsError: {said}"
