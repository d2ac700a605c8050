import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from takeback.cli import main


def run(home: Path, *arguments: str) -> Result:
    """`takeback lookup` on a folder."""
    return CliRunner().invoke(main, ["lookup", *arguments, "--home", str(home)])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A private folder."""
    tmp_path.chmod(0o700)
    return tmp_path


def test_a_sites_life(home: Path) -> None:
    """A site is added, listed, gets a new key and is revoked; each key is shown once."""
    added = run(home, "add", "forum", "--quota", "500")
    assert (added.exit_code, bool(re.fullmatch(r"tbl_[0-9a-f]{16}_[0-9a-f]{64}\n", added.output))) == (0, True)
    assert re.fullmatch(r"forum +added \d{4}-\d\d-\d\d  500 questions a day\n", run(home, "list").output)
    rotated = run(home, "rotate", "forum", "--grace-hours", "2").output
    assert rotated.startswith("tbl_")
    assert rotated != added.output
    assert run(home, "revoke", "forum").output == "forum can no longer ask\n"
    (line,) = run(home, "list", "--json").output.splitlines()
    assert json.loads(line)["revoked"]
    assert added.output.strip() not in run(home, "list", "--json").output


def test_usage_of_nobody(home: Path) -> None:
    """Before anybody asked, usage is empty."""
    run(home, "add", "forum")
    assert run(home, "usage").output == run(home, "usage", "forum", "--days", "30", "--json").output == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["add", "A B"], "name"),
        (["rotate", "nobody"], "there is no site nobody"),
        (["revoke", "nobody"], "there is no site nobody"),
        (["serve", "--port", "0"], "gate init"),
        (["add", "x", "--quota", "0"], "quota"),
    ],
)
def test_errors_are_one_line(home: Path, arguments: list[str], text: str) -> None:
    """An error says what to do, and ends with status 2."""
    refused = run(home, *arguments)
    assert refused.exit_code == 2
    assert text in refused.output
    assert "Traceback" not in refused.output
