"""Rows through an audited transform: strange rows, a database that gives up, a second life."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from chaoscheck.components.audit_errors import (
    AuditConflict,
    AuditError,
    AuditFull,
    AuditLocked,
    AuditReadOnly,
)
from chaoscheck.components.audit_recorder import AuditRecorder
from chaoscheck.components.audit_trail import AuditTrail, WritePoint
from chaoscheck.components.audited_calls import Unaudited
from chaoscheck.components.audited_run import AuditedOutputPort, Intake
from chaoscheck.components.output_port import CollectingOutputPort, RowResult
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.world.virtual import VirtualWorld
from properties.audited_process import SETTINGS, UNSYNCED, AuditedProcess, judge

Row = Mapping[str, object]
TEXTS: Sequence[Row] = [{"text": "a"}, {"text": "b"}, {"text": "c"}]


class Stage:
    """A virtual world with a chaos server, and processes that keep one audit."""

    def __init__(self, place: Path) -> None:
        self.path = place / "audit.db"
        self.world = VirtualWorld()
        self.world.open()
        self.server = Chaos(self.world).serve()
        self.processes: list[AuditedProcess] = []

    def process(self, **settings: object) -> AuditedProcess:
        """One life on this stage's database."""
        chosen = replace(UNSYNCED, busy_timeout_s=0, **settings)  # type: ignore[arg-type]
        self.processes.append(AuditedProcess(path=self.path, settings=chosen))
        return self.processes[-1]

    def live(self, rows: Sequence[Row], **settings: object) -> AuditedProcess:
        """A life to its end."""
        process = self.process(**settings)
        self.world.run(process.live, rows)
        return process

    def stopped(self, process: AuditedProcess, rows: Sequence[Row]) -> AuditError:
        """The audit's error that ended a life."""
        with pytest.raises((AuditError, BaseExceptionGroup)) as stopped:
            self.world.run(process.live, rows)
        self.world.settle()
        error: BaseException = stopped.value
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        assert isinstance(error, AuditError)
        return error


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A fresh stage."""
    stage = Stage(tmp_path)
    yield stage
    stage.world.close()
    for process in stage.processes:
        process.close()


def test_every_row_leaves_with_its_outcome_and_its_result(stage: Stage) -> None:
    """What my sink got and what the audit says are the same."""
    process = stage.live(TEXTS)

    assert judge(process.read(), stage.server.ledger, rows_in=3).ok
    outcomes = process.trail.export()["token_outcomes"]
    stored = sorted(json.loads(str(outcome["result"]))["content"] for outcome in outcomes)
    assert ["a", "b", "c"] == stored
    assert stored == [result.content for result in process.collected.results]


def test_a_row_without_the_column_fails_with_the_column_s_name(stage: Stage) -> None:
    """The audit tells which column was missing; the other rows are not held up."""
    process = stage.live([{"text": "a"}, {"prompt": "b"}, {"text": 5}])

    [error] = process.trail.export()["transform_errors"]
    assert ("template_error", "KeyError", None) == (
        error["reason"],
        error["error_type"],
        error["attempt_id"],
    )
    assert "'text'" in json.loads(str(error["details"]))["message"]
    assert ["a", None, "5"] == [result.content for result in process.collected.results]
    assert judge(process.read(), stage.server.ledger, rows_in=3).ok


def test_a_template_that_names_an_unknown_field_fails_every_row_by_name(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped template costs no request, and each row says what was mistyped."""
    mistyped = replace(SETTINGS, template="{txet}")
    monkeypatch.setattr("properties.audited_process.SETTINGS", mistyped)
    process = stage.live(TEXTS)

    messages = {
        json.loads(str(error["details"]))["message"]
        for error in process.trail.export()["transform_errors"]
    }
    assert {"the row does not fit the template: KeyError('txet')"} == messages
    assert 0 == stage.server.ledger.total
    assert judge(process.read(), stage.server.ledger, rows_in=3).ok


def test_a_row_that_cannot_be_stored_is_refused_and_the_next_goes_on(stage: Stage) -> None:
    """It has its row, error and outcome in the audit; it is never sent."""
    process = stage.live([{"text": "a"}, {"text": b"b"}, {"text": "c"}])

    assert ["a", "c"] == [result.content for result in process.collected.results]
    assert judge(process.read(), stage.server.ledger, rows_in=3).ok
    assert {"a", "c"} == {exchange.tag for exchange in stage.server.ledger}


def test_a_prompt_of_a_megabyte_is_sent_or_refused_but_never_lost(stage: Stage) -> None:
    """A huge row has one outcome like any other. Its bytes take 0.1 s to come and go."""
    process = stage.live([{"text": "x" * 1_000_000}])

    [row] = process.trail.export()["rows"]
    assert {"text": "x" * 1_000_000} == json.loads(str(row["data"]))
    assert judge(process.read(), stage.server.ledger, rows_in=1).ok


# ---------------------------------------------------------------------- a database that gives up


def test_a_full_database_stops_the_run_and_what_was_sent_is_known(stage: Stage) -> None:
    """No request leaves unaudited; with more room the run goes on and completes."""
    rows = [{"text": "x" * 2_000, "n": n} for n in range(12)]
    full = stage.process(pages_max=26)
    assert isinstance(stage.stopped(full, rows), AuditFull)
    full.close()
    sent = stage.server.ledger.total

    again = stage.process()
    with AuditTrail.open(stage.path, settings=UNSYNCED) as again.trail:
        assert judge(again.read(), stage.server.ledger, when="any_time").ok
    stage.world.run(again.live, rows)

    assert sent < stage.server.ledger.total
    assert judge(again.read(), stage.server.ledger, rows_in=12).ok


def test_a_locked_database_stops_the_run_before_anything_is_sent(stage: Stage) -> None:
    """While somebody else writes to my audit, nothing leaves."""
    stage.live([])
    other = sqlite3.connect(stage.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert isinstance(stage.stopped(stage.process(), TEXTS), AuditLocked)
    other.close()

    assert 0 == stage.server.ledger.total


@pytest.mark.parametrize("after", range(0, 30, 3))
def test_whenever_the_disk_fails_the_run_stops_and_nothing_unaudited_is_sent(
    stage: Stage, after: int
) -> None:
    """From the first failing write on no request leaves, and the next life finishes the work."""

    def fail(point: WritePoint) -> None:
        if point.number > 8 + after:
            raise sqlite3.OperationalError("disk I/O error")

    failing = stage.process(on_write=fail)
    stage.stopped(failing, TEXTS)
    assert judge(failing.read(), stage.server.ledger, when="any_time").ok
    failing.close()

    again = stage.live(TEXTS)
    assert judge(again.read(), stage.server.ledger, rows_in=3).ok


def test_a_read_only_audit_admits_no_run(stage: Stage) -> None:
    """A recorder on a reader's trail stops at the first word."""
    stage.live(TEXTS).close()

    with AuditTrail.open(stage.path, mode="ro") as reader, pytest.raises(AuditReadOnly):
        AuditRecorder(reader).begin_run("plugin")


# ---------------------------------------------------------------------- who belongs to whom


def test_a_second_life_does_only_what_is_left(stage: Stage) -> None:
    """Rows with an outcome are left alone: nothing is sent, paid or emitted twice."""
    stage.live(TEXTS[:2]).close()
    process = stage.live(TEXTS)

    assert ["c"] == [result.content for result in process.collected.results]
    assert 3 == stage.server.ledger.total
    assert judge(process.read(), stage.server.ledger, rows_in=3).ok


def test_other_rows_in_the_place_of_the_old_ones_are_refused(stage: Stage) -> None:
    """Resuming with another file is noticed before anything is sent."""
    stage.live([], on_write=None).close()
    begun = stage.process()
    begun.start()
    begun.recorder.begin_row(begun.run_id, begun.node_id, 0, {"text": "a"})
    begun.close()

    assert isinstance(stage.stopped(stage.process(), [{"text": "other"}]), AuditConflict)
    assert 0 == stage.server.ledger.total


def test_a_request_outside_an_audited_row_does_not_leave(stage: Stage) -> None:
    """A client under audit cannot be used past the audit."""
    process = stage.process()
    process.start()

    with pytest.raises(Unaudited):
        stage.world.run(process.client.get, "http://api.test/health")

    assert 0 == stage.server.ledger.total


def test_a_row_that_went_past_the_audit_is_not_emitted(stage: Stage) -> None:
    """An absent witness is a failure: a result without a recorded row stops the run."""
    collected = CollectingOutputPort()
    process = stage.process()
    process.start()
    port = AuditedOutputPort(process.recorder, collected)

    with pytest.raises(AuditConflict, match="no audited row expects a result"):
        port.emit(RowResult(ticket=0, row={}, content="a", attempts=1))

    assert [] == collected.results


def test_the_intake_says_what_became_of_the_rows(stage: Stage) -> None:
    """I learn how many rows were taken, refused, and done by an earlier life."""
    first = stage.live([{"text": "a"}, {"text": b"b"}])
    assert Intake(accepted=1, refused=1) == first.intake
    first.close()

    second = stage.live([{"text": "a"}, {"text": b"b"}, {"text": "c"}])
    assert Intake(accepted=1, done_before=2) == second.intake
