"""An audit at its edges: what a refusal leaves open, what a call moves, what a crash left half."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import psutil
import pytest

from chaoscheck.components.audit_errors import AuditCorrupt, AuditError, RowUnstorable
from chaoscheck.components.audit_recorder import AuditRecorder, CallEnd, CallIntent
from chaoscheck.components.audit_statements import Statement
from chaoscheck.components.audit_states import CALL_MOVES, STATE_MOVES, CallStatus
from chaoscheck.components.audit_trail import AuditTrail
from models.audit_format import CALLS, STATES
from properties.audited_process import UNSYNCED

INTENT = CallIntent(method="GET", path="/", request_digest=None)


@contextmanager
def recording(path: Path) -> Iterator[tuple[AuditRecorder, tuple[str, str]]]:
    """A recorder of a new audit at ``path``, with a run."""
    with AuditTrail.create(path, settings=UNSYNCED) as trail:
        recorder = AuditRecorder(trail)
        yield recorder, recorder.begin_run("plugin")


def statuses(recorder: AuditRecorder) -> list[object]:
    """Of the tries, in their order."""
    tries = recorder.export()["node_states"]
    return [one["status"] for one in sorted(tries, key=lambda one: str(one["attempt"]))]


def test_the_moves_are_those_of_the_format() -> None:
    """Each leads from a status to a status."""
    assert {source: set(targets) for source, targets in STATE_MOVES.items()} == STATES
    assert {source: set(targets) for source, targets in CALL_MOVES.items()} == CALLS


@pytest.mark.parametrize(
    "damage",
    ["PRAGMA application_id = 7", "INSERT INTO tokens VALUES ('t', 'no such row')"],
)
def test_a_refused_file_is_not_kept_open(tmp_path: Path, damage: str) -> None:
    """Whoever looks at the error may move or delete the file."""
    path = tmp_path / "audit.db"
    AuditTrail.create(path, settings=UNSYNCED).close()
    plain = sqlite3.connect(path, isolation_level=None)
    plain.execute(damage)
    plain.close()

    with pytest.raises(AuditCorrupt) as refusal:
        AuditTrail.open(path)

    opened = [Path(file.path).name for file in psutil.Process().open_files()]
    assert not [name for name in opened if name.startswith(path.name)], str(refusal.value)


@pytest.mark.parametrize("index", [2**63, -(2**63) - 1])
def test_a_number_that_sqlite_cannot_hold_is_an_error_of_the_audit(
    tmp_path: Path, index: int
) -> None:
    """One beyond 64 bits; the message does not show it."""
    with recording(tmp_path / "audit.db") as (recorder, run):
        with pytest.raises(AuditError) as refusal:
            recorder.begin_row(*run, index, {})
        assert str(refusal.value) == "SQLite cannot hold a value: OverflowError"


def test_a_connection_that_is_gone_is_an_error_of_the_audit(tmp_path: Path) -> None:
    """Nothing can be rolled back then, and nothing has to be."""
    with recording(tmp_path / "audit.db") as (recorder, run):
        recorder.trail._connection.close()
        for _ in range(2):
            with pytest.raises(AuditError, match="the audit failed"):
                recorder.begin_row(*run, 0, {})


def test_what_cannot_be_read_is_an_error_of_the_audit(tmp_path: Path) -> None:
    """And says nothing of what was asked."""
    with recording(tmp_path / "audit.db") as (recorder, _):
        with pytest.raises(AuditError) as refusal:
            recorder.trail.read(Statement(sql="SELECT secret FROM nowhere"), {})
        assert str(refusal.value) == "the audit failed (SQLITE_ERROR)"


def test_a_contradiction_names_the_statement_and_what_it_found(tmp_path: Path) -> None:
    """By its first three words, which hold no value."""
    with recording(tmp_path / "audit.db") as (recorder, run):
        recorder.end_run(run[0])
        with pytest.raises(AuditError) as refusal:
            recorder.end_run(run[0])
        expected = "UPDATE runs SET must change 1 records in its place, not 0"
        assert str(refusal.value) == expected


def test_a_try_is_pending_from_its_first_call_on(tmp_path: Path) -> None:
    """Later calls do not move it, and a try that may have called is interrupted by a crash."""
    with recording(tmp_path / "audit.db") as (recorder, run):
        state = recorder.begin_row(*run, 0, {})
        assert statuses(recorder) == ["open"]
        for _ in range(2):
            recorder.begin_call(state, INTENT)
            assert statuses(recorder) == ["pending"]
        found = recorder.recover()
        assert (found.calls, found.states) == (2, 1)
        assert statuses(recorder) == ["failed"]
        again = recorder.resume_row(recorder.known_rows(run[0])[0], run[1], 0, {})
        assert statuses(recorder) == ["failed", "open"]
        recorder.begin_call(again, INTENT)
        assert statuses(recorder) == ["failed", "pending"]


@pytest.mark.parametrize("status", ["ok", "error", "unknown"])
def test_each_end_of_a_call_is_final(tmp_path: Path, status: Any) -> None:
    """A second end is a contradiction, whatever it is; without a status nothing has failed."""
    with recording(tmp_path / "audit.db") as (recorder, run):
        call = recorder.begin_call(recorder.begin_row(*run, 0, {}), INTENT)
        recorder.end_call(call, CallEnd(status=status))
        for other in get_args(CallStatus)[1:]:
            with pytest.raises(AuditError, match="must change 1 records"):
                recorder.end_call(call, CallEnd(status=other))
        [kept] = recorder.export()["calls"]
        expected = "transient" if status == "error" else None
        assert (kept["status"], kept["failure_kind"]) == (status, expected)
        assert recorder.recover().calls == 0


def test_a_row_that_could_not_be_kept_is_refused_again_after_a_crash(tmp_path: Path) -> None:
    """The crash came between its record and its outcome; resumed, it has its outcome."""
    with recording(tmp_path / "audit.db") as (recorder, run):
        recorder.begin_row(*run, 0, {"text": {"unstorable": "bytes"}})  # what is kept of b"..."
        recorder.recover()
        known = recorder.known_rows(run[0])[0]
        with pytest.raises(RowUnstorable, match=r"text \(bytes\)"):
            recorder.resume_row(known, run[1], 0, {"text": b"..."})
        assert recorder.known_rows(run[0])[0].outcome == "failed"
