"""A run under audit, from its rows to its count: what is new, resumed, refused, done before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from chaoscheck import VirtualWorld
from chaoscheck.components.audit_errors import AuditConflict, AuditUnavailable, RowUnstorable
from chaoscheck.components.audit_recorder import AuditRecorder
from chaoscheck.components.audit_trail import AuditTrail
from chaoscheck.components.audited_run import (
    DATABASE_NAME,
    AuditedOutputPort,
    Intake,
    accept_row,
    create_recorder_and_run,
    process_rows_through_transform,
)
from chaoscheck.components.audited_transport import AuditedTransport
from chaoscheck.components.output_port import CollectingOutputPort, RowResult
from properties.audited_process import UNSYNCED

Row = Mapping[str, object]


class Belt:
    """A transform that sends a request for each row and emits all results when it is flushed."""

    def __init__(self, recorder: AuditRecorder) -> None:
        self.collected = CollectingOutputPort()
        self.output = AuditedOutputPort(recorder, self.collected)
        inner: Any = httpx.MockTransport(lambda request: httpx.Response(200))
        self.client = httpx.AsyncClient(transport=AuditedTransport(inner, recorder))
        self.taken: list[Row] = []

    async def accept(self, row: Row) -> int:
        """Take it, and call the server for it."""
        self.taken.append(row)
        await self.client.get(f"http://api.test/{row['n']}")
        return len(self.taken) - 1

    def evict(self, ticket: int) -> bool:
        """Nothing is given up here."""
        raise NotImplementedError

    async def flush(self) -> None:
        """All results at once; a row may ask to fail."""
        for ticket, row in enumerate(self.taken):
            error = {"reason": "r", "error_type": "t"} if row.get("fails") else None
            self.output.emit(RowResult(ticket=ticket, row=row, error=error, attempts=1))


@contextmanager
def a_run(folder: Path) -> Iterator[tuple[AuditRecorder, tuple[str, str]]]:
    """A new audit with a run."""
    recorder, *run = create_recorder_and_run(folder, "plugin", settings=UNSYNCED)
    try:
        yield recorder, (run[0], run[1])
    finally:
        recorder.close()


def processed(
    recorder: AuditRecorder, run: tuple[str, str], rows: list[Any]
) -> tuple[Intake, Belt]:
    """What one process makes of ``rows``."""
    belt = Belt(recorder)
    with VirtualWorld() as world:
        intake = world.run(process_rows_through_transform, belt, recorder, *run, rows, belt.output)
    return intake, belt


def test_rows_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    """Accepted or refused for good; each has its place, its calls and its outcome in the audit."""
    rows = [{"n": 0}, {"n": math.nan}, {"n": 2, "fails": True}, {"n": object()}, {"n": 4}]
    with a_run(tmp_path) as (recorder, run):
        intake, belt = processed(recorder, run, rows)
        tables = recorder.export()

    assert intake == Intake(accepted=3, refused=2, done_before=0)
    assert belt.taken == [rows[0], rows[2], rows[4]]
    assert [result.row for result in belt.collected.results] == belt.taken
    assert [one["row_index"] for one in tables["rows"]] == [0, 1, 2, 3, 4]
    assert {one["run_id"] for one in tables["rows"]} == {run[0]}
    assert {one["node_id"] for one in tables["node_states"]} == {run[1]}
    outcome_of = {one["state_id"]: one["outcome"] for one in tables["token_outcomes"]}
    called = {one["path"]: outcome_of[one["state_id"]] for one in tables["calls"]}
    assert called == {"/0": "completed", "/2": "failed", "/4": "completed"}
    assert sorted(map(str, outcome_of.values())) == ["completed"] * 2 + ["failed"] * 3
    assert {one["destination"] for one in tables["transform_errors"]} == {"discard"}


def test_a_second_process_leaves_alone_what_is_done_and_resumes_the_rest(tmp_path: Path) -> None:
    """After a crash and a recovery, with the same rows and some that are new."""
    rows: list[Row] = [{"n": 0}, {"n": 1}, {"n": math.inf}, {"n": 3}, {"n": 4}]
    with a_run(tmp_path) as (recorder, run):
        done = recorder.begin_row(*run, 0, rows[0])
        recorder.complete_row(done, {})
        recorder.begin_row(*run, 1, rows[1])
        with pytest.raises(RowUnstorable):
            recorder.begin_row(*run, 2, rows[2])
        recorder.recover()
        intake, belt = processed(recorder, run, rows)
        known = recorder.known_rows(run[0])

    assert intake == Intake(accepted=3, refused=0, done_before=2)
    assert belt.taken == [rows[1], rows[3], rows[4]]
    assert [known[n].attempt for n in range(5)] == [1, 2, 1, 1, 1]
    assert [known[n].outcome for n in range(5)] == [
        "completed", "completed", "failed", "completed", "completed",
    ]  # fmt: skip


def test_a_row_that_changed_since_is_no_row_to_resume(tmp_path: Path) -> None:
    """The error of the audit leaves, and nothing more is sent."""
    with a_run(tmp_path) as (recorder, run):
        recorder.begin_row(*run, 0, {"n": 0})
        recorder.recover()
        with pytest.raises(AuditConflict, match="row 0 is not the one that was recorded"):
            processed(recorder, run, [{"n": "another"}])
        assert recorder.export()["calls"] == []


def test_a_run_that_cannot_begin_leaves_no_open_audit(tmp_path: Path) -> None:
    """Its file is closed, and can be opened by the next."""

    def broken() -> str:
        raise LookupError("no ids")

    with pytest.raises(LookupError):
        create_recorder_and_run(tmp_path, "plugin", new_id=broken)

    # An open connection in WAL mode keeps its log beside the file.
    assert [each.name for each in tmp_path.iterdir()] == [DATABASE_NAME]
    with AuditTrail.open(tmp_path / DATABASE_NAME) as trail:
        assert trail.export()["runs"] == []
    with pytest.raises(AuditUnavailable):
        create_recorder_and_run(tmp_path / "missing", "plugin")


def test_a_row_is_on_its_way_under_the_state_that_was_recorded_for_it(tmp_path: Path) -> None:
    """A port that hears of a ticket twice, or of none, is told so by name."""
    with a_run(tmp_path) as (recorder, run):
        _, belt = processed(recorder, run, [{"n": 0}])
        with pytest.raises(AuditConflict, match="expects a result, got one with ticket 0"):
            belt.output.evicted(0)


def test_one_row_may_be_handed_over_by_itself(tmp_path: Path) -> None:
    """Its ticket comes back, its calls are those of its state, and its result ends it."""
    with a_run(tmp_path) as (recorder, run), VirtualWorld() as world:
        belt = Belt(recorder)
        states = [recorder.begin_row(*run, n, {"n": n}) for n in range(2)]
        tickets = [
            world.run(accept_row, belt, belt.output, state, {"n": n})
            for n, state in enumerate(states)
        ]
        belt.output.evicted(1)
        tables = recorder.export()

    assert tickets == [0, 1]
    called = {one["path"]: one["state_id"] for one in tables["calls"]}
    assert called == {f"/{n}": state.state_id for n, state in enumerate(states)}
    assert [one["token_id"] for one in tables["token_outcomes"]] == [states[1].token_id]


def test_the_file_of_a_run_and_an_empty_intake_are_those_of_the_docs() -> None:
    """Both are what others go by."""
    assert DATABASE_NAME == "audit.db"
    assert Intake() == Intake(accepted=0, refused=0, done_before=0)
