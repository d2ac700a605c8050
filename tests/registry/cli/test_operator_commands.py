"""The operator's commands, the operator's page, and the usage of each platform."""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, override

import pytest

from takeback.errors import StoreUnavailable
from takeback.registry.storage.engine.database import open_database
from takeback.registry.storage.platforms import Platforms
from takeback.registry.storage.store import Store
from takeback.registry.storage.usage import usage_since
from takeback.times import DAY_SECONDS
from tests.registry.conftest import NewDatabase
from tests.registry.support import Platform, Server, md5, problem, serving, values


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry with a page for its operator."""
    with serving(tmp_path_factory.mktemp("registry") / "var") as running:
        yield running


def make_key(server: Server) -> str:
    """Makes a new key on the command line."""
    made = server.command("registry", "operator-key")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


class Cells(HTMLParser):
    """Collects the texts of a page's cells, row by row, and checks that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "td":
            self.rows[-1].append(data)


def test_the_page_needs_its_key(site: Server) -> None:
    """There is no page until a key is made; then the page requires it, and a new key replaces the old one."""
    problem(site.http.get("/operator"), 404, "not-found")
    key = make_key(site)
    for auth in (None, ("operator", "wrong"), ("operator", "")):
        asked = site.http.get("/operator", auth=auth) if auth else site.http.get("/operator")
        assert asked.status_code == 401
        assert asked.headers["www-authenticate"].startswith("Basic")
        assert "<" not in asked.text
    assert site.http.get("/operator", headers={"Authorization": "Basic ????"}).status_code == 401
    assert site.http.get("/operator", auth=("anybody", key)).status_code == 200
    newer = make_key(site)
    assert [site.http.get("/operator", auth=("", one)).status_code for one in (key, newer)] == [401, 200]
    kept = site.data / "keys" / "operator.key"
    assert kept.stat().st_mode & 0o077 == 0
    assert newer not in kept.read_text()
    assert site.http.post("/operator", auth=("", newer)).status_code == 405


def test_the_page_counts_and_shows_nobody(site: Server) -> None:
    """The page shows cases, platforms and paused entries, but no hash, no case number and no script."""
    platform = site.platform("Photos & <Friends>")
    signal = md5()
    number = site.submit([signal]).json()["number"]
    (entry,) = platform.active()
    platform.report(entry)
    assert site.command("registry", "pause", "1").returncode == 0
    answer = site.http.get("/operator", auth=("", make_key(site)))
    assert answer.headers["cache-control"] == "no-store"
    text = answer.text
    for secret in (number, signal["value"], entry, platform.key):
        assert secret not in text
    assert not re.search(r"<script|\sstyle=|\son\w+=|src=|href=", text)
    cells = Cells()
    cells.feed(text)
    assert cells.open == []
    rows = {row[0]: row[1:] for row in cells.rows if row}
    assert rows["Cases"] == ["1 active"]
    assert rows["Entries"] == ["1 paused"]
    assert rows["1"][:4] == ["md5", "whole", "paused", "operator"]
    assert "Photos & <Friends>" in rows
    assert "New cases: 1, at most 1 a day" in text
    assert "today: 1</title>" in text


def test_what_platforms_ask_for_is_counted(new_database: NewDatabase) -> None:
    """Requests and lines of all processes add up by platform and day, and are written when a process ends."""
    address = new_database()
    engine = open_database(address)
    for name in ("One", "Other"):
        Platforms(engine).add(name)
    now = [time.time()]
    stores = [Store(open_database(address), lambda: now[0]) for _ in range(2)]
    for store in stores:
        store.usage.count(1, 1000)
        store.usage.count(1)
        store.usage.count(2)
        store.usage.flush()
        store.usage.count(1, 5)
    now[0] += DAY_SECONDS
    stores[0].usage.count(1, 10)
    for store in stores:
        store.close()
    with engine.begin() as connection:
        everything, later = (usage_since(connection, int(now[0]) // DAY_SECONDS - ago) for ago in (1, 0))
    assert {one: (use.requests, use.lines) for one, use in everything.items()} == {1: (7, 2020), 2: (2, 0)}
    assert {one: (use.requests, use.lines) for one, use in later.items()} == {1: (1, 10)}
    engine.dispose()


def test_what_cannot_be_written_down_is_counted_still(tmp_path: Path) -> None:
    """While the database cannot be written the counts are kept, and the registry still stops normally."""
    file = tmp_path / "registry.sqlite"
    engine = open_database(file)
    Platforms(engine).add("One")
    stores = [Store(open_database(file), time.time) for _ in range(2)]
    with closing(sqlite3.connect(file)) as other:
        other.execute("ALTER TABLE metering RENAME TO away")
    for store in stores:
        store.usage.count(1, 7)
        with pytest.raises(StoreUnavailable):
            store.usage.flush()
    stores[0].close()
    with closing(sqlite3.connect(file)) as other:
        other.execute("ALTER TABLE away RENAME TO metering")
    stores[1].close()
    with engine.begin() as connection:
        assert {one: (use.requests, use.lines) for one, use in usage_since(connection, 0).items()} == {1: (1, 7)}
    engine.dispose()


def test_the_status_tells_what_each_platform_asked_for(site: Server) -> None:
    """Once a process has ended, the status has its counts of pages, tiles and snapshots."""
    with serving(site.data.with_name("metered")) as server:
        server.submit([md5()], [md5()])
        platform = server.platform("Forum")
        platform.page()
        assert server.http.get("/v1/feed/snapshot", headers=platform.headers).status_code == 200
        command = server.command
    told = command("registry", "status", "--json")
    (state,) = json.loads(told.stdout)["platforms"]
    assert (state["requests"], state["lines"]) == (2, 4)


def test_the_operator_sees_the_largest_cases_and_ends_one(server: Server, platform: Platform) -> None:
    """`case list` has the largest case first; `case end` asks and ends it, except for entries of other cases."""
    shared, own = md5(), [md5() for _ in range(20)]
    small = server.submit([shared]).json()["number"]
    large = server.submit([shared, *own], [md5()]).json()["number"]
    first, *_ = json.loads(server.command("registry", "case", "list", "--json").stdout)
    assert (f"{first['case']:010d}", first["state"], first["pictures"], first["entries"]) == (large, "active", 2, 22)
    assert server.command("registry", "case", "list", "--limit", "1").stdout.splitlines()[1].startswith(large)

    everything = ("registry", "entries", "--standing", "block", "--json")
    of_small = json.loads(server.command(*everything, "--case", small).stdout)
    holders = json.loads(
        server.command("registry", "case", "list", "--entry", str(of_small[0]["entry"]), "--json").stdout
    )
    assert {f"{one['case']:010d}" for one in holders} == {small, large}

    asked = server.command("registry", "case", "end", large)
    assert asked.returncode == 1
    assert "This cannot be undone" in asked.stderr
    assert server.case(large).json()["state"] == "active"
    ended = json.loads(server.command("registry", "case", "end", large, "--yes", "--json").stdout)
    assert ended == {"ended": [large], "ended_before": []}
    assert server.case(large).json()["state"] == "withdrawn"
    left = values(platform.active())
    assert shared["value"] in left
    assert not left & {signal["value"] for signal in own}
    assert "1 had ended before" in server.command("registry", "case", "end", large, "--yes").stdout


def test_a_case_that_is_not_there_is_told_in_one_line(server: Server) -> None:
    """`case end` with an unknown or malformed number ends nothing."""
    number = server.submit([md5()]).json()["number"]
    for wrong in ("0000000000", "12", "x"):
        refused = server.command("registry", "case", "end", "--yes", number, wrong)
        assert refused.returncode != 0
        assert "there is no case" in refused.stderr
        assert refused.stderr.count("\n") == 1
    assert server.case(number).json()["state"] == "active"
    assert server.command("registry", "entries", "--case", "12").returncode != 0


def test_entries_are_listed_by_age_and_by_matches(server: Server, platform: Platform) -> None:
    """`--sort` puts the newest entry first, the oldest, or the one that matched the most uploads."""
    start = platform.page()["head"]
    server.submit(*([md5()] for _ in range(3)))
    entries = [line["entry"] for line in platform.page(start)["entries"]]
    for _ in range(50):
        platform.report(entries[1])

    def listed(sort: str) -> list[Any]:
        found = server.command("registry", "entries", "--standing", "block", "--sort", sort, "--json").stdout
        return [(one["entry"], one["uploads"]) for one in json.loads(found)]

    newest, oldest = listed("newest"), listed("oldest")
    assert newest == sorted(newest, reverse=True)
    assert oldest == sorted(oldest)
    assert listed("matches")[0][1] == 50


def test_the_canary_commands_speak_json(server: Server, tmp_path: Path) -> None:
    """With `--json` the commands print the same as JSON."""
    server.platform("Leaky")
    made = json.loads(server.command("registry", "canary", "add", "Leaky", "--json").stdout)
    assert (made["platform"], made["entries"] > 0) == ("Leaky", True)
    (held,) = json.loads(server.command("registry", "canary", "list", "--json").stdout)
    assert (held["platform"], held["entries"]) == ("Leaky", made["entries"])
    list_ = tmp_path / "list.txt"
    list_.write_text("0" * 64)
    assert json.loads(server.command("registry", "canary", "trace", str(list_), "--json").stdout) == []
    assert json.loads(server.command("registry", "canary", "remove", "Leaky", "--json").stdout) == made
