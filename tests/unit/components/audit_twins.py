"""Wrong audits, each built like the right one but for one part. The law: laws of A, AuditTrail.

``law`` is the name that the verdict gives to the breach. ``given_up`` twins show only when a row
is evicted while its call is under way; all others when a process lives, or dies and lives again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from chaoscheck.components import audit_statements as sql
from chaoscheck.components.audit_recorder import (
    AuditedCall,
    AuditedState,
    AuditRecorder,
    CallEnd,
    CallIntent,
    Recovered,
)
from chaoscheck.components.audit_statements import ALL_OF, Statement
from chaoscheck.components.audit_trail import AuditSettings, AuditTrail, Params
from chaoscheck.components.audited_calls import ATTEMPT_ID_HEADER
from chaoscheck.components.audited_run import AuditedOutputPort
from chaoscheck.components.audited_transport import AuditedTransport
from chaoscheck.components.query import AttemptEvent
from properties.audited_process import Parts

__all__ = ["AUDIT_TWINS", "AuditTwin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTwin:
    """One wrong part, what it breaks, and the law that must notice."""

    name: str
    what: str
    parts: Parts
    law: str
    given_up: bool = False


class IntentAfterTheEffect(AuditRecorder):
    """Breaks "the intent is written before the effect": writes it when the call has ended."""

    def begin_call(self, state: AuditedState, intent: CallIntent) -> AuditedCall:
        call = AuditedCall(attempt_id=self._new_id())
        late: dict[str, Any] = self.__dict__.setdefault("late", {})
        late[call.attempt_id] = (state, intent)
        state.last_call = call
        return call

    def end_call(self, call: AuditedCall, end: CallEnd) -> None:
        state, intent = self.__dict__["late"].pop(call.attempt_id)
        super().begin_call(state, replace(intent, attempt_id=call.attempt_id))
        state.last_call = call
        super().end_call(call, end)


class OnlyTheFirstAttempt(AuditedTransport):
    """Breaks "so an SDK's own retries become calls too": a state's later calls go unaudited."""

    async def handle_async_request(self, request: Any) -> Any:
        key = request.headers["Idempotency-Key"]
        seen: set[str] = self.__dict__.setdefault("seen", set())
        if key in seen:
            return await self._inner.handle_async_request(request)
        seen.add(key)
        return await super().handle_async_request(request)


class SendsTheOldId(AuditedTransport):
    """Breaks "each attempt carries an attempt id": a retry carries the id of the first one."""

    async def handle_async_request(self, request: Any) -> Any:
        ids: dict[str, str] = self.__dict__.setdefault("ids", {})
        response_of = self._inner.handle_async_request

        async def with_old_id(sent: Any) -> Any:
            key = sent.headers["Idempotency-Key"]
            sent.headers[ATTEMPT_ID_HEADER] = ids.setdefault(key, sent.headers[ATTEMPT_ID_HEADER])
            return await response_of(sent)

        self._inner.handle_async_request = with_old_id  # type: ignore[method-assign]
        try:
            return await super().handle_async_request(request)
        finally:
            self._inner.handle_async_request = response_of  # type: ignore[method-assign]


class LeavesItPending(AuditedTransport):
    """Breaks "nothing is pending at rest": a cancelled call is never ended."""

    def _leave(self, call: AuditedCall) -> None:
        pass


class ErrorOfAnotherAttempt(AuditRecorder):
    """Breaks "stored error details equal the injected fault": stores the oldest failed call's."""

    def fail_row(
        self, state: AuditedState, error: Mapping[str, object], *, destination: str = "discard"
    ) -> None:
        oldest_first = Statement(sql=sql.FAILED_CALL.sql.replace(" DESC", " ASC"))
        newest_first, sql.FAILED_CALL = sql.FAILED_CALL, oldest_first
        try:
            super().fail_row(state, error, destination=destination)
        finally:
            sql.FAILED_CALL = newest_first


class WithoutItsIndex(AuditTrail):
    """A trail whose schema admits two outcomes."""

    @classmethod
    def create(cls, path: Path, *, settings: AuditSettings | None = None) -> Self:
        trail = super().create(path, settings=settings)
        columns = ", ".join(ALL_OF["token_outcomes"][0])
        trail._connection.execute("DROP TABLE token_outcomes")
        trail._connection.execute(f"CREATE TABLE token_outcomes ({columns})")
        return trail


class OutcomeTwice(AuditRecorder):
    """Breaks "exactly one terminal outcome per token"."""

    def _end_row(self, state: AuditedState, *end: Any) -> None:
        super()._end_row(state, *end)
        again = {"token_id": state.token_id, "state_id": state.state_id, "outcome": end[0]}
        self.trail.write((sql.ADD_OUTCOME, again | {"result": None, "recorded_at": self._now()}))


class LosesTheLastRow(AuditTrail):
    """Breaks "reopening shows the last commit": the log is taken for a leftover and removed."""

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        settings: AuditSettings | None = None,
        mode: Literal["rw", "ro"] = "rw",
    ) -> Self:
        path.with_name(path.name + "-wal").unlink(missing_ok=True)
        return super().open(path, settings=settings, mode=mode)


class GuessesWhatBecameOfIt(AuditRecorder):
    """Breaks "pending calls become unknown (never guessed)": says that they went well."""

    def recover(self) -> Recovered:
        self.trail.write((sql.UNSEEN_CALLS, {"end": "ok", "error": None, "at": self._now()}))
        return super().recover()


class ForgetsTheError(AuditRecorder):
    """Breaks "every failed row has its error": the outcome alone is written."""

    def _end_row(self, state: AuditedState, *end: Any) -> None:
        super()._end_row(state, *end[:4])


class DigestsTooLittle(AuditRecorder):
    """Breaks "with the same body digest": stores the digest of an empty body."""

    def end_call(self, call: AuditedCall, end: CallEnd) -> None:
        super().end_call(call, replace(end, body_digest="e3b0c442"))


class RecordsSomeRows(AuditRecorder):
    """Breaks "rows in = terminal outcomes out": the second row's outcome is never written."""

    def _end_row(self, state: AuditedState, *end: Any) -> None:
        if state.row_index != 1:
            super()._end_row(state, *end)


class WritesTheResultFirst(AuditRecorder):
    """Breaks "a call ends once": says that the call went well before anything was sent."""

    def begin_call(self, state: AuditedState, intent: CallIntent) -> AuditedCall:
        call = super().begin_call(state, intent)
        super().end_call(call, CallEnd(status="ok", status_code=200))
        return call

    def end_call(self, call: AuditedCall, end: CallEnd) -> None:
        pass


class SaysNothingOfEvictions(AuditedOutputPort):
    """Breaks "every row has exactly one terminal outcome": evicted rows have none."""

    def evicted(self, ticket: int) -> None:
        self._take(ticket)


class HalfATransaction(AuditTrail):
    """Breaks "written whole or not at all": every statement is its own transaction."""

    def write(self, *steps: tuple[Statement, Params]) -> list[int]:
        return [changed for one in steps for changed in super(HalfATransaction, self).write(one)]


def never_judging(_recorder: AuditRecorder) -> Callable[[AttemptEvent], None]:
    """Breaks "details equal the fault (kind)": nobody says that a whole 200 was a failure."""
    return lambda _event: None


def _twin(name: str, law: str, *, given_up: bool = False, **parts: Any) -> AuditTwin:
    [*_, wrong] = parts.values()
    what = (wrong.__doc__ or "").splitlines()[0]
    return AuditTwin(name=name, what=what, law=law, given_up=given_up, parts=Parts(**parts))


AUDIT_TWINS = (
    _twin("audit row written after the effect", "ledger_in_audit", recorder=IntentAfterTheEffect),
    _twin("an attempt of the SDK missing", "ledger_in_audit", transport=OnlyTheFirstAttempt),
    _twin(
        "error details of another attempt", "error_of_its_own_call", recorder=ErrorOfAnotherAttempt
    ),
    _twin(
        "outcome written twice", "one_outcome_per_row", trail=WithoutItsIndex,
        recorder=OutcomeTwice,
    ),
    _twin("reopen loses the last row", "ledger_in_audit", trail=LosesTheLastRow),
    _twin("a retry under the old id", "one_entry_per_call", transport=SendsTheOldId),
    _twin("recovery guesses", "ok_call_was_sent", recorder=GuessesWhatBecameOfIt),
    _twin("the error is forgotten", "one_error_per_failed_row", recorder=ForgetsTheError),
    _twin("the digest is another's", "ok_call_was_sent", recorder=DigestsTooLittle),
    _twin("an outcome is missing", "one_outcome_per_row", recorder=RecordsSomeRows),
    _twin("ok before it was sent", "ok_call_was_sent", recorder=WritesTheResultFirst),
    _twin("a defective 200 unjudged", "status_as_the_row_saw_it", judging=never_judging),
    _twin("half a transaction", "contradicts one that is there", trail=HalfATransaction),
    _twin("a cancelled call pending", "no_call_pending", transport=LeavesItPending, given_up=True),
    _twin(
        "evictions unrecorded", "one_outcome_per_row", port=SaysNothingOfEvictions, given_up=True
    ),
)  # fmt: skip
