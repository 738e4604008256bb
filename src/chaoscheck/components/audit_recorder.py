"""AuditRecorder: what happens to rows, told to an AuditTrail before and after it happens.

A row costs four transactions: the row, its token and its state; the intent of a call; the end
of the call; the end of the row. Each returns when it is written, so the order of the calls here
is the order of the promises: intent, effect, result. Nothing here is ever guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from chaoscheck.components import audit_statements as sql
from chaoscheck.components.audit_errors import AuditConflict, RowUnstorable
from chaoscheck.components.audit_json import digest_of, stored, stored_as_far_as_possible
from chaoscheck.components.audit_statements import Statement
from chaoscheck.components.audit_states import CallStatus, Outcome, RunEnd
from chaoscheck.components.audit_trail import AuditTrail, Params, Tables
from chaoscheck.components.llm_reply import status_failure
from chaoscheck.components.query import FailureKind
from chaoscheck.world import ambient

__all__ = [
    "ATTEMPT_ID_LENGTH_MAX",
    "AuditRecorder",
    "AuditedCall",
    "AuditedState",
    "CallEnd",
    "CallIntent",
    "KnownRow",
    "Recovered",
]

ATTEMPT_ID_LENGTH_MAX = 200  # characters; a server's ledger keeps no more of a header

_IDS_MAX = 3  # an id source that repeats itself so often is broken


@dataclass(slots=True, kw_only=True)
class AuditedState:
    """A token at a node, for one try: ``calls`` were made for it, ``last_call`` the newest."""

    state_id: str
    token_id: str
    row_index: int
    calls: int = 0
    last_call: AuditedCall | None = None


@dataclass(slots=True, kw_only=True)
class AuditedCall:
    """A call whose intent is written. ``failure_kind`` is None until it failed."""

    attempt_id: str
    failure_kind: FailureKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIntent:
    """A request about to leave. ``attempt_id`` is one that it already carries, or None."""

    method: str
    path: str
    request_digest: str | None
    attempt_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """What was seen of a call.

    *ok* has status, digest and length of the whole body as it came over the wire; *error* and
    *unknown* have them as far as they came, and ``error_type``, a short name.
    """

    status: Literal["ok", "error", "unknown"]
    status_code: int | None = None
    body_digest: str | None = None
    body_length: int | None = None
    error_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRow:
    """A row that the audit holds. ``attempt`` is its newest try; ``outcome`` None: unfinished."""

    token_id: str
    data_digest: str
    attempt: int
    outcome: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a recovery found unfinished: calls now *unknown*, states now *failed*."""

    calls: int
    states: int


class AuditRecorder:
    """Writes the audit of runs to ``trail``. Every method raises AuditError if it cannot."""

    def __init__(
        self,
        trail: AuditTrail,
        *,
        new_id: Callable[[], str] = ambient.new_id,
        utc_now: Callable[[], datetime] = ambient.utc_now,
    ) -> None:
        self.trail = trail
        self._new_id = new_id
        self._utc_now = utc_now

    @classmethod
    def at(cls, path: Path) -> Self:
        """A recorder of the database at ``path``, which is created if it is not there."""
        return cls(AuditTrail.open(path) if path.exists() else AuditTrail.create(path))

    def export(self) -> Tables:
        """All tables as plain rows."""
        return self.trail.export()

    def close(self) -> None:
        """Close the database. Idempotent."""
        self.trail.close()

    # ------------------------------------------------------------------ runs

    def begin_run(self, plugin_name: str) -> tuple[str, str]:
        """Begin a run of one plugin; return (run id, id of its node)."""
        run_id, node_id = self._new_id(), self._new_id()
        run = {
            "run_id": run_id,
            "plugin_name": plugin_name,
            "node_id": node_id,
            "status": "running",
            "started_at": self._now(),
        }
        self.trail.write((sql.ADD_RUN, run))
        return run_id, node_id

    def end_run(self, run_id: str, end: RunEnd = "completed") -> None:
        """End a run. AuditConflict if it has ended, or completes with rows that have not."""
        [(unfinished,)] = self.trail.read(sql.COUNT_UNFINISHED, {"of_run": run_id})
        if end == "completed" and unfinished:
            raise AuditConflict(f"a run completes with 0 unfinished rows, got {unfinished}")
        self.trail.write((sql.END_RUN, {"of_run": run_id, "end": end, "at": self._now()}))

    def known_rows(self, run_id: str) -> dict[int, KnownRow]:
        """The rows of a run that are in the audit, by their index."""
        found = self.trail.read(sql.ROWS_OF_RUN, {"of_run": run_id})
        rows: dict[int, KnownRow] = {}
        for index, _row_id, digest, token_id, attempt, outcome in found:
            assert isinstance(index, int)
            assert isinstance(attempt, int)
            rows[index] = KnownRow(
                token_id=str(token_id),
                data_digest=str(digest),
                attempt=attempt,
                outcome=outcome,  # type: ignore[arg-type]  # the schema admits no other word
            )
        return rows

    def recover(self) -> Recovered:
        """After a crash: pending calls become *unknown*, unfinished states *failed*; idempotent.

        Nobody may be recording at the time. Rows without an outcome are left to be resumed.
        """
        now = self._now()
        calls, states = self.trail.write(
            (sql.UNSEEN_CALLS, {"end": "unknown", "error": "interrupted", "at": now}),
            (sql.INTERRUPT_STATES, {"end": "failed", "why": "interrupted", "at": now}),
        )
        return Recovered(calls=calls, states=states)

    # ------------------------------------------------------------------ rows

    def begin_row(
        self, run_id: str, node_id: str, row_index: int, row: Mapping[str, object]
    ) -> AuditedState:
        """Record a row, its token and the first state of it, before anything is done with it.

        A row that JSON cannot hold is recorded as far as possible, with its terminal outcome and
        an error that names its columns; then RowUnstorable is raised.
        """
        data, refusal = _data_of(row)
        row_id = self._new_id()
        state = self._new_state(self._new_id(), row_index)
        recorded = {
            "row_id": row_id,
            "run_id": run_id,
            "row_index": row_index,
            "data": data,
            "data_digest": digest_of(data.encode()),
            "recorded_at": self._now(),
        }
        self.trail.write(
            (sql.ADD_ROW, recorded),
            (sql.ADD_TOKEN, {"token_id": state.token_id, "row_id": row_id}),
            (sql.ADD_STATE, self._opened(state, node_id, 1)),
        )
        self._admit(state, refusal)
        return state

    def resume_row(
        self, known: KnownRow, node_id: str, row_index: int, row: Mapping[str, object]
    ) -> AuditedState:
        """A new try for a row that has no outcome; raises RowUnstorable as ``begin_row`` does.

        AuditConflict if the row has an outcome, a try under way, or is not the one recorded.
        """
        if known.outcome is not None:
            raise AuditConflict(f"row {row_index} has its outcome: {known.outcome}")
        data, refusal = _data_of(row)
        if digest_of(data.encode()) != known.data_digest:
            raise AuditConflict(f"row {row_index} is not the one that was recorded")
        state = self._new_state(known.token_id, row_index)
        self.trail.write((sql.ADD_TRY, self._opened(state, node_id, known.attempt + 1)))
        self._admit(state, refusal)
        return state

    def complete_row(self, state: AuditedState, result: Mapping[str, object]) -> None:
        """The row succeeded: its terminal outcome, with its result."""
        self._end_row(state, "completed", "completed", None, stored_as_far_as_possible(result))

    def fail_row(
        self, state: AuditedState, error: Mapping[str, object], *, destination: str = "discard"
    ) -> None:
        """The row failed: its terminal outcome, and the details of its error.

        The details name the newest failed call of the state, with its status, kind and body.
        """
        found = self.trail.read(sql.FAILED_CALL, {"of_state": state.state_id})
        attempt_id, status_code, kind, digest = found[0] if found else (None, None, None, None)
        record = {
            "error_id": self._new_id(),
            "token_id": state.token_id,
            "state_id": state.state_id,
            "destination": destination,
            "reason": str(error.get("reason", "unknown")),
            "error_type": str(error.get("error_type", "unknown")),
            "details": stored_as_far_as_possible(error),
            "attempt_id": attempt_id,
            "status_code": status_code,
            "kind": kind,
            "body_digest": digest,
            "recorded_at": self._now(),
        }
        reason = str(record["reason"])
        self._end_row(state, "failed", "failed", reason, None, (sql.ADD_ERROR, record))

    def evict_row(self, state: AuditedState) -> None:
        """The row was given up by whoever submitted it: its terminal outcome."""
        self._end_row(state, "evicted", "failed", "evicted", None)

    # ------------------------------------------------------------------ calls

    def begin_call(self, state: AuditedState, intent: CallIntent) -> AuditedCall:
        """Record that a request is about to leave. Only when this returns may it be sent.

        The call keeps the id that the request carries, unless another call has it already.
        """
        given = intent.attempt_id
        attempt_id = given if given and len(given) <= ATTEMPT_ID_LENGTH_MAX else self._new_id()
        for _ in range(_IDS_MAX):
            try:
                self.trail.write(*self._intent(state, intent, attempt_id))
            except AuditConflict as error:
                conflict = error
                attempt_id = self._new_id()
                continue
            call = AuditedCall(attempt_id=attempt_id)
            state.calls += 1
            state.last_call = call
            return call
        raise conflict

    def end_call(self, call: AuditedCall, end: CallEnd) -> None:
        """Record what became of a call, once."""
        kind = _failure_kind(end)
        record = {
            "of_call": call.attempt_id,
            "end": end.status,
            "at": self._now(),
            "code": end.status_code,
            "digest": end.body_digest,
            "length": end.body_length,
            "error": end.error_type,
            "kind": kind,
        }
        self.trail.write((sql.END_CALL, record))
        call.failure_kind = kind

    def judge_call(self, call: AuditedCall, kind: FailureKind) -> None:
        """Record what kind of failure the caller saw in a call, where a reply alone told none."""
        if call.failure_kind != kind:
            self.trail.write((sql.JUDGE_CALL, {"of_call": call.attempt_id, "kind": kind}))
            call.failure_kind = kind

    # ------------------------------------------------------------------ internal

    def _now(self) -> str:
        return self._utc_now().isoformat()

    def _new_state(self, token_id: str, row_index: int) -> AuditedState:
        return AuditedState(state_id=self._new_id(), token_id=token_id, row_index=row_index)

    def _admit(self, state: AuditedState, refusal: RowUnstorable | None) -> None:
        """Let a recorded row go on, or end it with its ``refusal`` and raise that."""
        if refusal is None:
            return
        error = {
            "reason": "row_unstorable",
            "error_type": type(refusal).__name__,
            "message": str(refusal),
            "fields": refusal.fields,
        }
        self.fail_row(state, error)
        raise refusal

    def _opened(self, state: AuditedState, node_id: str, attempt: int) -> Params:
        return {
            "state_id": state.state_id,
            "token_id": state.token_id,
            "node_id": node_id,
            "attempt": attempt,
            "status": "open",
            "opened_at": self._now(),
        }

    def _intent(
        self, state: AuditedState, intent: CallIntent, attempt_id: str
    ) -> list[tuple[Statement, Params]]:
        status: CallStatus = "pending"
        call = {
            "attempt_id": attempt_id,
            "state_id": state.state_id,
            "call_index": state.calls,
            "status": status,
            "method": intent.method,
            "path": intent.path,
            "request_digest": intent.request_digest,
            "sent_at": self._now(),
        }
        steps: list[tuple[Statement, Params]] = [(sql.ADD_CALL, call)]
        if state.calls == 0:
            steps.append((sql.PEND_STATE, {"of_state": state.state_id}))
        return steps

    def _end_row(
        self,
        state: AuditedState,
        outcome: Outcome,
        end: Literal["completed", "failed"],
        reason: str | None,
        result: str | None,
        *more: tuple[Statement, Params],
    ) -> None:
        now = self._now()
        closed = {"of_state": state.state_id, "end": end, "why": reason, "at": now}
        terminal = {
            "token_id": state.token_id,
            "state_id": state.state_id,
            "outcome": outcome,
            "result": result,
            "recorded_at": now,
        }
        self.trail.write((sql.CLOSE_STATE, closed), *more, (sql.ADD_OUTCOME, terminal))


def _data_of(row: Mapping[str, object]) -> tuple[str, RowUnstorable | None]:
    """The text to keep of a row, and why it is not the whole row if it is not."""
    try:
        return stored(row), None
    except RowUnstorable as refusal:
        return stored_as_far_as_possible(row), refusal


def _failure_kind(end: CallEnd) -> FailureKind | None:
    """What a call's end alone tells: a transport error may be tried again, a status says it."""
    if end.status == "error":
        return "transient"
    if end.status == "unknown" or end.status_code is None:
        return None
    failure = status_failure(end.status_code)
    return None if failure is None else failure[0]
