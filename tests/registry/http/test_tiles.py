"""Tiles and snapshots of the real registry."""

from hashlib import sha256 as sha256_of
from io import BytesIO
from pathlib import Path

import pytest
from pyarrow import parquet

from takeback import bulk, chain
from takeback.protocol import FeedHead, FeedPage, decode
from tests.registry.support import Platform, Server, md5, pdq, problem, serving, sha256

TILE_OF_FIVE = "from takeback import bulk; bulk.TILE = 5\nfrom takeback.cli import main; main()"


@pytest.fixture
def short(tmp_path: Path) -> object:
    """A registry whose tiles hold five lines."""
    with serving(tmp_path / "var", program=TILE_OF_FIVE) as server:
        yield server


def read(server: Server, platform: Platform, path: str, *, snapshot: bool) -> tuple[bulk.Reader, list[bulk.BulkRecord]]:
    """A tile or snapshot, after its signature is verified."""
    answer = server.http.get(f"/v1/feed/{path}", headers=platform.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == bulk.MEDIA_TYPE
    reader = bulk.Reader([answer.content], snapshot=snapshot)
    records = list(reader)
    assert reader.head
    chain.check_signature(reader.head, platform.key.split("_")[1], reader.digest)
    return reader, records


def test_tiles_are_the_feed(short: Server) -> None:
    """Full tiles have the same lines and links as pages; the next tile does not exist yet."""
    platform = short.platform("Example Photos")
    number = short.submit([pdq(), md5()], [md5()]).json()["number"]
    short.submit([{**pdq(3), "variant": "stored"}])
    short.withdraw(number)
    short.submit([md5() for _ in range(4)])
    page = decode(short.http.get("/v1/feed?after=0", headers=platform.headers).content, FeedPage)
    lines, link, added = [], chain.FIRST_LINK, dict[str, int]()
    for place in range(2):
        reader, records = read(short, platform, f"tiles/{place}", snapshot=False)
        for record in records:
            line = bulk.line_of(record)
            link = chain.link(link, chain.leaf(line, added.setdefault(line.entry, line.number)))
            lines.append(line)
        assert reader.head
        assert (reader.head.number, reader.head.chain) == (5 * (place + 1), link.hex())
    assert lines == page.entries[:10]
    problem(short.http.get("/v1/feed/tiles/2", headers=platform.headers), 404, "not-found")
    problem(short.http.get("/v1/feed/tiles/x", headers=platform.headers), 400, "invalid-message", "tile")
    problem(short.http.get("/v1/feed/tiles/0"), 401, "not-a-platform")
    tag = short.http.get("/v1/feed/tiles/0", headers=platform.headers).headers["etag"]
    again = short.http.get("/v1/feed/tiles/0", headers={**platform.headers, "If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_the_snapshot_is_what_the_feed_adds_up_to(server: Server, platform: Platform) -> None:
    """The snapshot holds every active entry under the platform's own ids, in the feed's order, and no other."""
    number = server.submit([pdq(), md5()], [md5()]).json()["number"]
    server.submit([md5()])
    server.withdraw(number, 0)
    reader, records = read(server, platform, "snapshot", snapshot=True)
    lines = [bulk.line_of(record) for record in records]
    assert {line.entry: (line.signal.type, line.signal.value) for line in lines if line.signal} == platform.active()
    assert [line.number for line in lines] == sorted(line.number for line in lines)
    told = {line["number"]: line for line in platform.page()["entries"]}
    assert all(told[line.number]["since"] == line.since for line in lines)
    assert reader.head
    assert reader.head.number == platform.page()["head"]
    problem(server.http.get("/v1/feed/snapshot"), 401, "not-a-platform")


def test_the_snapshot_is_parquet_too(server: Server, platform: Platform) -> None:
    """The Parquet file has the same entries with all their fields, and is signed like a page."""
    server.submit([pdq(), md5(), sha256()])
    answer = server.http.get("/v1/feed/snapshot.parquet", headers=platform.headers)
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    head = decode(answer.headers["takeback-feed-head"].encode(), FeedHead)
    chain.check_signature(head, platform.key.split("_")[1], sha256_of(answer.content).digest())
    assert head.number == platform.page()["head"]
    rows = parquet.read_table(BytesIO(answer.content)).to_pylist()
    assert {row["entry"]: (row["type"], row["value"]) for row in rows} == platform.active()
    told = {line["number"]: line for line in platform.page()["entries"]}
    for row in rows:
        line = told[row["number"]]
        assert (row["since"].isoformat(), row["standing"]) == (line["since"], line.get("standing", "block"))
        assert row["quality"] == line["signal"].get("quality")
        assert (row["variant"], row["kind"], row["ai_made"], row["age_band"]) == ("whole", "image", False, "minor")
    problem(server.http.get("/v1/feed/snapshot.parquet"), 401, "not-a-platform")
