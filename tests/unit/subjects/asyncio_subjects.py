"""Correct implementations on asyncio, one a kind that waits, for the laws to acquit."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from chaoscheck.components.query import AttemptEvent, QueryError, QueryResult
from chaoscheck.components.reorder_buffer import TicketLine
from chaoscheck.errors import PlanError


class Exhausted(Exception):
    """All attempts failed."""


class SleepingRetry:
    """Waits by the injected sleep alone; takes only coroutine functions; warns of itself."""

    runtime: ClassVar[str] = "asyncio"

    def __init__(
        self,
        attempts: int,
        base_s: float,
        cap_s: float,
        *,
        shape: str,
        uniform: Callable[[float, float], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        if shape not in ("exponential", "full"):
            raise PlanError(shape)
        self.attempts, self.base_s, self.cap_s, self.shape = attempts, base_s, cap_s, shape
        self.uniform, self.sleep = uniform, sleep

    async def call(
        self, fn: Callable[[], Awaitable[Any]], *, retryable: Callable[[Exception], bool]
    ) -> Any:
        """Repeat ``fn``."""
        warnings.warn("call is deprecated", DeprecationWarning, stacklevel=2)
        if not (inspect.iscoroutinefunction(fn) and inspect.iscoroutinefunction(self.sleep)):
            raise TypeError("fn and sleep must be coroutine functions")
        for number in range(self.attempts):
            try:
                return await fn()
            except Exception as error:
                if not retryable(error):
                    raise
                if number + 1 == self.attempts:
                    raise Exhausted from error
            top_s = min(self.cap_s, self.base_s * 2.0**number)
            await self.sleep(self.uniform(0.0, top_s) if self.shape == "full" else top_s)
        return None


class FuturesBuffer:
    """A reorder buffer whose line is of asyncio futures, made and woken on the running loop."""

    runtime: ClassVar[str] = "asyncio"

    def __init__(self, max_pending: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.max_pending = max_pending
        self.line: TicketLine[Any] = TicketLine()
        self.waiting: deque[asyncio.Future[int]] = deque()

    @property
    def outstanding(self) -> Sequence[int]:
        """Live tickets."""
        return self.line.outstanding

    async def reserve(self) -> int:
        """Stand in line behind those who wait."""
        if len(self.line) < self.max_pending:
            return self.line.open()
        place: asyncio.Future[int] = self.loop.create_future()
        self.waiting.append(place)
        try:
            return await place
        except asyncio.CancelledError:
            if place in self.waiting:
                self.waiting.remove(place)
            raise

    def complete(self, ticket: int, value: Any) -> None:
        """ValueError where there is nothing to complete."""
        try:
            self.line.complete(ticket, value)
        except PlanError as error:
            raise ValueError(ticket) from error

    def evict(self, ticket: int) -> bool:
        """Whoever waits comes in."""
        evicted = self.line.evict(ticket)
        self._let_in()
        return evicted

    def take_ready(self) -> list[tuple[int, Any]]:
        """In order."""
        taken = []
        while (ready := self.line.pop_ready()) is not None:
            taken.append(ready)
            self._let_in()
        return taken

    def _let_in(self) -> None:
        assert asyncio.get_running_loop() is self.loop
        while self.waiting and len(self.line) < self.max_pending:
            place = self.waiting.popleft()
            if not place.done():
                place.set_result(self.line.open())


class TaskGroupExecutor:
    """A pool on asyncio's semaphore, timeouts and task group."""

    runtime: ClassVar[str] = "asyncio"

    def __init__(
        self,
        pool_size: int,
        max_seconds: float,
        *,
        throttle: Any,
        retry: Any,
        retry_after_max_s: float,
        on_attempt: Callable[[AttemptEvent], object],
    ) -> None:
        self.slots = asyncio.Semaphore(pool_size)
        self.max_seconds, self.asked_max_s = max_seconds, retry_after_max_s
        self.throttle, self.retry, self.on_attempt = throttle, retry, on_attempt
        self.in_flight, self.closed = 0, False
        self.live: set[asyncio.Task[Any]] = set()

    async def execute_batch(
        self, queries: Sequence[Any], call: Callable[[Any, int], Awaitable[Any]]
    ) -> list[QueryResult[Any]]:
        """One task a query."""
        if not inspect.iscoroutinefunction(call):
            raise TypeError("call must be a coroutine function")
        since_s = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._guarded(query, call, since_s)) for query in queries]
        return [task.result() for task in tasks]

    def close(self) -> None:
        """All at once."""
        self.closed = True
        for task in self.live:
            task.cancel()

    async def _guarded(self, query: Any, call: Any, since_s: float) -> QueryResult[Any]:
        course = _Course(query, call, since_s, since_s + self.max_seconds)
        own = asyncio.create_task(self._run(course))
        self.live.add(own)
        if self.closed:
            own.cancel()
        try:
            return await own
        except asyncio.CancelledError:
            if not self.closed:
                own.cancel()
                raise
            return _failed("executor_closed", course)
        finally:
            self.live.discard(own)

    async def _run(self, course: _Course) -> QueryResult[Any]:
        loop = asyncio.get_running_loop()
        while await self._slot(course.deadline_s):
            attempt = course.next_attempt(loop.time())
            self.in_flight += 1
            try:
                value = await course.call(course.query, course.attempts)
            except QueryError as error:
                course.last = error
            except BaseException:
                self.on_attempt(attempt.ended("abandoned", "abandoned"))
                raise
            else:
                self.throttle.on_success()
                self.on_attempt(attempt.ended("ok", "succeeded"))
                return QueryResult(value=value, attempts=course.attempts)
            finally:
                self.in_flight -= 1
                self.slots.release()
            delay_s = self._delay_s(course, attempt, course.last)
            if delay_s is None:
                exhausted = course.last.retryable
                return _failed("attempts_exhausted" if exhausted else course.last.reason, course)
            await asyncio.sleep(min(delay_s, course.deadline_s - loop.time()))
            if loop.time() >= course.deadline_s:
                break
        elapsed_s = loop.time() - course.since_s
        extra = {"elapsed_seconds": elapsed_s, "max_seconds": self.max_seconds}
        return _failed("retry_timeout", course, extra)

    async def _slot(self, deadline_s: float) -> bool:
        try:
            async with asyncio.timeout_at(deadline_s):
                await self.slots.acquire()
        except TimeoutError:
            return False
        if asyncio.get_running_loop().time() < deadline_s:
            return True
        self.slots.release()
        return False

    def _delay_s(self, course: _Course, attempt: _Attempt, error: QueryError) -> float | None:
        """How long to wait after ``error``; None: no more."""
        if error.capacity:
            self.throttle.on_capacity_error()
            own_s = self.throttle.current_delay_ms / 1000
        else:
            course.failures += 1
            if not error.retryable or course.failures >= self.retry.attempts:
                self.on_attempt(attempt.ended(error.kind, "failed", error))
                return None
            own_s = course.previous_s = self.retry.delay_s(course.failures, course.previous_s)
        asked_s = error.retry_after_s
        obeys = asked_s is not None and own_s < asked_s <= self.asked_max_s
        delay_s = asked_s if obeys else own_s
        self.on_attempt(attempt.ended(error.kind, "retry", error, (own_s, delay_s)))
        return delay_s


@dataclass(slots=True)
class _Course:
    """How far a query has come."""

    query: Any
    call: Any
    since_s: float
    deadline_s: float
    attempts: int = 0
    failures: int = 0
    previous_s: float = 0.0
    last: QueryError | None = None

    def next_attempt(self, now_s: float) -> _Attempt:
        """One more."""
        self.attempts += 1
        return _Attempt(self.query, self.attempts, self.since_s, now_s)


class _Attempt:
    """An attempt under way."""

    def __init__(self, query: Any, number: int, submitted_s: float, started_s: float) -> None:
        self.known = {
            "query": query,
            "number": number,
            "submitted_s": submitted_s,
            "started_s": started_s,
        }

    def ended(
        self,
        outcome: str,
        next_step: str,
        error: QueryError | None = None,
        delays_s: tuple[float | None, float | None] = (None, None),
    ) -> AttemptEvent:
        """What a listener hears."""
        return AttemptEvent(
            **self.known,
            ended_s=asyncio.get_running_loop().time(),
            outcome=outcome,  # type: ignore[arg-type]
            status_code=None if error is None else error.status_code,
            retry_after_s=None if error is None else error.retry_after_s,
            own_delay_s=delays_s[0],
            delay_s=delays_s[1],
            why=None,
            next_step=next_step,  # type: ignore[arg-type]
        )


def _failed(reason: str, course: _Course, extra: dict[str, Any] | None = None) -> QueryResult[Any]:
    error = {
        "reason": reason,
        "error_type": reason,
        "message": reason,
        "status_code": None if course.last is None else course.last.status_code,
    }
    return QueryResult(error=error | (extra or {}), attempts=course.attempts)
