"""The examples of the public API do what they say, on a real gate that follows a registry."""

from pathlib import Path

from takeback.gate import Action
from takeback.gate.settings import GateSettings, save
from takeback.hashing import hash_picture
from tests import api_examples as examples
from tests.gate.feeds import KEY
from tests.gate.pictures import drawing, jpeg
from tests.gate.servers import running


def test_hashing() -> None:
    """A picture gives its hash, its views and their size; a file that is none gives a reason."""
    picture = jpeg(drawing(1))
    value, quality = examples.pdq_of(picture)
    assert (len(value), quality) == (64, hash_picture(picture).quality)
    assert {"whole", "shape-1-1", "shape-9-16"} <= set(examples.views_of(picture))
    assert max(examples.thumbnail_size(picture)) <= 512
    assert examples.hash_or_reason(picture) == value
    assert examples.hash_or_reason(b"text") == "unknown-format"
    assert examples.major() >= 0


def test_a_gate(tmp_path: Path) -> None:
    """A gate follows, decides, explains, reports, and tells how it is."""
    assert examples.open_gate(tmp_path) is None
    registered, other = jpeg(drawing(1)), jpeg(drawing(2))
    with running() as registry:
        save(tmp_path, GateSettings(registry.url, KEY))
        registry.log.add(hash_picture(registered).signals[0])
        gate = examples.open_gate(tmp_path)
        assert gate is not None
        with gate:
            seen = list[int]()
            assert examples.sync_or_wait(gate, seen) == "1 added at 1"
            assert seen == [1]
            assert not examples.is_welcome(gate, registered, "user-1")
            assert examples.is_welcome(gate, other, "user-2")
            (reason,) = examples.reasons(gate.check(registered))
            assert reason.startswith("pdq at 0: pdq at distance 0, quality")
            assert examples.check_elsewhere(gate, *examples.pdq_of(registered)) is Action.BLOCK
            assert examples.is_unreadable(gate.check(registered[:300]))
            told = examples.health(gate)
            assert told == {"entries": 1, "stale": False, "warning": None, "blocks within": 31}


def test_a_registry_that_is_away(tmp_path: Path) -> None:
    """Without a registry the gate opens, and a sync says that it is to be tried again."""
    save(tmp_path, GateSettings("http://127.0.0.1:9", KEY))
    gate = examples.open_gate(tmp_path)
    assert gate is not None
    with gate:
        assert examples.sync_or_wait(gate, []) == "try again later"
