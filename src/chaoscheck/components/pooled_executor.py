"""PooledExecutor: many queries, few in flight, each retried until its deadline.

A query waits for a slot, makes one attempt in it, gives the slot back, and then ends or backs
off and starts over; so a waiting query never keeps others from working. Small synchronous
methods decide everything (``_after_failure`` and what it calls); the async ones only wait.
The deadline counts from submission and bounds when an attempt may *start*: one that already
runs may end later, and its success counts. Slots are handed out first come, first served.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import trio

from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.components.number_limits import require_above, require_at_least, require_whole
from chaoscheck.components.query import (
    AttemptEvent,
    AttemptOutcome,
    DelayReason,
    NextStep,
    QueryError,
    QueryResult,
)
from chaoscheck.components.retry import Retry

__all__ = ["Backoff", "PooledExecutor", "QueryCourse"]

Q = TypeVar("Q")
V = TypeVar("V")

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class QueryCourse(Generic[Q]):
    """How far one query has come. Times in seconds on trio's clock.

    ``failures`` counts the attempts that failed for another reason than capacity, ``previous_s``
    is the last own delay after such a failure.
    """

    query: Q
    submitted_s: float
    deadline_s: float
    attempts: int = 0
    failures: int = 0
    previous_s: float = 0.0
    last_error: QueryError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Wait before the next attempt: ``delay_s`` seconds, chosen over ``own_s`` as ``why`` says."""

    own_s: float
    delay_s: float
    why: DelayReason


class PooledExecutor:
    """Runs queries with at most ``pool_size`` attempts in flight.

    Capacity errors wait for the throttle's delay and are retried until the deadline,
    ``max_capacity_retry_seconds`` after submission. Transient errors wait for ``retry``'s
    delays, and the query fails with the ``retry.attempts``-th of them. A server's Retry-After
    of at most ``retry_after_max_s`` seconds is a lower bound of either delay.
    """

    def __init__(
        self,
        pool_size: int,
        max_capacity_retry_seconds: float,
        *,
        throttle: AimdThrottle | None = None,
        retry: Retry | None = None,
        retry_after_max_s: float = 120.0,
        on_attempt: Callable[[AttemptEvent], object] | None = None,
    ) -> None:
        """Raise PlanError when a size or a time is illegal."""
        require_whole("pool_size", pool_size, 1)
        require_above("max_capacity_retry_seconds", max_capacity_retry_seconds, 0)
        require_at_least("retry_after_max_s", retry_after_max_s, 0)
        self.pool_size = pool_size
        self.max_capacity_retry_seconds = float(max_capacity_retry_seconds)
        self.retry_after_max_s = float(retry_after_max_s)
        self.throttle = throttle if throttle is not None else AimdThrottle()
        self.retry = retry if retry is not None else Retry(5, 0.5, 8.0)
        self._on_attempt = on_attempt
        self._slots = trio.Semaphore(pool_size)
        self._in_flight = 0
        self._live: set[trio.CancelScope] = set()
        self._closed = False

    @property
    def in_flight(self) -> int:
        """Attempts that run now."""
        return self._in_flight

    def deadline_s(self, submitted_s: float) -> float:
        """When a query submitted at ``submitted_s`` may no longer start an attempt."""
        return submitted_s + self.max_capacity_retry_seconds

    async def execute_batch(
        self, queries: Sequence[Q], call: Callable[[Q, int], Awaitable[V]]
    ) -> list[QueryResult[V]]:
        """Run all ``queries`` and return one result each, in the order given."""
        submitted_s = trio.current_time()
        results: dict[int, QueryResult[V]] = {}

        async def run(index: int, query: Q) -> None:
            results[index] = await self.execute(query, call, submitted_s=submitted_s)

        async with trio.open_nursery() as nursery:
            for index, query in enumerate(queries):
                nursery.start_soon(run, index, query)
        return [results[index] for index in range(len(queries))]

    async def execute(
        self,
        query: Q,
        call: Callable[[Q, int], Awaitable[V]],
        *,
        submitted_s: float | None = None,
    ) -> QueryResult[V]:
        """Run one query: await ``call(query, attempt_number)`` until it succeeds or is given up.

        ``call`` reports failure by raising QueryError; any other exception is a mistake in
        ``call`` and propagates. The deadline counts from ``submitted_s`` (default: now).
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        since_s = trio.current_time() if submitted_s is None else submitted_s
        course = QueryCourse(query=query, submitted_s=since_s, deadline_s=self.deadline_s(since_s))
        if self._closed:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return self._given_up(course, "executor_closed")
        with trio.CancelScope() as scope:
            self._live.add(scope)
            try:
                return await self._run(course, call)
            finally:
                self._live.discard(scope)
        return self._given_up(course, "executor_closed")

    def close(self) -> None:
        """Give up every live query at once, with reason ``executor_closed``; idempotent.

        Queries that sleep, wait for a slot or run an attempt are all cancelled, and later ones
        get the same result without an attempt.
        """
        self._closed = True
        for scope in self._live:
            scope.cancel()

    async def _run(
        self, course: QueryCourse[Q], call: Callable[[Q, int], Awaitable[V]]
    ) -> QueryResult[V]:
        while await self._take_slot(course):
            try:
                # A slot is granted in a shielded checkpoint: who was cancelled meanwhile would
                # else begin one more attempt, up to the first place where it can be stopped.
                await trio.lowlevel.checkpoint_if_cancelled()
                step = await self._attempt(course, call)
            finally:
                self._slots.release()
            if isinstance(step, QueryResult):
                return step
            await self._back_off(course, step)
        return self._timed_out(course)

    async def _take_slot(self, course: QueryCourse[Q]) -> bool:
        """Wait for a slot; False, and no slot taken, when the deadline came first."""
        taken = False
        with trio.CancelScope(deadline=course.deadline_s):
            await self._slots.acquire()
            taken = True
        if taken and not self._may_start(course):
            self._slots.release()
            return False
        return taken

    async def _attempt(
        self, course: QueryCourse[Q], call: Callable[[Q, int], Awaitable[V]]
    ) -> QueryResult[V] | Backoff:
        """One attempt, in a slot: the result of the query, or how long to back off."""
        course.attempts += 1
        started_s = trio.current_time()
        self._in_flight += 1
        try:
            value = await call(course.query, course.attempts)
        except QueryError as error:
            return self._after_failure(course, started_s, error)
        except BaseException:
            self._tell(course, started_s, outcome="abandoned", next_step="abandoned")
            raise
        finally:
            self._in_flight -= 1
        self.throttle.on_success()
        self._tell(course, started_s, outcome="ok", next_step="succeeded")
        return QueryResult(value=value, attempts=course.attempts)

    async def _back_off(self, course: QueryCourse[Q], backoff: Backoff) -> None:
        """Wait for the backoff, or for the deadline where that comes first."""
        started_s = trio.current_time()
        try:
            await trio.sleep_until(min(started_s + backoff.delay_s, course.deadline_s))
        finally:
            if course.last_error is not None and course.last_error.capacity:
                waited_s = max(0.0, trio.current_time() - started_s)
                self.throttle.record_wait(waited_s * 1000)

    def _after_failure(
        self, course: QueryCourse[Q], started_s: float, error: QueryError
    ) -> QueryResult[V] | Backoff:
        """Decide what follows a failed attempt that started at ``started_s``."""
        course.last_error = error
        if error.capacity:
            self.throttle.on_capacity_error()
        else:
            course.failures += 1
        if not self._may_retry(course, error):
            exhausted = error.retryable
            next_step: NextStep = "attempts_exhausted" if exhausted else "failed"
            self._tell(course, started_s, outcome=error.kind, next_step=next_step)
            return self._given_up(course, "attempts_exhausted" if exhausted else error.reason)
        backoff = self._next_delay(self._own_delay_s(course, error), error)
        reaches = trio.current_time() + backoff.delay_s >= course.deadline_s
        next_step = "retry_timeout" if reaches else "retry"
        self._tell(course, started_s, outcome=error.kind, next_step=next_step, backoff=backoff)
        return backoff

    def _may_start(self, course: QueryCourse[Q]) -> bool:
        return trio.current_time() < course.deadline_s

    def _may_retry(self, course: QueryCourse[Q], error: QueryError) -> bool:
        if error.capacity:
            return True
        return error.retryable and course.failures < self.retry.attempts

    def _own_delay_s(self, course: QueryCourse[Q], error: QueryError) -> float:
        """The own backoff in seconds, before looking at Retry-After."""
        if error.capacity:
            return self.throttle.current_delay_ms / 1000
        course.previous_s = self.retry.delay_s(course.failures, course.previous_s)
        return course.previous_s

    def _next_delay(self, own_s: float, error: QueryError) -> Backoff:
        """The own backoff, raised to an intelligible and not absurd Retry-After."""
        asked_s = error.retry_after_s
        # The comparison is written so that NaN, too, counts as absurd.
        if asked_s is not None and own_s < asked_s <= self.retry_after_max_s:
            return Backoff(own_s=own_s, delay_s=asked_s, why="retry_after")
        return Backoff(own_s=own_s, delay_s=own_s, why="aimd" if error.capacity else "retry")

    def _timed_out(self, course: QueryCourse[Q]) -> QueryResult[V]:
        last = course.last_error
        error: dict[str, object] = {
            "reason": "retry_timeout",
            "error_type": "never_started" if last is None else last.error_type,
            "message": (
                f"no success within {self.max_capacity_retry_seconds} s and "
                f"{course.attempts} attempts; last error: {last}"
            ),
            "elapsed_seconds": trio.current_time() - course.submitted_s,
            "max_seconds": self.max_capacity_retry_seconds,
            "status_code": None if last is None else last.status_code,
        }
        return QueryResult(error=error, attempts=course.attempts)

    def _given_up(self, course: QueryCourse[Q], reason: str) -> QueryResult[V]:
        last = course.last_error
        error: dict[str, object] = {
            "reason": reason,
            "error_type": reason if last is None else last.error_type,
            "message": f"{reason} after {course.attempts} attempts; last error: {last}",
            "status_code": None if last is None else last.status_code,
        }
        return QueryResult(error=error, attempts=course.attempts)

    def _tell(
        self,
        course: QueryCourse[Q],
        started_s: float,
        *,
        outcome: AttemptOutcome,
        next_step: NextStep,
        backoff: Backoff | None = None,
    ) -> None:
        """Tell the listener of an attempt that ends now. A listener that raises is logged."""
        if self._on_attempt is None:
            return
        error = course.last_error if outcome in ("capacity", "transient", "permanent") else None
        event = AttemptEvent(
            query=course.query,
            number=course.attempts,
            submitted_s=course.submitted_s,
            started_s=started_s,
            ended_s=trio.current_time(),
            outcome=outcome,
            status_code=None if error is None else error.status_code,
            retry_after_s=None if error is None else error.retry_after_s,
            own_delay_s=None if backoff is None else backoff.own_s,
            delay_s=None if backoff is None else backoff.delay_s,
            why=None if backoff is None else backoff.why,
            next_step=next_step,
        )
        try:
            self._on_attempt(event)
        except Exception:
            _log.exception("a listener raised on %r; the query goes on", event)
