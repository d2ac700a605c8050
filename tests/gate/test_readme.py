import re
from pathlib import Path

import pytest
from click import Context, Group

from takeback.cli import main
from takeback.gate.commands import EXIT_BLOCKED, EXIT_ERROR, EXIT_REVIEW
from takeback.gate.settings import GateSettings, save
from takeback.hashing import hash_picture
from tests.gate.feeds import KEY
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import running

README = (Path(__file__).parents[2] / "py/takeback/gate/README.md").read_text("utf-8")


def test_commands() -> None:
    """The README's table names exactly the commands that exist."""
    gate = main.get_command(Context(main), "gate")
    assert isinstance(gate, Group)
    assert set(re.findall(r"\| `takeback gate ([\w-]+)", README)) == set(gate.commands)


def test_exit_status() -> None:
    """The README gives the commands' exit status."""
    said = "0 all allowed, 1 at least one file is blocked, 2 an error, 3 at least one file needs a review"
    assert said in README
    assert (EXIT_BLOCKED, EXIT_ERROR, EXIT_REVIEW) == (1, 2, 3)


def test_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's Python example refuses a listed and a broken picture, accepts another one, and reports."""
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example
    monkeypatch.setenv("TAKEBACK_GATE_HOME", str(tmp_path))
    names: dict[str, object] = {}
    with running() as registry:
        save(tmp_path, GateSettings(registry.url, KEY))
        registry.log.add(hash_picture(jpeg(drawing(1))).signals[0])
        exec(example[1], names)
        opened, may_be_stored = names["gate"], names["may_be_stored"]
        with opened:  # type: ignore[attr-defined]
            opened.sync()  # type: ignore[attr-defined]
            uploads = [jpeg(drawing(1), 60), jpeg(drawing(2))[:300], jpeg(drawing(2))]
            assert [may_be_stored(upload) for upload in uploads] == [False, False, True]  # type: ignore[operator]
            opened.sync()  # type: ignore[attr-defined]
    assert [verdict for verdict, _ in registry.feedback.values()] == ["blocked"]
