"""An export read as values: what is there arrives, what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck.components.audit_recorder import CallEnd, CallIntent
from chaoscheck.components.audit_trail import Tables
from chaoscheck.components.audited_run import create_recorder_and_run
from chaoscheck.errors import PlanError
from chaoscheck.history.audit import audit_history


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """The export of an audit with one failed row and one that is under way."""
    recorder, run_id, node_id = create_recorder_and_run(tmp_path, "plugin")
    with recorder.trail:
        state = recorder.begin_row(run_id, node_id, 0, {"text": "a"})
        intent = CallIntent(method="POST", path="/", request_digest=None, attempt_id="mine")
        call = recorder.begin_call(state, intent)
        recorder.end_call(call, CallEnd(status="ok", status_code=503, body_digest="d"))
        recorder.fail_row(state, {"reason": "r", "error_type": "e", "status_code": 503})
        recorder.begin_row(run_id, node_id, 1, {"text": "b"})
        return recorder.trail.export()


def test_every_part_of_an_audit_becomes_a_value(tables: Tables) -> None:
    """Rows with their outcomes, states, calls and errors, as they were recorded."""
    audit = audit_history(tables)

    assert [("failed",), ()] == [row.outcomes for row in audit.rows]
    assert [1, 1] == [len(row.tokens) for row in audit.rows]
    assert ["failed", "open"] == sorted(state.status for state in audit.states)
    [call] = audit.calls
    assert ("mine", 0, "ok", 503, "d", None, "capacity") == (
        call.attempt_id,
        call.call_index,
        call.status,
        call.status_code,
        call.body_digest,
        call.error_type,
        call.failure_kind,
    )
    [error] = audit.errors
    assert ("r", "discard", "mine", 503, "capacity", "d", 503) == (
        error.reason,
        error.destination,
        error.attempt_id,
        error.status_code,
        error.kind,
        error.body_digest,
        error.stated_status,
    )


def test_a_missing_table_is_named(tables: Tables) -> None:
    """An export of something else is a mistake, not an empty audit."""
    del tables["calls"]

    with pytest.raises(PlanError, match="must have the table 'calls'"):
        audit_history(tables)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("calls", "attempt_id", None),
        ("calls", "status_code", "503"),
        ("transform_errors", "details", "[]"),
        ("transform_errors", "details", "no json"),
    ],
)
def test_a_column_of_another_kind_is_named(
    tables: Tables, table: str, column: str, value: object
) -> None:
    """A value that cannot be judged is refused by its column."""
    tables[table][0][column] = value

    with pytest.raises(PlanError, match=f"column '{column}' must hold"):
        audit_history(tables)
