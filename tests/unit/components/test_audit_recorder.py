"""AuditRecorder: rows that are strange, runs that end, records that contradict others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.components.audit_errors import AuditConflict, RowUnstorable
from chaoscheck.components.audit_recorder import (
    AuditedState,
    CallEnd,
    CallIntent,
    Recovered,
)
from chaoscheck.components.audit_trail import AuditSettings
from chaoscheck.components.audited_run import create_recorder_and_run

INTENT = CallIntent(method="POST", path="/v1/chat/completions", request_digest="r")
ERROR = {"reason": "server_error", "error_type": "http_error", "message": "m", "status_code": 500}


class Desk:
    """A recorder with one run."""

    def __init__(self, place: Path) -> None:
        numbers = iter(range(10_000))
        self.recorder, self.run_id, self.node_id = create_recorder_and_run(
            place,
            "plugin",
            settings=AuditSettings(synchronous="OFF"),
            new_id=lambda: f"id{next(numbers)}",
            utc_now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )

    def begin(self, row: Any, index: int = 0) -> AuditedState:
        """Record one row."""
        return self.recorder.begin_row(self.run_id, self.node_id, index, row)

    def table(self, name: str) -> list[dict[str, object]]:
        """One table of the audit."""
        return self.recorder.trail.export()[name]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A fresh desk."""
    desk = Desk(tmp_path)
    yield desk
    desk.recorder.trail.close()


def test_ids_and_times_come_from_outside(desk: Desk) -> None:
    """Two equal runs write equal audits."""
    assert ("id0", "id1") == (desk.run_id, desk.node_id)
    [run] = desk.table("runs")
    assert "2026-01-01T00:00:00+00:00" == run["started_at"]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"text": 5, "nested": {"a": [1, None, True]}},
        {"text": "lone \ud800 surrogate"},
        {"text": "x" * 1_000_000},
        {"": "a column without a name"},
    ],
    ids=["empty", "non-string", "surrogate", "megabyte", "nameless"],
)
def test_a_row_of_any_json_is_kept_as_it_came(desk: Desk, row: dict[str, object]) -> None:
    """Missing fields, content that is no string and a prompt of 1 MB are the transform's affair."""
    desk.begin(row)

    [kept] = desk.table("rows")
    assert row == json.loads(str(kept["data"]))


CIRCLE: list[object] = []
CIRCLE.append(CIRCLE)
DEEP: list[object] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"text": "a", "when": datetime(2026, 1, 1)}, {"when": "datetime"}),
        ({"text": b"bytes", "n": float("nan")}, {"text": "bytes", "n": "not a finite number"}),
        ({"text": {"inner": {1, 2}}}, {"text": "dict"}),
        ({"loop": CIRCLE}, {"loop": "list"}),
        ({"deep": DEEP}, {"deep": "list"}),
        ({7: "a"}, {"a int as its name": "str"}),
        ({"n": 10**5000}, {"n": "int"}),
        (["no", "mapping"], {"(row)": "list"}),
    ],
    ids=["datetime", "two", "nested", "circle", "deep", "key", "huge", "list"],
)
def test_a_row_that_json_cannot_hold_is_recorded_with_the_columns_at_fault(
    desk: Desk, row: Any, fields: dict[str, str]
) -> None:
    """It is not lost: its row, its error and its one outcome are in the audit."""
    with pytest.raises(RowUnstorable) as refusal:
        desk.begin(row)

    assert fields == refusal.value.fields
    [error] = desk.table("transform_errors")
    assert "row_unstorable" == error["reason"]
    assert fields == json.loads(str(error["details"]))["fields"]
    assert ["failed"] == [outcome["outcome"] for outcome in desk.table("token_outcomes")]
    [kept] = desk.table("rows")
    assert json.loads(str(kept["data"]))


def test_no_value_of_a_row_is_in_an_error(desk: Desk) -> None:
    """Prompts and secrets stay in the row; messages name columns and types."""
    with pytest.raises(RowUnstorable) as refusal:
        desk.begin({"text": b"sk-secret", "prompt": {"the prompt"}})

    [error] = desk.table("transform_errors")
    for text in (str(refusal.value), str(error["details"])):
        assert "secret" not in text
        assert "the prompt" not in text


def test_the_same_place_is_not_recorded_twice(desk: Desk) -> None:
    """Two rows with one index are a mistake of whoever numbers them."""
    desk.begin({"text": "a"})

    with pytest.raises(AuditConflict):
        desk.begin({"text": "b"})

    assert 1 == len(desk.table("rows")) == len(desk.table("tokens"))


def test_an_outcome_is_written_once(desk: Desk) -> None:
    """A second terminal outcome is refused, and the first one stays."""
    state = desk.begin({"text": "a"})
    desk.recorder.complete_row(state, {"content": "b"})

    for again in (desk.recorder.evict_row, lambda state: desk.recorder.fail_row(state, ERROR)):
        with pytest.raises(AuditConflict):
            again(state)

    [outcome] = desk.table("token_outcomes")
    assert ("completed", {"content": "b"}) == (
        outcome["outcome"],
        json.loads(str(outcome["result"])),
    )
    assert [] == desk.table("transform_errors")


def test_a_call_ends_once_and_only_of_a_state_under_way(desk: Desk) -> None:
    """Neither a second end of a call nor a call for a finished row is taken."""
    state = desk.begin({"text": "a"})
    call = desk.recorder.begin_call(state, INTENT)
    desk.recorder.end_call(call, CallEnd(status="error", error_type="ReadError"))
    with pytest.raises(AuditConflict):
        desk.recorder.end_call(call, CallEnd(status="ok", status_code=200))
    desk.recorder.fail_row(state, ERROR)
    with pytest.raises(AuditConflict):
        desk.recorder.begin_call(state, INTENT)

    [kept] = desk.table("calls")
    assert ("error", "ReadError", "transient") == (
        kept["status"],
        kept["error_type"],
        kept["failure_kind"],
    )


def test_a_failed_row_stores_the_newest_failed_call_and_where_it_went(desk: Desk) -> None:
    """Status, kind and body of the attempt that the error is about, and its destination."""
    state = desk.begin({"text": "a"})
    for status_code, digest in ((429, "first"), (500, "second")):
        call = desk.recorder.begin_call(state, INTENT)
        end = CallEnd(status="ok", status_code=status_code, body_digest=digest, body_length=1)
        desk.recorder.end_call(call, end)
    left = desk.recorder.begin_call(state, INTENT)
    desk.recorder.end_call(left, CallEnd(status="unknown", error_type="cancelled"))
    desk.recorder.fail_row(state, ERROR, destination="quarantine")

    [error] = desk.table("transform_errors")
    wanted = {
        "attempt_id": call.attempt_id, "status_code": 500, "kind": "transient",
        "body_digest": "second", "destination": "quarantine", "reason": "server_error",
    }  # fmt: skip
    assert wanted == {name: error[name] for name in wanted}
    assert ERROR == json.loads(str(error["details"]))


def test_an_error_that_json_cannot_hold_is_stored_as_far_as_possible(desk: Desk) -> None:
    """A strange detail does not cost me the others."""
    state = desk.begin({"text": "a"})
    desk.recorder.fail_row(state, {"reason": "odd", "cause": ValueError("v")})

    [error] = desk.table("transform_errors")
    assert {"reason": "odd", "cause": {"unstorable": "ValueError"}} == json.loads(
        str(error["details"])
    )


@pytest.mark.parametrize("given", ["", "x" * 201])
def test_an_attempt_id_that_is_no_id_is_replaced(desk: Desk, given: str) -> None:
    """An id that a ledger could not keep whole is not used."""
    intent = CallIntent(method="GET", path="/", request_digest=None, attempt_id=given)
    call = desk.recorder.begin_call(desk.begin({}), intent)

    assert call.attempt_id.startswith("id")


def test_recovery_calls_the_unseen_unknown_and_is_idempotent(desk: Desk) -> None:
    """After a crash nothing is guessed, and recovering again finds nothing."""
    for index in range(3):
        state = desk.begin({"text": "a"}, index)
        if index:
            desk.recorder.begin_call(state, INTENT)
    desk.recorder.complete_row(state, {})

    assert Recovered(calls=2, states=2) == desk.recorder.recover()
    assert Recovered(calls=0, states=0) == desk.recorder.recover()
    assert {("unknown", "interrupted")} == {
        (call["status"], call["error_type"]) for call in desk.table("calls")
    }


def test_a_run_completes_only_when_every_row_has_its_outcome(desk: Desk) -> None:
    """Rows in = outcomes out, before I am told that the run is complete."""
    state = desk.begin({"text": "a"})
    with pytest.raises(AuditConflict, match="0 unfinished rows, got 1"):
        desk.recorder.end_run(desk.run_id)
    desk.recorder.evict_row(state)
    desk.recorder.end_run(desk.run_id)
    with pytest.raises(AuditConflict):
        desk.recorder.end_run(desk.run_id, "failed")

    assert ["completed"] == [run["status"] for run in desk.table("runs")]


def test_only_the_same_row_is_resumed_and_only_when_nothing_is_under_way(desk: Desk) -> None:
    """A row that changed, that is being worked on or that is done is not taken up again."""
    resume = desk.recorder.resume_row
    state = desk.begin({"text": "a"})
    known = desk.recorder.known_rows(desk.run_id)[0]
    with pytest.raises(AuditConflict):
        resume(known, desk.node_id, 0, {"text": "a"})
    desk.recorder.recover()
    with pytest.raises(AuditConflict, match="not the one that was recorded"):
        resume(known, desk.node_id, 0, {"text": "b"})

    again = resume(known, desk.node_id, 0, {"text": "a"})
    assert (state.token_id, 2) == (again.token_id, len(desk.table("node_states")))
    desk.recorder.complete_row(again, {})
    with pytest.raises(AuditConflict, match="has its outcome: completed"):
        resume(desk.recorder.known_rows(desk.run_id)[0], desk.node_id, 0, {"text": "a"})
