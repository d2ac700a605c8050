"""The exchange for python-threatexchange, used through its command `tx` and through the calls of other programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import FeedBroken, KeyRefused, SettingsError
from takeback.integrations.threatexchange import Checkpoint, Config, Credentials, Exchange, ExchangeRecord
from takeback.protocol import EntryStatus, FeedAction, FeedEntry, FeedPage, PictureKind, SignalMessage
from takeback.signals import SignalType
from tests.gate.feeds import KEY, Log, entry_id, signal
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import running
from tests.gate.test_with_registry import wire
from tests.registry.support import Server, pdq, quick_platform, serving
from tests.stock import ABSENT, PdqSignal, VideoMD5Signal, VideoSHA256Signal, inner_main

SIGNALS = [PdqSignal, VideoMD5Signal, VideoSHA256Signal]
PICTURE = drawing(7, (1200, 900))


class Tx:
    """The command `tx` with its own folder, in this process or in another one."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capture = capture

    def __call__(self, *arguments: str | Path) -> str:
        """Its output when it is called in this process, as its script calls it."""
        self.capture.readouterr()
        inner_main(list(map(str, arguments)), self.folder)
        return self.capture.readouterr().out

    def process(self, *arguments: str | Path) -> str:
        """The output of its script."""
        script = Path(sys.executable).with_name("tx")
        environment = {**os.environ, "PYTHONPATH": str(ABSENT), "TX_STATEDIR": str(self.folder)}
        done = subprocess.run([script, *arguments], env=environment, capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def tx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tx:
    """`tx` with our exchange installed."""
    command = Tx(tmp_path / "tx", capsys)
    command("config", "extensions", "add", "takeback.integrations.threatexchange")
    return command


def configure(tx: Tx, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `tx` follow a registry."""
    monkeypatch.setenv("TAKEBACK_PLATFORM_KEY", quick_platform(server, "forum").key)
    tx("config", "collab", "edit", "takeback", "--create", "mine", "--registry", server.address)


def test_tx_follows_and_honours_withdrawals(tmp_path: Path, tx: Tx, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tx` is configured, fetches, and matches a smaller copy; after the withdrawal it does not."""
    copy, other = tmp_path / "copy.jpg", tmp_path / "other.jpg"
    copy.write_bytes(jpeg(PICTURE.resize((500, 375)), 55))
    other.write_bytes(jpeg(drawing(8)))
    with serving(tmp_path / "var") as server:
        configure(tx, server, monkeypatch)
        case = server.submit(wire(jpeg(PICTURE, 95))).json()
        server.submit([pdq()], [pdq()])  # two, because `tx` matches nothing with an index of one hash
        tx("fetch")
        matched = tx.process("match", "photo", copy)
        assert matched.startswith("pdq ")
        assert matched.endswith("(mine) POSITIVE_CLASS\n")
        assert tx("match", "photo", other) == ""
        assert tx("config", "collab", "list") == "takeback mine\n"

        server.submit([{"type": "md5", "value": "0" * 32}])
        tx("fetch")
        assert server.case(case["number"]).json()["platforms"] == 1
        assert tx("match", "photo", copy).startswith("pdq ")

        server.withdraw(case["number"])
        tx("fetch")
        assert tx("match", "photo", copy) == ""


def exchange(url: str, key: str = KEY) -> Exchange:
    """The exchange for a registry."""
    return Exchange.for_collab(Config(name="mine", registry=url), Credentials._from_str(f"{key}\n"))


def fetched(url: str, held: dict[str, ExchangeRecord], checkpoint: Checkpoint | None = None) -> Checkpoint:
    """Fetches to the end into `held`, as a store does, and returns the checkpoint."""
    for delta in exchange(url).fetch_iter(SIGNALS, checkpoint):
        Exchange.naive_fetch_merge(held, delta.updates)
        checkpoint = delta.checkpoint
    assert checkpoint is not None
    return checkpoint


def matched(held: dict[str, ExchangeRecord], url: str = "") -> dict[str, dict[str, str]]:
    """The signals that may match: type, value, and opinion."""
    told = Exchange.naive_convert_to_signal_type(SIGNALS, Config(name="mine", registry=url), held)
    return {kind.get_name(): {value: str(known) for value, known in signals.items()} for kind, signals in told.items()}


def test_a_fetch_goes_on_where_it_stopped() -> None:
    """Entries of several pages come and go by id; the next fetch requests only what is new."""
    log = Log()
    ids = [log.add(signal(seed)) for seed in range(1500)]
    held: dict[str, ExchangeRecord] = {}
    with running(log) as registry:
        checkpoint = fetched(registry.url, held)
        assert (checkpoint, len(held)) == (Checkpoint(1500, 1500), 1500)
        log.remove(ids[0])
        assert fetched(registry.url, held, checkpoint) == Checkpoint(1501, 1501)
        assert held.keys() == set(ids[1:])
        assert [request.query["after"] for request in registry.requests] == [0, 1000, 1500]


def test_local_hashes_are_not_asked_for() -> None:
    """Local hashes, which `tx` cannot match, are not fetched, and a change or removal of one is nothing to it."""
    log, held = Log(), dict[str, ExchangeRecord]()
    entry, other = log.add(signal(1, SignalType.PATCHES)), log.add(signal(2))
    with running(log) as registry:
        checkpoint = fetched(registry.url, held)
        log.change(entry, EntryStatus.REVIEW)
        checkpoint = fetched(registry.url, held, checkpoint)
        assert held.keys() == {other}
        log.remove(entry)
        fetched(registry.url, held, checkpoint)
    assert held.keys() == {other}


def line(number: int, action: FeedAction, **more: object) -> FeedEntry:
    """A line of the feed for entry 1."""
    return FeedEntry(number, action, entry_id(1), **more)  # type: ignore[arg-type]


ADD = line(1, FeedAction.ADD, signal=SignalMessage.of(signal(1)))
REVIEW = line(2, FeedAction.CHANGE, standing=EntryStatus.REVIEW)
PAUSE = line(3, FeedAction.CHANGE, standing=EntryStatus.PAUSED)


@pytest.mark.parametrize(
    ("pages", "opinion"),
    [
        ([[ADD]], "POSITIVE_CLASS"),
        ([[ADD, REVIEW]], "INVESTIGATION_SEED"),
        ([[ADD], [REVIEW]], "INVESTIGATION_SEED"),
        ([[ADD], [REVIEW, PAUSE]], None),
        ([[ADD, REVIEW, PAUSE, line(4, FeedAction.REMOVE)]], None),
        ([[line(1, FeedAction.ERASED, leaf="0" * 64), REVIEW], [line(3, FeedAction.REMOVE)]], None),
    ],
)
def test_entry_status_as_opinion(pages: list[list[FeedEntry]], opinion: str | None) -> None:
    """An entry that may block is confirmed, one for review is a seed, and a paused one is left out."""
    held: dict[str, ExchangeRecord] = {}
    checkpoint = None
    with running() as registry:
        for page in pages:
            registry.log.lines += page
            checkpoint = fetched(registry.url, held, checkpoint)
    assert list(matched(held).get("pdq", {}).values()) == ([opinion] if opinion else [])


class Replacing:
    """A store that merges as hasher-matcher-actioner does: by replacement, and without what it cannot match."""

    def __init__(self) -> None:
        self.held: dict[str, ExchangeRecord] = {}
        self.checkpoint: Checkpoint | None = None

    def fetch(self, url: str) -> None:
        """Merges the pages of one fetch by `dict.update`, and drops each entry that converts to nothing."""
        pending: dict[str, ExchangeRecord | None] = {}
        for delta in exchange(url).fetch_iter(SIGNALS, self.checkpoint):
            pending.update(delta.updates)
            self.checkpoint = delta.checkpoint
        for entry, record in pending.items():
            if record is None or not matched({entry: record}, url):
                self.held.pop(entry, None)
            else:
                self.held[entry] = record


def filler(log: Log, lines: int, seed: int) -> None:
    """Adds this number of entries to a feed."""
    for number in range(lines):
        log.add(signal(seed + number))


@pytest.mark.parametrize("at_once", [True, False], ids=["one fetch", "a fetch for each page"])
def test_a_store_that_replaces_keeps_entries(at_once: bool) -> None:
    """However an entry's status changes are divided into pages and fetches, its last one counts."""
    log, store = Log(), Replacing()
    with running(log) as registry:

        def page() -> None:
            if not at_once:
                store.fetch(registry.url)

        entry, value = log.add(signal(1)), signal(1).value
        filler(log, 999, 1000)
        page()
        log.change(entry, EntryStatus.REVIEW)
        filler(log, 999, 3000)
        page()
        store.fetch(registry.url)
        assert (matched(store.held)["pdq"][value], len(store.held)) == ("INVESTIGATION_SEED", 1999)
        log.change(entry, EntryStatus.PAUSED)
        page()
        store.fetch(registry.url)
        assert (entry in store.held, len(store.held)) == (False, 1998)
        filler(log, 999, 5000)
        log.change(entry, EntryStatus.BLOCK)
        page()
        store.fetch(registry.url)
        assert (matched(store.held)["pdq"][value], len(store.held)) == ("POSITIVE_CLASS", 2998)
        log.remove(entry)
        store.fetch(registry.url)
        assert entry not in store.held


@given(st.data())
def test_records_are_complete(data: st.DataObject) -> None:
    """For a random feed in random fetches, the last record of an entry is complete and equals the feed's."""
    log, store = Log(), Replacing()
    statuses: dict[str, EntryStatus] = {}
    with running(log) as registry:
        for seed in range(data.draw(st.integers(1, 20))):
            deed = data.draw(st.sampled_from(["add", "change", "remove", "fetch"]))
            if deed == "add":
                statuses[log.add(signal(seed))] = EntryStatus.BLOCK
            elif deed == "fetch":
                store.fetch(registry.url)
            elif statuses:
                entry = data.draw(st.sampled_from(sorted(statuses)))
                if deed == "remove":
                    log.remove(entry)
                    del statuses[entry]
                else:
                    statuses[entry] = data.draw(st.sampled_from(sorted(set(EntryStatus) - {statuses[entry]})))
                    log.change(entry, statuses[entry])
        store.fetch(registry.url)
    expected = {entry: status for entry, status in statuses.items() if status != EntryStatus.PAUSED}
    assert {entry: record.standing for entry, record in store.held.items()} == expected
    assert all(record.value == log.active[entry].value for entry, record in store.held.items())


def test_what_both_sides_know_is_matched() -> None:
    """A video's exact hashes match as videos; weak PDQ and types unknown to `tx` never match."""
    signals = [
        (signal(1, quality=49), PictureKind.IMAGE),
        (signal(2, SignalType.PHASH), PictureKind.IMAGE),
        (signal(3, SignalType.MD5), PictureKind.IMAGE),
        (signal(4, SignalType.MD5), PictureKind.VIDEO),
        (signal(5, SignalType.SHA256), PictureKind.VIDEO),
    ]
    lines = [
        FeedEntry(number, FeedAction.ADD, entry_id(number), SignalMessage.of(one), kind)
        for number, (one, kind) in enumerate(signals, 1)
    ]
    held: dict[str, ExchangeRecord] = {}
    with running() as registry:
        registry.log.lines += lines
        fetched(registry.url, held)
    assert {name: list(found) for name, found in matched(held).items()} == {
        "video_md5": [signals[3][0].value],
        "video_sha256": [signals[4][0].value],
    }


def test_a_broken_feed_leaves_the_checkpoint() -> None:
    """A page with a gap is not applied: the fetch raises an error and keeps its checkpoint."""
    with running() as registry:
        registry.answer = lambda request: registry.signed(FeedPage([ADD, PAUSE], 2), request)
        with pytest.raises(FeedBroken, match="rule 1"):
            next(exchange(registry.url).fetch_iter(SIGNALS, None))


def test_a_bad_key_or_address() -> None:
    """A refused key, and an address over which the key could be read, end the fetch with an error."""
    with running() as registry, pytest.raises(KeyRefused):
        next(exchange(registry.url, KEY[:-1] + "0").fetch_iter(SIGNALS, None))
    with pytest.raises(SettingsError, match="https"):
        exchange("http://registry.example")
