import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.registry.support import MAIN, Json, Platform, Server, clean_environment, command, serving


def listed(server: Server) -> Json:
    """The platforms that everybody sees."""
    answer = server.http.get("/v1/platforms")
    assert answer.status_code == 200, answer.text
    return answer.json()


def publish(data: Path, name: str, shown: str, *, said: str | None) -> subprocess.CompletedProcess[str]:
    """Publishes a platform and answers the question with `said`; with `--consent` instead if that is `None`."""
    consent = ["--consent"] if said is None else []
    words = ["platform", "publish", name, "--as", shown, "--data", str(data), *consent]
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        env=clean_environment(),
        input=said or "",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_platforms_key_is_shown_once(tmp_path: Path) -> None:
    """`add` prints only the platform's key and the feed's, in one line; `list` does not show a key again."""
    made = command("platform", "add", "Example Photos", "--data", tmp_path)
    listed = command("platform", "list", "--data", tmp_path).stdout
    key, feed = made.stdout.split()

    assert made.stdout.count("\n") == 1
    assert re.fullmatch("[0-9a-f]{64}", feed)
    assert command("registry", "feed-key", "show", "--data", tmp_path).stdout.strip() == feed
    assert re.fullmatch(r"tbk_[0-9a-f]{16}_[0-9a-f]{64}", key)
    assert "shown only now" in made.stderr
    assert key.split("_")[1] in listed
    assert key.split("_")[2] not in listed


def test_the_list_shows_how_far_platforms_are(tmp_path: Path) -> None:
    """`list` is a table with the name, key, times and cursor of each platform."""
    with serving(tmp_path / "var") as server:
        server.platform("Second Photos")
        platform = server.platform("Example Photos")
        server.submit([{"type": "md5", "value": "a" * 32}])
        Platform(server.http, platform.key).page(1)
    command("platform", "revoke", "Second Photos", "--data", tmp_path / "var")
    lines = command("platform", "list", "--data", tmp_path / "var").stdout.splitlines()

    assert lines[0].split("  ")[0] == "NAME"
    assert re.fullmatch(r"Example Photos +[0-9a-f]{16} +\S+Z +\S+Z +1 +- +- +- +-", lines[1])
    assert re.fullmatch(r"Second Photos +[0-9a-f]{16} +\S+Z +- +0 +\S+Z +- +- +-", lines[2])


def test_an_empty_list_says_what_to_do(tmp_path: Path) -> None:
    """Without a platform, `list` says how to add one."""
    assert "takeback platform add" in command("platform", "list", "--data", tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("add", "Example Photos"), "there is a platform 'Example Photos' already"),
        (("add", ""), "a platform's name must be"),
        (("add", "x" * 81), "a platform's name must be"),
        (("add", "a\nb"), "a platform's name must be"),
        (("rotate", "Nobody"), "there is no platform 'Nobody'"),
        (("revoke", "Nobody"), "there is no platform 'Nobody'"),
        (("publish", "Nobody", "--as", "Example"), "there is no platform 'Nobody'"),
        (("unpublish", "Nobody"), "there is no platform 'Nobody'"),
        (("lookup", "Nobody"), "there is no platform 'Nobody'"),
        (("publish", "Example Photos", "--as", " "), "the name to show must be 1 to 60 printable characters"),
        (("publish", "Example Photos", "--as", "x" * 61), "the name to show must be 1 to 60 printable characters"),
        (("publish", "Example Photos", "--as", "a\nb"), "the name to show must be 1 to 60 printable characters"),
    ],
)
def test_a_wrong_name_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    """A name that is taken, unusable or unknown gives one line that says so."""
    command("platform", "add", "Example Photos", "--data", tmp_path)
    refused = command("platform", *arguments, "--data", tmp_path)

    assert refused.returncode == 2
    assert text in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_platform_is_published_only_with_its_consent(tmp_path: Path) -> None:
    """`publish` says that everybody sees the name, and asks for consent; without a yes nothing is published."""
    with serving(tmp_path / "var") as server:
        platform = server.platform("photos")
        platform.page()
        for said in ("n\n", ""):
            refused = publish(server.data, "photos", "Example Social", said=said)
            assert refused.returncode == 2
            assert "Everybody at the page will see that Example Social follows this registry" in refused.stderr
            assert refused.stderr.endswith("ask the platform first, then answer y or add --consent\n")
            assert listed(server) == {"platforms": [], "unnamed": 1, "small_sites": 0}
        made = publish(server.data, "photos", "Example Social", said="y\n")
        assert "Has photos agreed to be named in public?" in made.stderr
        assert made.stdout.strip() == "photos is published as Example Social. The page shows it now."
        assert listed(server) == {"platforms": ["Example Social"], "unnamed": 0, "small_sites": 0}


def test_a_platform_is_published_without_a_question(tmp_path: Path) -> None:
    """With `--consent` nothing is asked, and the answer says when the page shows the name."""
    command("platform", "add", "photos", "--data", tmp_path)
    made = publish(tmp_path, "photos", " Example Social ", said=None)
    assert (made.returncode, "agreed" in made.stderr) == (0, False)
    assert made.stdout == "photos is published as Example Social. The page shows it as soon as it reads the feed.\n"
    command("platform", "revoke", "photos", "--data", tmp_path)
    again = publish(tmp_path, "photos", "Other Site", said=None)
    assert "The page does not show it, because its key is revoked" in again.stdout


def test_the_list_shows_published_names(tmp_path: Path) -> None:
    """`list` has the name that everybody sees and when it was published, until `unpublish`."""
    command("platform", "add", "photos", "--data", tmp_path)
    publish(tmp_path, "photos", "Example Social", said=None)
    lines = command("platform", "list", "--data", tmp_path).stdout.splitlines()
    assert lines[0].endswith("PUBLISHED AS    CONSENT")
    assert re.search(r"  Example Social  \S+Z$", lines[1])
    for _ in range(2):
        hidden = command("platform", "unpublish", "photos", "--data", tmp_path)
        assert hidden.stdout.startswith("photos is not published.")
    assert re.search(r"-  +-  +-$", command("platform", "list", "--data", tmp_path).stdout.splitlines()[1])


@pytest.mark.parametrize("same", ["Example Social", "example social", "EXAMPLE  SOCIAL", "\uff25xample Social"])
def test_a_name_is_published_once(tmp_path: Path, same: str) -> None:
    """A name that people would take for another platform's is refused, and may be changed for the same platform."""
    for name in ("photos", "videos"):
        command("platform", "add", name, "--data", tmp_path)
    publish(tmp_path, "photos", "Example Social", said=None)
    refused = publish(tmp_path, "videos", same, said=None)
    assert refused.returncode == 2
    assert refused.stderr == "Error: 'photos' is published as 'Example Social' already; choose another name to show\n"
    assert publish(tmp_path, "photos", same, said=None).returncode == 0
    command("platform", "unpublish", "photos", "--data", tmp_path)
    assert publish(tmp_path, "videos", "Example Social", said=None).returncode == 0


def test_a_look_up_service_is_marked_and_unmarked(tmp_path: Path) -> None:
    """`add --lookup` and `lookup` mark a platform, `lookup --off` unmarks it, and `list` shows the sites it serves."""

    def shown(data: Path) -> list[str]:
        lines = command("platform", "list", "--data", data).stdout.splitlines()
        at = lines[0].index("LOOK-UP")
        return [line[at:].split("  ")[0] for line in lines[1:]]

    with serving(tmp_path / "var") as server:
        key = server.command("platform", "add", "hotline", "--lookup").stdout.split()[0]
        server.platform("photos")
        assert shown(server.data) == ["0 sites", "-"]
        hotline = Platform(server.http, key)
        hotline.headers["Takeback-Small-Sites"] = "12"
        hotline.page()
        assert shown(server.data) == ["12 sites", "-"]
        marked = server.command("platform", "lookup", "photos")
        assert marked.stdout.startswith("photos is a look-up service. People see how many small sites it serves")
        assert server.command("platform", "lookup", "hotline", "--off").stdout.endswith("counts as one platform.\n")
        assert shown(server.data) == ["-", "0 sites"]
