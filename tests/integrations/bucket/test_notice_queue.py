import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from takeback.errors import GateError, SettingsError
from takeback.integrations.bucket import notice_queue
from takeback.integrations.bucket.events import Notice
from takeback.integrations.bucket.notice_queue import NoticeQueue

FIRST = Notice("uploads", "a.jpg", "", "id-1")
SECOND = Notice("uploads", "b.jpg")


class Clock:
    """A clock that tests set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The queue's clock."""
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Iterator[NoticeQueue]:
    """A new queue."""
    opened = NoticeQueue(tmp_path / "queue", clock)
    yield opened
    opened.close()


def test_in_order_and_once(queue: NoticeQueue) -> None:
    """Notices are taken in order, each by one at a time; the same object waits once; what is done is forgotten."""
    queue.add([FIRST, SECOND, FIRST])
    assert len(queue) == 2
    first, second = queue.take(0), queue.take(0)
    assert first is not None
    assert second is not None
    assert (first.notice, second.notice, queue.take(0)) == (FIRST, SECOND, None)
    assert (first.event, second.event) == ("1 (id-1)", "2")
    queue.done(first)
    queue.done(second)
    assert len(queue) == 0


def test_written_again_meanwhile(queue: NoticeQueue) -> None:
    """An object that is written again while it is checked is checked again."""
    queue.add([FIRST])
    taken = queue.take(0)
    assert taken is not None
    queue.add([FIRST])
    assert queue.take(0) is None
    queue.done(taken)
    again = queue.take(0)
    assert again is not None
    assert again.notice == FIRST


def test_later(queue: NoticeQueue, clock: Clock) -> None:
    """A notice that is postponed is due after that time, or when everything is hurried; tries are counted."""
    queue.add([FIRST])
    taken = queue.take(0)
    assert taken is not None
    queue.postpone(taken, 60)
    assert queue.take(0) is None
    clock.now += 61
    taken = queue.take(0)
    assert taken is not None
    assert taken.tries == 1
    queue.postpone(taken, 3600)
    queue.hurry()
    assert queue.take(0) is not None


def test_what_was_taken_comes_back(tmp_path: Path, clock: Clock) -> None:
    """What a process had taken when it ended is there for the next one; the file is its owner's alone."""
    queue = NoticeQueue(tmp_path / "queue", clock)
    queue.add([FIRST])
    assert queue.take(0) is not None
    queue.close()
    assert stat.S_IMODE((tmp_path / "queue").stat().st_mode) == 0o600
    queue = NoticeQueue(tmp_path / "queue", clock)
    taken = queue.take(0)
    assert taken is not None
    queue.done(taken)
    queue.close()
    assert b"a.jpg" not in (tmp_path / "queue").read_bytes()


def test_one_process(queue: NoticeQueue, tmp_path: Path) -> None:
    """A file that another queue uses, or that is none, is refused with our error."""
    assert len(queue) == 0
    with pytest.raises(SettingsError, match="another process uses it"):
        NoticeQueue(tmp_path / "queue")
    (tmp_path / "other").write_bytes(b"no database" * 100)
    with pytest.raises(SettingsError, match="cannot be used"):
        NoticeQueue(tmp_path / "other")
    with pytest.raises(SettingsError, match="cannot be used"):
        NoticeQueue(tmp_path / "no" / "queue")


def test_a_full_queue(queue: NoticeQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its limit the queue takes nothing, so that the sender keeps it."""
    monkeypatch.setattr(notice_queue, "MAX_WAITING", 1)
    with pytest.raises(GateError, match="too many"):
        queue.add([FIRST, SECOND])
    assert len(queue) == 0
