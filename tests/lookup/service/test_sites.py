import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeback.errors import GateError, SettingsError, StateDamaged
from takeback.lookup.messages import KEY_PATTERN
from takeback.lookup.service import sites as sites_module
from takeback.lookup.service.sites import DATABASE, KEPT_DAYS, Charged, Sites, key_mac

NOON = 1_800_014_400.0 - 1_800_014_400.0 % 86400 + 43200


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites_module, "RELOAD_SECONDS", 0.0)


@pytest.fixture
def now() -> list[float]:
    """The time, which a test may change."""
    return [NOON]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A private folder."""
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def opened(home: Path, now: list[float]) -> Iterator[Sites]:
    """The database of a service."""
    with closing(Sites(home, lambda: now[0])) as made:
        yield made


def test_a_key_is_known_until_it_ends(opened: Sites, now: list[float]) -> None:
    """A new key is known; one that was rotated ends after its grace, one that was revoked at once."""
    key = opened.add("forum", 7)
    assert KEY_PATTERN.fullmatch(key)
    known = opened.credential(key)
    assert known is not None
    assert (known.site, known.quota) == ("forum", 7)
    fresh = opened.rotate("forum", 1)
    assert opened.credential(key)
    now[0] += 3601
    assert opened.credential(key) is None
    assert opened.credential(fresh)
    assert opened.credential(opened.rotate("forum"))
    assert opened.credential(fresh) is None
    opened.revoke("forum")
    assert [(row.name, row.revoked is not None) for row in opened.sites()] == [("forum", True)]
    again = opened.add("forum")
    assert opened.credential(again)
    assert opened.credential(fresh) is None


@given(st.text(max_size=100))
def test_no_other_text_is_a_key(text: str) -> None:
    """A text that is no key gives an HMAC and no error."""
    assert len(key_mac(b"secret", text)) == 32


@pytest.mark.parametrize(
    "text", ["", "_", "tbl__", "tbl_0_0", "tbl_" + "0" * 16 + "_" + "0" * 64, "a_b_c_d", "\ud800_x_y"]
)
def test_strangers_are_not_known(opened: Sites, text: str) -> None:
    """A text that is no site's key is of no site."""
    opened.add("forum")
    assert opened.credential(text) is None


@pytest.mark.parametrize("name", ["", "Forum", "a b", "-x", "x" * 64, "é"])
def test_a_name_is_simple(opened: Sites, name: str) -> None:
    """A site's name can be typed, and stands in one column."""
    with pytest.raises(SettingsError, match="name"):
        opened.add(name)


def test_what_is_not_there(opened: Sites) -> None:
    """A site is added once; what is unknown or revoked can neither be rotated nor revoked."""
    opened.add("forum")
    with pytest.raises(SettingsError, match="rotate forum"):
        opened.add("forum")
    opened.revoke("forum")
    for change in (opened.rotate, opened.revoke):
        for name in ("forum", "other"):
            with pytest.raises(SettingsError, match="lookup list"):
                change(name)


def test_a_quota_is_a_days(opened: Sites, now: list[float]) -> None:
    """Questions over the quota are refused until midnight (UTC), also across writes."""
    known = opened.credential(opened.add("forum", 10))
    assert known is not None
    assert opened.charge(known, 6) == 0
    opened.write_usage()
    assert opened.charge(known, 4) == 0
    assert opened.charge(known, 1) == 43201
    now[0] += 43200
    assert opened.charge(known, 10) == 0
    assert opened.charge(known, 1) > 0
    opened.write_usage()
    assert [(row.questions, row.refused) for row in opened.usage(2)] == [(10, 1), (10, 1)]
    assert len(opened.usage(1)) == 1
    assert opened.usage(2, "other") == []


def test_counts_add_up(home: Path, opened: Sites, now: list[float]) -> None:
    """Counts of two runs on one day are one row; very old days are removed."""
    known = opened.credential(opened.add("forum", 100))
    assert known is not None
    for _ in range(2):
        opened.charge(known, 1)
        opened.count("forum", stopped=1, slowed=2)
        opened.charge(known, 3, "feedback")
        opened.write_usage()
    (row,) = opened.usage(1)
    assert row[2:] == (2, 2, 0, 4, 6)
    now[0] += (KEPT_DAYS + 1) * 86400
    opened.charge(known, 1)
    opened.write_usage()
    assert len(opened.usage(10_000)) == 1
    with closing(Sites(home, lambda: now[0])) as second:
        assert second.secret == opened.secret
        assert second.charge(known, 100) > 0
        assert second.charge(known, 100, "feedback") == 0


def test_a_foreign_file_is_refused(home: Path) -> None:
    """A database of another program, and a file that is none, are refused."""
    with closing(sqlite3.connect(home / DATABASE)) as db:
        db.execute("CREATE TABLE x (y)")
    (home / DATABASE).chmod(0o600)
    with pytest.raises(StateDamaged):
        Sites(home)
    (home / DATABASE).write_bytes(b"nothing" * 1000)
    with pytest.raises(StateDamaged):
        Sites(home)


def test_a_folder_that_cannot_be_used(home: Path) -> None:
    """A folder that is missing or that others may read is refused."""
    with pytest.raises(SettingsError, match="gate init"):
        Sites(home / "missing")
    home.chmod(0o755)
    with pytest.raises(SettingsError, match="chmod"):
        Sites(home)


def test_a_busy_database_is_said(home: Path, opened: Sites) -> None:
    """While another program holds the database, what was counted is kept for the next write."""
    known = opened.credential(opened.add("forum", 100))
    assert known is not None
    opened.charge(known, 3)
    opened._db.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(home / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(GateError, match="cannot be used now"):
            opened.write_usage()
    opened.write_usage()
    assert opened.usage(1)[0].questions == 3


def test_sites_that_asked_of_late_are_active(opened: Sites, now: list[float]) -> None:
    """A site is active if it has a valid key and asked within 7 days; a question that was refused is none."""
    keys = {name: opened.add(name, 1) for name in ("busy", "quiet", "refused", "revoked", "reports")}
    known = {name: opened.credential(key) for name, key in keys.items()}
    assert opened.active() == 0
    asked: list[tuple[str, int, Charged]] = [("busy", 1, "questions"), ("revoked", 1, "questions")]
    for name, count, what in [*asked, ("reports", 1, "feedback"), ("refused", 2, "questions")]:
        held = known[name]
        assert held
        assert bool(opened.charge(held, count, what)) == (name == "refused")
    opened.write_usage()
    assert opened.active() == 2
    opened.revoke("revoked")
    assert opened.active() == 1
    opened.rotate("busy", 1)
    assert opened.active() == 1
    now[0] += 6 * 86400
    assert opened.active() == 1
    now[0] += 86400
    assert opened.active() == 0
