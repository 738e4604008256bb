"""The file of an audit: created, opened, foreign, broken, full, locked, closed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from chaoscheck import PlanError
from chaoscheck.components.audit_errors import (
    AuditClosed,
    AuditConflict,
    AuditCorrupt,
    AuditError,
    AuditFull,
    AuditLocked,
    AuditReadOnly,
    AuditSchemaNewer,
    AuditUnavailable,
)
from chaoscheck.components.audit_recorder import AuditRecorder
from chaoscheck.components.audit_trail import AuditSettings, AuditTrail, WritePoint
from chaoscheck.components.audited_run import DATABASE_NAME, create_recorder_and_run
from properties.audited_process import UNSYNCED
from properties.refusals import names_the_setting_at_fault

AUDIT_ID = int.from_bytes(b"chau", "big")  # how any tool may tell an audit from another database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an audit may be kept; nothing is there yet."""
    return tmp_path / "secret place" / "audit.db"


@pytest.fixture
def audit(path: Path) -> Path:
    """An audit with one run in it, closed."""
    path.parent.mkdir()
    with AuditTrail.create(path, settings=UNSYNCED) as trail:
        AuditRecorder(trail).begin_run("plugin")
    return path


def begun(trail: AuditTrail) -> int:
    """How many runs there are after one more has begun."""
    AuditRecorder(trail).begin_run("plugin")
    return len(trail.export()["runs"])


def raw(path: Path, *statements: str) -> list[Any]:
    """What plain SQLite answers to the last of ``statements``."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return [connection.execute(statement).fetchall() for statement in statements][-1]
    finally:
        connection.close()


# ---------------------------------------------------------------------- create and open


def test_an_audit_is_created_where_nothing_is_and_nowhere_else(path: Path) -> None:
    """A missing folder and a file that is there are refused, without naming the path."""
    with pytest.raises(
        AuditUnavailable, match=r"cannot be created \(FileNotFoundError\)"
    ) as missing:
        AuditTrail.create(path)
    path.parent.mkdir()
    AuditTrail.create(path, settings=UNSYNCED).close()
    before = path.read_bytes()
    with pytest.raises(AuditUnavailable, match=r"created \(FileExistsError\)") as there:
        AuditTrail.create(path)

    assert before == path.read_bytes()
    for refusal in (missing, there):
        assert "secret" not in str(refusal.value)
        assert refusal.value.__suppress_context__


def test_only_an_audit_that_is_there_is_opened(path: Path) -> None:
    """Opening creates nothing."""
    path.parent.mkdir()
    with pytest.raises(AuditUnavailable, match="SQLITE_CANTOPEN") as refusal:
        AuditTrail.open(path)

    assert "secret" not in str(refusal.value)
    assert list(path.parent.iterdir()) == []


def test_an_audit_can_be_told_from_any_other_database(audit: Path) -> None:
    """By the numbers that SQLite keeps for that, and it is in WAL mode."""
    assert raw(audit, "PRAGMA application_id") == [(AUDIT_ID,)]
    assert raw(audit, "PRAGMA user_version") == [(1,)]
    assert raw(audit, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (("PRAGMA application_id = 0",), AuditCorrupt),
        (("PRAGMA application_id = 7",), AuditCorrupt),
        (("PRAGMA user_version = 0",), AuditCorrupt),
        (("PRAGMA user_version = 2",), AuditSchemaNewer),
        (("PRAGMA application_id = 0", "PRAGMA user_version = 2"), AuditCorrupt),
    ],
)
def test_a_foreign_database_is_refused_and_left_as_it_is(
    audit: Path, changes: tuple[str, ...], error: type[AuditError]
) -> None:
    """Another application's, none at all, or that of a newer version."""
    raw(audit, *changes)
    before = audit.read_bytes()

    with pytest.raises(error) as refusal:
        AuditTrail.open(audit)

    assert type(refusal.value) is error
    assert before == audit.read_bytes()
    if error is AuditSchemaNewer:
        assert "must be <= 1, got 2" in str(refusal.value)


def test_what_is_no_database_is_refused(path: Path) -> None:
    """A text file, and an empty one, which SQLite takes for a new database."""
    path.parent.mkdir()
    for content in (b"not a database at all, but long enough to be looked at" * 20, b""):
        path.write_bytes(content)
        with pytest.raises(AuditCorrupt):
            AuditTrail.open(path)
        assert content == path.read_bytes()


def test_a_damaged_audit_is_refused(audit: Path) -> None:
    """Pages that are no pages, and records that refer to others that are missing."""
    whole = audit.read_bytes()
    raw(audit, "DELETE FROM runs", "PRAGMA wal_checkpoint(TRUNCATE)")
    with AuditTrail.open(audit):
        pass  # a run that has no rows may go
    raw(
        audit,
        "INSERT INTO tokens VALUES ('t', 'no such row')",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    )
    with pytest.raises(AuditCorrupt, match="1 records refer to others that are missing"):
        AuditTrail.open(audit)
    audit.write_bytes(whole[:4096] + b"\xff" * 4096 + whole[8192:])
    with pytest.raises(AuditCorrupt):
        AuditTrail.open(audit)


# ---------------------------------------------------------------------- what a trail refuses


def test_a_read_only_audit_is_read_and_never_written(audit: Path) -> None:
    """And the refusal is final."""
    with AuditTrail.open(audit, mode="ro") as trail:
        assert len(trail.export()["runs"]) == 1
        for _ in range(2):
            with pytest.raises(AuditReadOnly, match="read-only"):
                begun(trail)
    assert raw(audit, "SELECT count(*) FROM runs") == [(1,)]


def test_while_another_connection_writes_the_audit_is_locked(audit: Path) -> None:
    """The write is refused after the time-out that was set, and so is every later one."""
    other = sqlite3.connect(audit, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with AuditTrail.open(audit, settings=AuditSettings(busy_timeout_s=0)) as trail:
            with pytest.raises(AuditLocked, match="another connection"):
                begun(trail)
            other.execute("ROLLBACK")
            with pytest.raises(AuditLocked):
                begun(trail)
        with AuditTrail.open(audit, settings=AuditSettings(busy_timeout_s=0)) as later:
            assert begun(later) == 2
    finally:
        other.close()


def test_an_audit_that_is_full_refuses_all_that_follows(audit: Path) -> None:
    """The transaction that did not fit has changed nothing."""
    pages = raw(audit, "PRAGMA page_count")[0][0]
    with AuditTrail.open(audit, settings=AuditSettings(pages_max=pages)) as trail:
        recorder = AuditRecorder(trail)
        run, node = (str(trail.export()["runs"][0][name]) for name in ("run_id", "node_id"))
        with pytest.raises(AuditFull, match="full"):
            recorder.begin_row(run, node, 0, {"text": "x" * 100_000})
        with pytest.raises(AuditFull):
            recorder.begin_row(run, node, 0, {"text": "small"})
        assert trail.export()["rows"] == []


def test_a_closed_audit_is_closed_for_good(audit: Path) -> None:
    """Through the recorder as well; closing twice is no mistake."""
    recorder = AuditRecorder(AuditTrail.open(audit))
    recorder.close()
    recorder.close()

    with pytest.raises(AuditClosed, match="was closed"):
        recorder.begin_run("late")
    with pytest.raises(AuditClosed, match="was closed"):
        recorder.export()
    assert sorted(each.name for each in audit.parent.iterdir()) == [audit.name]


def test_the_end_of_a_block_closes_its_trail(audit: Path) -> None:
    """Also where its body raises; the error leaves as it is."""
    with pytest.raises(ZeroDivisionError), AuditTrail.open(audit) as trail:
        raise ZeroDivisionError
    with pytest.raises(AuditClosed):
        begun(trail)


def test_a_fenced_audit_writes_nothing_and_can_be_read(audit: Path) -> None:
    """What a crash leaves is what is there; a first failure is not covered up by a later one."""
    with AuditTrail.open(audit) as trail:
        trail.fence()
        trail.fence()
        with pytest.raises(AuditClosed, match="fenced"):
            begun(trail)
        assert len(trail.export()["runs"]) == 1
    with pytest.raises(AuditClosed, match="fenced"):
        begun(trail)


def test_a_contradiction_changes_nothing_and_the_audit_goes_on(audit: Path) -> None:
    """An id that is there already, and a run that has ended."""
    with AuditTrail.open(audit) as trail:
        [known] = [str(run["run_id"]) for run in trail.export()["runs"]]
        same = AuditRecorder(trail, new_id=lambda: known)
        with pytest.raises(AuditConflict, match="contradicts"):
            same.begin_run("again")
        recorder = AuditRecorder(trail)
        recorder.end_run(known)
        with pytest.raises(AuditConflict, match="must change 1 records in its place, not 0"):
            recorder.end_run(known)
        assert begun(trail) == 2


def test_what_sqlite_cannot_hold_is_an_error_of_the_audit(audit: Path) -> None:
    """A lone surrogate; the message holds nothing of it."""
    with AuditTrail.open(audit) as trail:
        with pytest.raises(AuditError, match="cannot hold a value: UnicodeEncodeError"):
            AuditRecorder(trail).begin_run("a lone \ud800 surrogate")
        with pytest.raises(AuditError, match="cannot hold a value"):
            begun(trail)
        assert not trail._connection.in_transaction


# ---------------------------------------------------------------------- settings and writes


@pytest.mark.parametrize(
    "settings",
    [
        {"synchronous": "SOMETIMES"},
        {"busy_timeout_s": -0.1},
        {"busy_timeout_s": float("nan")},
        {"pages_max": 0},
        {"pages_max": 1.5},
    ],
)
def test_an_illegal_setting_is_refused(settings: dict[str, Any]) -> None:
    """By its name, its legal range and its value."""
    with pytest.raises(PlanError) as refusal:
        AuditSettings(**settings)

    assert names_the_setting_at_fault(refusal.value, settings)


@pytest.mark.parametrize(("word", "number"), [("OFF", 0), ("NORMAL", 1), ("FULL", 2)])
def test_settings_are_those_of_the_connection(audit: Path, word: Any, number: int) -> None:
    """And references are held to on every connection."""
    AuditSettings(busy_timeout_s=0, pages_max=1)
    with AuditTrail.open(audit, settings=AuditSettings(synchronous=word)) as trail:
        connection = trail._connection
        assert connection.execute("PRAGMA synchronous").fetchone() == (number,)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    path = audit.with_name("new.db")
    with AuditTrail.create(path, settings=AuditSettings(synchronous=word)) as new:
        assert new._connection.execute("PRAGMA synchronous").fetchone() == (number,)
    with AuditTrail.open(audit) as plain:
        assert plain._connection.execute("PRAGMA synchronous").fetchone() == (1,)
        assert plain._connection.execute("PRAGMA busy_timeout").fetchone() == (100,)


def test_a_listener_hears_of_every_write_before_and_after(audit: Path) -> None:
    """Numbered from 1, BEGIN and COMMIT among them."""
    heard: list[WritePoint] = []
    with AuditTrail.open(audit, settings=AuditSettings(on_write=heard.append)) as trail:
        assert begun(trail) == 2
        assert trail.writes == 3

    assert [(n, when) for n in (1, 2, 3) for when in ("before", "after")] == [
        (point.number, point.when) for point in heard
    ]
    assert [point.sql.split()[0] for point in heard[::2]] == ["BEGIN", "INSERT", "COMMIT"]


def test_what_a_listener_raises_ends_the_trail(audit: Path) -> None:
    """As a crash would: nothing is written after it."""

    def crash(point: WritePoint) -> None:
        if point.sql == "COMMIT":
            raise KeyboardInterrupt

    with AuditTrail.open(audit, settings=AuditSettings(on_write=crash)) as trail:
        with pytest.raises(KeyboardInterrupt):
            begun(trail)
        with pytest.raises(AuditClosed, match="fenced"):
            begun(trail)
    assert raw(audit, "SELECT count(*) FROM runs") == [(1,)]


def test_a_recorder_opens_what_is_there_and_creates_what_is_not(path: Path) -> None:
    """One call for the first process and for all that follow."""
    path.parent.mkdir()
    for number in (1, 2):
        recorder = AuditRecorder.at(path)
        assert begun(recorder.trail) == number
        recorder.close()


def test_a_new_audit_with_a_run_is_made_in_a_folder(tmp_path: Path) -> None:
    """With ids and times of the caller's; where there is one already it is refused."""
    ids = iter(["run", "node"])
    recorder, *run = create_recorder_and_run(tmp_path, "plugin", new_id=lambda: next(ids))
    [row] = recorder.export()["runs"]
    recorder.close()

    assert run == ["run", "node"]
    assert (row["run_id"], row["node_id"], row["plugin_name"]) == ("run", "node", "plugin")
    assert (row["status"], row["ended_at"]) == ("running", None)
    assert [each.name for each in tmp_path.iterdir()] == [DATABASE_NAME]
    with pytest.raises(AuditUnavailable):
        create_recorder_and_run(tmp_path, "plugin")
