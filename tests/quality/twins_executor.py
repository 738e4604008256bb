"""Wrong pools. The law: laws of A, PooledExecutor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

import trio

from chaoscheck.components.pooled_executor import Backoff, PooledExecutor, QueryCourse
from chaoscheck.components.query import QueryError, QueryResult
from properties.test_pooled_executor import ExecutorCourse
from tests.quality.planted_bug import PlantedBug

__all__ = ["EXECUTOR_BUGS"]

Call = Callable[[Any, int], Awaitable[Any]]


class StartsAtTheDeadline(PooledExecutor):
    """Breaks "no attempt starts at or after it": only the first attempt looks at the deadline."""

    async def _take_slot(self, course: QueryCourse[Any]) -> bool:
        if course.attempts == 0:
            return await super()._take_slot(course)
        await self._slots.acquire()
        return True


class HoldsItsSlot(PooledExecutor):
    """Breaks "the slot is free while a query backs off"."""

    async def _run(self, course: QueryCourse[Any], call: Call) -> QueryResult[Any]:
        if not await self._take_slot(course):
            return self._timed_out(course)
        try:
            while self._may_start(course):
                step = await self._attempt(course, call)
                if isinstance(step, QueryResult):
                    return step
                await self._back_off(course, step)
        finally:
            self._slots.release()
        return self._timed_out(course)


class LosesASlot(PooledExecutor):
    """Breaks "not serialised": an attempt that is cancelled never gives its slot back."""

    async def _run(self, course: QueryCourse[Any], call: Call) -> QueryResult[Any]:
        while await self._take_slot(course):
            step = await self._attempt(course, call)
            self._slots.release()
            if isinstance(step, QueryResult):
                return step
            await self._back_off(course, step)
        return self._timed_out(course)


class TakesItsSlotAgainAnyway(PooledExecutor):
    """Breaks "not serialised": who wakes takes a slot first, and keeps it if it was cancelled."""

    async def _back_off(self, course: QueryCourse[Any], backoff: Backoff) -> None:
        try:
            await super()._back_off(course, backoff)
        finally:
            taken = self._slots.value > 0
            if taken:
                self._slots.acquire_nowait()
        if taken:
            self._slots.release()


class OneByOne(PooledExecutor):
    """Breaks "Not serialised": a batch is worked off one query at a time."""

    async def execute_batch(self, queries: Sequence[Any], call: Call) -> list[QueryResult[Any]]:
        since_s = trio.current_time()
        return [await self.execute(query, call, submitted_s=since_s) for query in queries]


class FirstDoneFirstOut(PooledExecutor):
    """Breaks "one result per query, in order": results stand in the order of finishing."""

    async def execute_batch(self, queries: Sequence[Any], call: Call) -> list[QueryResult[Any]]:
        submitted_s = trio.current_time()
        results: list[QueryResult[Any]] = []

        async def run(query: Any) -> None:
            results.append(await self.execute(query, call, submitted_s=submitted_s))

        async with trio.open_nursery() as nursery:
            for query in queries:
                nursery.start_soon(run, query)
        return results


class OneSlotTooMany(PooledExecutor):
    """Breaks "at most pool_size in flight"."""

    def __init__(self, pool_size: int, max_capacity_retry_seconds: float, **rest: Any) -> None:
        super().__init__(pool_size, max_capacity_retry_seconds, **rest)
        self._slots = trio.Semaphore(pool_size + 1)


class LetsSleepersSleep(PooledExecutor):
    """Breaks "closing cancels sleeping queries at once": it only refuses new ones."""

    def close(self) -> None:
        self._closed = True


class SleepsPastTheDeadline(PooledExecutor):
    """Breaks "if now + delay >= deadline, it sleeps to the deadline and gives retry_timeout"."""

    async def _back_off(self, course: QueryCourse[Any], backoff: Backoff) -> None:
        await trio.sleep(backoff.delay_s)


class ForgetsWhenItBegan(PooledExecutor):
    """Breaks "the result is retry_timeout {elapsed_seconds, ...}": it tells the time of day."""

    def _timed_out(self, course: QueryCourse[Any]) -> QueryResult[Any]:
        result: QueryResult[Any] = super()._timed_out(course)
        error = {**(result.error or {}), "elapsed_seconds": trio.current_time()}
        return QueryResult(error=error, attempts=result.attempts)


class CountsEveryAttempt(PooledExecutor):
    """Breaks "base * 2^(i-1)" after the i-th failure: refusals make the delay grow as well."""

    def _own_delay_s(self, course: QueryCourse[Any], error: QueryError) -> float:
        if error.capacity:
            return super()._own_delay_s(course, error)
        return self.retry.delay_s(course.attempts, course.previous_s)


class UsesUpAttemptsOnRefusals(PooledExecutor):
    """Breaks "past the deadline the result is retry_timeout": refusals use up attempts."""

    def _may_retry(self, course: QueryCourse[Any], error: QueryError) -> bool:
        return error.retryable and course.attempts < self.retry.attempts


class TrustsAnyRetryAfter(PooledExecutor):
    """Breaks "above retry_after_max_s it is absurd": whatever the server asks for is obeyed."""

    def _next_delay(self, own_s: float, error: QueryError) -> Backoff:
        return Backoff(own_s=own_s, delay_s=max(own_s, error.retry_after_s or 0.0), why="retry")


class TellsOnlySuccess(PooledExecutor):
    """Breaks "every attempt is in the audit": what is given up for good is not told."""

    def _tell(self, course: QueryCourse[Any], started_s: float, **how: Any) -> None:
        if how["next_step"] != "failed":
            super()._tell(course, started_s, **how)


class StartsAtTheDeadlineCourse(ExecutorCourse):
    """A pool that is late by an instant."""

    executor_type: ClassVar[type[PooledExecutor]] = StartsAtTheDeadline


class HoldsItsSlotCourse(ExecutorCourse):
    """A pool whose sleepers keep others from working."""

    executor_type: ClassVar[type[PooledExecutor]] = HoldsItsSlot


class LosesASlotCourse(ExecutorCourse):
    """A pool that shrinks with each cancellation."""

    executor_type: ClassVar[type[PooledExecutor]] = LosesASlot


class TakesItsSlotAgainAnywayCourse(ExecutorCourse):
    """A pool that shrinks when a sleeper is cancelled."""

    executor_type: ClassVar[type[PooledExecutor]] = TakesItsSlotAgainAnyway


class OneByOneCourse(ExecutorCourse):
    """A pool that is none."""

    executor_type: ClassVar[type[PooledExecutor]] = OneByOne


class FirstDoneFirstOutCourse(ExecutorCourse):
    """A pool that mixes up results."""

    executor_type: ClassVar[type[PooledExecutor]] = FirstDoneFirstOut


class OneSlotTooManyCourse(ExecutorCourse):
    """A pool that is too large."""

    executor_type: ClassVar[type[PooledExecutor]] = OneSlotTooMany


class LetsSleepersSleepCourse(ExecutorCourse):
    """A pool that closes slowly."""

    executor_type: ClassVar[type[PooledExecutor]] = LetsSleepersSleep


class SleepsPastTheDeadlineCourse(ExecutorCourse):
    """A pool that gives up late."""

    executor_type: ClassVar[type[PooledExecutor]] = SleepsPastTheDeadline


class ForgetsWhenItBeganCourse(ExecutorCourse):
    """A pool whose time-outs lie."""

    executor_type: ClassVar[type[PooledExecutor]] = ForgetsWhenItBegan


class CountsEveryAttemptCourse(ExecutorCourse):
    """A pool whose backoff grows too fast."""

    executor_type: ClassVar[type[PooledExecutor]] = CountsEveryAttempt


class UsesUpAttemptsOnRefusalsCourse(ExecutorCourse):
    """A pool that gives up too early."""

    executor_type: ClassVar[type[PooledExecutor]] = UsesUpAttemptsOnRefusals


class TrustsAnyRetryAfterCourse(ExecutorCourse):
    """A pool that can be put to sleep."""

    executor_type: ClassVar[type[PooledExecutor]] = TrustsAnyRetryAfter


class TellsOnlySuccessCourse(ExecutorCourse):
    """A pool with gaps in its log."""

    executor_type: ClassVar[type[PooledExecutor]] = TellsOnlySuccess


FREE_SLOT_LAWS = (
    "a_gate_that_waits_for_a_full_pool_lets_everybody_through",
    "nobody_waits_beside_a_free_slot",
)

EXECUTOR_BUGS: tuple[PlantedBug, ...] = (
    PlantedBug(
        name="pool-retries-at-the-deadline",
        what="A retry starts in the very instant of the deadline.",
        machine=StartsAtTheDeadlineCourse,
        sound=ExecutorCourse,
        laws=(
            "the_log_of_attempts_is_lawful",
            "past_its_deadline_a_query_lives_only_in_an_attempt",
        ),
        # Build, submit a query that is refused and asked to wait up to the deadline.
        smallest_known_steps=2,
        shows=("fails_",),
    ),
    PlantedBug(
        name="pool-holds-its-slot",
        what="A query that backs off keeps its slot.",
        machine=HoldsItsSlotCourse,
        sound=ExecutorCourse,
        laws=("nobody_waits_beside_a_free_slot", "the_log_of_attempts_is_lawful"),
        # Build with one slot, submit two queries of which the first is refused.
        smallest_known_steps=2,
        shows=("fails_",),
    ),
    PlantedBug(
        name="pool-loses-a-slot",
        what="A cancelled attempt never gives its slot back.",
        machine=LosesASlotCourse,
        sound=ExecutorCourse,
        laws=FREE_SLOT_LAWS,
        # Build with one slot, submit a query that takes time, settle, stop it, send one to a gate.
        smallest_known_steps=5,
        shows=(".cancel",),
    ),
    PlantedBug(
        name="pool-cancelled-sleeper-keeps-a-slot",
        what="A query that is cancelled while it backs off takes a slot with it.",
        machine=TakesItsSlotAgainAnywayCourse,
        sound=ExecutorCourse,
        budget=500,
        laws=FREE_SLOT_LAWS,
        # Build with one slot, submit a query that is refused, settle, cancel it, submit another.
        smallest_known_steps=5,
        shows=("fails_", ".cancel"),
    ),
    PlantedBug(
        name="pool-works-one-by-one",
        what="A batch is worked off one query after the other.",
        machine=OneByOneCourse,
        sound=ExecutorCourse,
        laws=FREE_SLOT_LAWS,
        # Build with two slots, and send two queries to a gate, or submit two.
        smallest_known_steps=2,
        shows=("pool_size=",),
    ),
    PlantedBug(
        name="pool-mixes-up-results",
        what="Results stand in the order in which they came.",
        machine=FirstDoneFirstOutCourse,
        sound=ExecutorCourse,
        laws=("each_query_has_one_result_in_its_place",),
        # Build with two slots, submit two queries of which the first takes longer. A gate and a
        # hold of one of its queries show it as well, in a line more.
        smallest_known_steps=2,
    ),
    PlantedBug(
        name="pool-has-one-slot-too-many",
        what="One attempt more than pool_size is in flight.",
        machine=OneSlotTooManyCourse,
        sound=ExecutorCourse,
        laws=("never_more_than_the_pool_size_in_flight",),
        # Build with one slot, and send two queries to a gate.
        smallest_known_steps=2,
        shows=("pool_size=1",),
    ),
    PlantedBug(
        name="pool-lets-sleepers-sleep",
        what="Closing leaves queries that back off, or run, as they are.",
        machine=LetsSleepersSleepCourse,
        sound=ExecutorCourse,
        laws=("closing_and_cancelling_end_everything_at_once",),
        # Build, submit a query that takes time, settle, close.
        smallest_known_steps=4,
        shows=("state.close_the_pool()",),
    ),
    PlantedBug(
        name="pool-sleeps-past-the-deadline",
        what="A backoff goes on beyond the deadline.",
        machine=SleepsPastTheDeadlineCourse,
        sound=ExecutorCourse,
        # The latter when it is seen only at the end of the story, where it is over.
        laws=(
            "past_its_deadline_a_query_lives_only_in_an_attempt",
            "a_time_out_says_how_long_and_why",
        ),
        # Build, submit a query that is refused and asked to wait for longer.
        smallest_known_steps=2,
        shows=("Retry-After: ",),
    ),
    PlantedBug(
        name="pool-forgets-when-it-began",
        what="A time-out reports the clock instead of the time that has passed.",
        machine=ForgetsWhenItBeganCourse,
        sound=ExecutorCourse,
        laws=("a_time_out_says_how_long_and_why",),
        # Build, time passes, submit a query whose refusal comes too late.
        smallest_known_steps=3,
        shows=("state.submit(",),
    ),
    PlantedBug(
        name="pool-counts-every-attempt",
        what="The delay after a failure grows with refusals too.",
        machine=CountsEveryAttemptCourse,
        sound=ExecutorCourse,
        laws=("own_delays_are_exact",),
        # Build with two failures allowed, submit one that is refused and then fails.
        smallest_known_steps=2,
        shows=("fails_500(",),
    ),
    PlantedBug(
        name="pool-gives-up-on-refusals",
        what="Refusals for lack of capacity use up the attempts of a query.",
        machine=UsesUpAttemptsOnRefusalsCourse,
        sound=ExecutorCourse,
        laws=("each_query_ends_as_its_attempts_say", "own_delays_are_exact"),
        # Build with one attempt, submit a query that is refused.
        smallest_known_steps=2,
        shows=("fails_",),
    ),
    PlantedBug(
        name="pool-trusts-any-retry-after",
        what="An absurd Retry-After is obeyed.",
        machine=TrustsAnyRetryAfterCourse,
        sound=ExecutorCourse,
        laws=("the_log_of_attempts_is_lawful",),
        # Build, submit a query that is refused and asked to wait for more than is sane.
        smallest_known_steps=2,
        shows=("Retry-After: ",),
    ),
    PlantedBug(
        name="pool-tells-only-success",
        what="Attempts that fail for good are missing in the log.",
        machine=TellsOnlySuccessCourse,
        sound=ExecutorCourse,
        laws=("listeners_hear_of_every_attempt_as_it_was",),
        # Build, submit a query that fails for good.
        smallest_known_steps=2,
        shows=("fails_400(",),
    ),
)
