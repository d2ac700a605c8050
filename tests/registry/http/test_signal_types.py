"""A platform gets `patches` only if its client says that it knows them: for all others such a line is a tombstone."""

from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from pyarrow import parquet

from takeback import bulk, chain
from takeback.protocol import FeedAction, FeedHead, FeedPage, decode
from tests.registry.http.test_tiles import TILE_OF_FIVE, read
from tests.registry.support import Json, Platform, Server, md5, patches, pdq, serving, values

HEADER = "Takeback-Signal-Types"


def feed(server: Server, platform: Platform, after: int) -> tuple[FeedPage, FeedHead]:
    """A page, after its signature is verified, and its head."""
    answer = server.http.get("/v1/feed", params={"after": after}, headers=platform.headers)
    head = decode(answer.headers["Takeback-Feed-Head"].encode(), FeedHead)
    chain.check_signature(head, platform.key.split("_")[1], sha256(answer.content).digest())
    return decode(answer.content, FeedPage), head


def test_the_feed_is_one_for_both(server: Server, platform: Platform) -> None:
    """A client of the first version gets the same lines, ids and chain, with a tombstone in place of `patches`."""
    before = platform.page()["head"]
    sent = patches()
    number = server.submit([pdq(), md5(), sent]).json()["number"]
    server.withdraw(number)
    (page, head), (old_page, old_head) = (feed(server, one, before) for one in (platform, platform.older))

    assert (head.number, head.chain) == (old_head.number, old_head.chain)
    assert [(line.number, line.entry) for line in page.entries] == [(x.number, x.entry) for x in old_page.entries]
    differ = [(new, old) for new, old in zip(page.entries, old_page.entries, strict=True) if new != old]
    ((new, old),) = differ
    assert new.signal
    assert (new.signal.type, new.signal.value, old.action) == ("patches", sent["value"], FeedAction.ERASED)
    assert old.leaf == chain.leaf(new, new.number).hex()
    assert [line.action for line in old_page.entries if line.entry == old.entry] == ["erased", "remove"]


@pytest.mark.parametrize(
    ("named", "knows"),
    [
        (["patches"], True),
        (["pdq, patches ,something-newer"], True),
        (["something-newer", "patches"], True),
        ([""], False),
        (["PATCHES"], False),
        (["patches2"], False),
        ([",;, x"], False),
    ],
)
def test_the_header_names_types(server: Server, platform: Platform, named: list[str], knows: bool) -> None:
    """The header lists types by their names, in one line or several; unknown names are ignored."""
    before = platform.page()["head"]
    sent = patches()
    server.submit([sent])
    headers = [("Authorization", f"Bearer {platform.key}"), *((HEADER, one) for one in named)]
    answer = server.http.get("/v1/feed", params={"after": before}, headers=headers)

    assert answer.status_code == 200
    assert (sent["value"] in answer.text) == knows
    assert HEADER in answer.headers["Vary"]


def test_a_video_of_many_patches_is_one_entry(server: Server, platform: Platform) -> None:
    """The longest value is in the feed as it was sent, once for two cases, and leaves it with the second."""
    sent = patches(12, 16)
    before = platform.page()["head"]
    numbers = [server.submit([sent]).json()["number"] for _ in range(2)]
    (entry,) = platform.page(before)["entries"]
    assert entry["signal"] == sent
    server.withdraw(numbers[0])
    assert sent["value"] in values(platform.active())
    server.withdraw(numbers[1])
    assert sent["value"] not in values(platform.active())


def test_tiles_differ_by_what_is_known(tmp_path: Path) -> None:
    """A tile has another body and entity tag for each, and caches must keep both."""
    with serving(tmp_path / "var", program=TILE_OF_FIVE) as server:
        platform = server.platform("Example Photos")
        server.submit([patches(), *(md5() for _ in range(4))])
        tags = []
        for client, adds in ((platform, 5), (platform.older, 4)):
            reader, records = read(server, client, "tiles/0", snapshot=False)
            lines = [bulk.line_of(record) for record in records]
            link = chain.FIRST_LINK
            for line in lines:
                link = chain.link(link, chain.leaf(line, line.number))
            assert reader.head
            assert reader.head.chain == link.hex()
            assert sum(line.action is FeedAction.ADD for line in lines) == adds
            answer = server.http.get("/v1/feed/tiles/0", headers=client.headers)
            assert HEADER in answer.headers["Vary"]
            tags.append(answer.headers["etag"])
        assert len(set(tags)) == 2


def test_snapshots_hold_what_is_known(server: Server, platform: Platform) -> None:
    """A snapshot has a tombstone in place of `patches` for a client that does not know them; Parquet has no row."""
    sent = patches()
    server.submit([md5(), sent])
    entry = next(entry for entry, (_, value) in platform.active().items() if value == sent["value"])
    for client, knows in ((platform, True), (platform.older, False)):
        _, records = read(server, client, "snapshot", snapshot=True)
        (line,) = (line for line in map(bulk.line_of, records) if line.entry == entry)
        assert (line.signal.value if line.signal else line.action) == (sent["value"] if knows else FeedAction.ERASED)
        table = server.http.get("/v1/feed/snapshot.parquet", headers=client.headers)
        rows: list[Json] = parquet.read_table(BytesIO(table.content)).to_pylist()
        there = [(row["type"], row["value"], row["variant"]) for row in rows if row["entry"] == entry]
        assert there == [("patches", sent["value"], "whole")] * knows
