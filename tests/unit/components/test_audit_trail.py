"""AuditTrail: what is written stays, what is wrong with a database has a type, no path leaks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.components import audit_schema
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
from chaoscheck.components.audit_statements import ADD_RUN
from chaoscheck.components.audit_states import (
    CALL_MOVES,
    OUTCOMES,
    RUN_STATUSES,
    STATE_MOVES,
    sources_of,
)
from chaoscheck.components.audit_trail import AuditSettings, AuditTrail, WritePoint
from chaoscheck.errors import PlanError

QUICK = AuditSettings(synchronous="OFF", busy_timeout_s=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the audit is kept; its name is a secret that no message may hold."""
    return tmp_path / "secret-client.db"


@pytest.fixture
def trail(path: Path) -> Iterator[AuditTrail]:
    """A new trail with one run."""
    with AuditTrail.create(path, settings=QUICK) as trail:
        AuditRecorder(trail).begin_run("plugin")
        yield trail


def begin(trail: AuditTrail) -> None:
    """One transaction more."""
    AuditRecorder(trail).begin_run("plugin")


def runs_in(path: Path) -> int:
    """How many runs a fresh opening finds."""
    with AuditTrail.open(path, settings=QUICK) as trail:
        return len(trail.export()["runs"])


def test_what_was_written_is_there_when_it_is_opened_again(trail: AuditTrail, path: Path) -> None:
    """A closed audit keeps every record, in the tables that the laws name."""
    begin(trail)
    written = trail.export()
    trail.close()

    with AuditTrail.open(path, settings=QUICK) as again:
        assert written == again.export()
    assert {
        "runs", "rows", "tokens", "node_states", "calls", "transform_errors", "token_outcomes",
    } == set(written)  # fmt: skip
    assert 2 == len(written["runs"])


def test_the_database_is_in_wal_mode_and_says_its_version(path: Path, trail: AuditTrail) -> None:
    """Other tools can read along, and tell what they read."""
    with sqlite3.connect(path) as other:
        facts = [
            other.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "user_version", "application_id")
        ]
    other.close()

    assert ["wal", audit_schema.SCHEMA_VERSION, audit_schema.APPLICATION_ID] == facts


# ---------------------------------------------------------------------- databases that are wrong


def test_an_audit_is_never_created_over_a_file(path: Path) -> None:
    """Whatever is there stays as it is."""
    path.write_bytes(b"mine")

    with pytest.raises(AuditUnavailable) as refusal:
        AuditTrail.create(path)

    assert b"mine" == path.read_bytes()
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("make", [AuditTrail.create, AuditTrail.open])
def test_a_folder_that_is_missing_is_named_without_its_path(make: Any, path: Path) -> None:
    """The error says what is wrong, and not where."""
    with pytest.raises(AuditUnavailable) as refusal:
        make(path.parent / "nowhere" / path.name)

    assert not {"secret", "nowhere"} & set(str(refusal.value).replace("-", " ").split())


def test_opening_a_missing_audit_does_not_create_one(path: Path) -> None:
    """A mistyped name is an error, not an empty audit."""
    with pytest.raises(AuditUnavailable):
        AuditTrail.open(path)

    assert not path.exists()


@pytest.mark.parametrize("content", [b"no database" * 500, b"", b"SQLite format 3\0" * 40])
def test_a_file_that_is_no_audit_is_refused(path: Path, content: bytes) -> None:
    """Garbage, an empty file and half a header are all told from an audit."""
    path.write_bytes(content)

    with pytest.raises(AuditCorrupt):
        AuditTrail.open(path)

    assert content == path.read_bytes()


def test_another_program_s_database_is_refused(path: Path) -> None:
    """A database that is not an audit is left alone."""
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE runs (run_id)")
    other.close()

    with pytest.raises(AuditCorrupt, match="not an audit"):
        AuditTrail.open(path)


@pytest.mark.parametrize("page", [2, 5, 8])
def test_a_damaged_page_is_found_on_opening(trail: AuditTrail, path: Path, page: int) -> None:
    """I learn of the damage before I add to it."""
    trail.close()
    content = bytearray(path.read_bytes())
    content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)

    with pytest.raises(AuditCorrupt):
        AuditTrail.open(path)


def test_a_truncated_database_is_found_on_opening(trail: AuditTrail, path: Path) -> None:
    """A copy that was broken off is not taken for a whole one."""
    trail.close()
    path.write_bytes(path.read_bytes()[: 5 * 4096])

    with pytest.raises(AuditCorrupt):
        AuditTrail.open(path)


def test_a_reference_to_nothing_is_found_on_opening(trail: AuditTrail, path: Path) -> None:
    """A token whose row is missing is damage, too."""
    trail.close()
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO tokens VALUES ('token', 'no such row')")
    other.close()

    with pytest.raises(AuditCorrupt, match="1 records refer to others that are missing"):
        AuditTrail.open(path)


def test_a_newer_schema_is_refused_and_left_as_it_is(trail: AuditTrail, path: Path) -> None:
    """An older chaoscheck does not write into what it does not understand."""
    trail.close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 7")
    other.close()
    before = path.read_bytes()

    with pytest.raises(AuditSchemaNewer, match="must be <= 1, got 7"):
        AuditTrail.open(path)

    assert before == path.read_bytes()


# ---------------------------------------------------------------------- writes that fail


def test_a_read_only_audit_can_be_read_and_not_written(trail: AuditTrail, path: Path) -> None:
    """A report may look at an audit without being able to change it."""
    with AuditTrail.open(path, settings=QUICK, mode="ro") as reader:
        assert 1 == len(reader.export()["runs"])
        with pytest.raises(AuditReadOnly):
            begin(reader)

    assert 1 == runs_in(path)


def test_a_locked_audit_is_told_from_a_broken_one(trail: AuditTrail, path: Path) -> None:
    """Another writer's lock has its own error, and does not leave half a record."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(AuditLocked):
        begin(trail)

    other.close()
    assert 1 == runs_in(path)


def test_a_full_audit_keeps_what_it_has(path: Path) -> None:
    """When there is no room left, every record that was confirmed is still there."""
    confirmed = 0
    with AuditTrail.create(path, settings=AuditSettings(synchronous="OFF", pages_max=24)) as trail:
        with pytest.raises(AuditFull):
            while True:
                begin(trail)
                confirmed += 1
        assert confirmed == len(trail.export()["runs"])

    assert confirmed == runs_in(path) > 10


def test_after_a_failed_write_every_other_is_refused(trail: AuditTrail, path: Path) -> None:
    """Code that swallows the first error cannot go on unaudited."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(AuditLocked):
        begin(trail)
    other.close()

    with pytest.raises(AuditLocked):
        begin(trail)


def test_a_conflict_changes_nothing_and_ends_nothing(trail: AuditTrail) -> None:
    """A record that contradicts another is refused whole; the next one is taken."""
    [run] = trail.export()["runs"]
    fresh = run | {"run_id": "fresh"}

    with pytest.raises(AuditConflict):
        trail.write((ADD_RUN, fresh), (ADD_RUN, run))

    assert [run] == trail.export()["runs"]
    trail.write((ADD_RUN, fresh))


@pytest.mark.parametrize("value", ["\ud800", 2**70])
def test_a_value_that_sqlite_cannot_hold_is_an_error_without_the_value(
    trail: AuditTrail, value: object
) -> None:
    """The message names the kind of trouble, never what was to be stored."""
    [run] = trail.export()["runs"]

    with pytest.raises(AuditError, match=r"SQLite cannot hold a value: (Unicode|Overflow)"):
        trail.write((ADD_RUN, run | {"run_id": "x", "plugin_name": value}))


def test_a_closed_or_fenced_trail_records_nothing_more(trail: AuditTrail, path: Path) -> None:
    """What comes too late is refused with a type of its own, reading included."""
    trail.fence()
    with pytest.raises(AuditClosed):
        begin(trail)
    trail.close()
    trail.close()
    with pytest.raises(AuditClosed):
        trail.export()

    assert 1 == runs_in(path)


def test_a_listener_of_writes_sees_each_before_and_after(path: Path) -> None:
    """A test can crash at any of them."""
    points: list[WritePoint] = []
    with AuditTrail.create(path, settings=AuditSettings(on_write=points.append)) as trail:
        begin(trail)
        assert 3 == trail.writes

    assert [(1, "before"), (1, "after"), (2, "before"), (2, "after"), (3, "before")] == [
        (point.number, point.when) for point in points[:5]
    ]
    assert ["BEGIN", "INSERT", "COMMIT"] == [point.sql.split()[0] for point in points[::2]]


# ---------------------------------------------------------------------- settings and tables


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"synchronous": "EXTRA"}, "synchronous"),
        ({"busy_timeout_s": -1}, "busy_timeout_s"),
        ({"pages_max": 0}, "pages_max"),
    ],
)
def test_an_illegal_setting_is_named(settings: dict[str, Any], named: str) -> None:
    """A wrong setting is refused before a file is touched."""
    with pytest.raises(PlanError, match=named):
        AuditSettings(**settings)


@pytest.mark.parametrize("moves", [STATE_MOVES, CALL_MOVES])
def test_the_tables_of_moves_are_total(moves: dict[str, frozenset[str]]) -> None:
    """Every status has its row, every target is a status, and no end moves on."""
    assert set().union(*moves.values()) <= set(moves)
    for status, targets in moves.items():
        assert all(status in sources_of(moves, target) for target in targets)


def test_the_schema_holds_the_words_that_are_written(trail: AuditTrail) -> None:
    """A word outside the vocabulary is refused by the database itself."""
    [run] = trail.export()["runs"]
    assert {"running", "completed", "failed"} == set(RUN_STATUSES)
    assert {"completed", "failed", "evicted"} == set(OUTCOMES)

    with pytest.raises(AuditConflict):
        trail.write((ADD_RUN, run | {"run_id": "x", "status": "asleep"}))
