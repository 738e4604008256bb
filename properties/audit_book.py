"""An audit as the model sees it, and the model's steps as calls of a recorder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from chaoscheck.components.audit_recorder import (
    AuditedCall,
    AuditedState,
    AuditRecorder,
    CallEnd,
    CallIntent,
)
from chaoscheck.components.audit_trail import Tables
from models.audit import (
    BeginCall,
    BeginRow,
    Book,
    EndCall,
    EndRow,
    Recover,
    ResumeRow,
    Step,
    Try,
    Written,
)

__all__ = ["Bookkeeper", "book_of"]

_INTENT = CallIntent(method="POST", path="/v1/chat/completions", request_digest=None)
_ERROR = {"reason": "server_error", "error_type": "http_error", "message": "", "status_code": 500}
_ENDS = {
    "ok": CallEnd(status="ok", status_code=500, body_digest="d", body_length=1),
    "error": CallEnd(status="error", error_type="ReadError"),
    "unknown": CallEnd(status="unknown", error_type="cancelled"),
}


def book_of(tables: Tables) -> Book:
    """The model's view of an export."""
    calls: defaultdict[object, list[str]] = defaultdict(list)
    for call in sorted(tables["calls"], key=_by("call_index")):
        calls[call["state_id"]].append(str(call["status"]))
    tries: defaultdict[object, list[Try]] = defaultdict(list)
    for state in sorted(tables["node_states"], key=_by("attempt")):
        one = Try(status=str(state["status"]), calls=tuple(calls[state["state_id"]]))
        tries[state["token_id"]].append(one)
    token_of = {token["row_id"]: token["token_id"] for token in tables["tokens"]}
    outcomes = {one["token_id"]: str(one["outcome"]) for one in tables["token_outcomes"]}
    tokens = [token_of[row["row_id"]] for row in sorted(tables["rows"], key=_by("row_index"))]
    return tuple(
        Written(tries=tuple(tries[token]), outcome=outcomes.get(token)) for token in tokens
    )


def _by(column: str) -> Callable[[dict[str, object]], int]:
    """A sort key: the number in ``column``."""

    def number(row: dict[str, object]) -> int:
        value = row[column]
        assert isinstance(value, int)
        return value

    return number


class Bookkeeper:
    """Takes the model's steps with a real recorder; knows of the past only what was written."""

    def __init__(self, recorder: AuditRecorder, run_id: str, node_id: str) -> None:
        self._recorder = recorder
        self._run_id = run_id
        self._node_id = node_id

    def take(self, step: Step) -> None:
        """Do what ``step`` says. AuditConflict where the recorder refuses it."""
        recorder = self._recorder
        if isinstance(step, Recover):
            recorder.recover()
            return
        known = recorder.known_rows(self._run_id)
        if isinstance(step, BeginRow):
            recorder.begin_row(self._run_id, self._node_id, len(known), {"row": len(known)})
        elif isinstance(step, ResumeRow):
            recorder.resume_row(known[step.row], self._node_id, step.row, {"row": step.row})
        elif isinstance(step, BeginCall):
            recorder.begin_call(self._state(step.row)[0], _INTENT)
        elif isinstance(step, EndCall):
            call = AuditedCall(attempt_id=self._state(step.row)[1][step.call])
            recorder.end_call(call, _ENDS[step.status])
        else:
            self._end(step)

    def _end(self, step: EndRow) -> None:
        state, _ = self._state(step.row)
        if step.outcome == "completed":
            self._recorder.complete_row(state, {"content": "x"})
        elif step.outcome == "failed":
            self._recorder.fail_row(state, _ERROR)
        else:
            self._recorder.evict_row(state)

    def _state(self, row: int) -> tuple[AuditedState, list[str]]:
        """The newest try of a row, and the ids of its calls in order."""
        tables = self._recorder.export()
        token_id = self._recorder.known_rows(self._run_id)[row].token_id
        own = [one for one in tables["node_states"] if one["token_id"] == token_id]
        newest = max(own, key=_by("attempt"))
        calls = [one for one in tables["calls"] if one["state_id"] == newest["state_id"]]
        ids = [str(one["attempt_id"]) for one in sorted(calls, key=_by("call_index"))]
        state = AuditedState(
            state_id=str(newest["state_id"]), token_id=token_id, row_index=row, calls=len(ids)
        )
        return state, ids
