"""PooledExecutor: batches in flight play their scripts, are cancelled, and every law holds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from chaoscheck import ChaosMachine, PlanError, initialize, invariant, precondition, rule
from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.components.query import AttemptEvent, QueryResult
from chaoscheck.components.retry import Retry
from chaoscheck.stateful.in_flight import OPERATIONS
from chaoscheck.subjects.chosen import build as build_subject
from chaoscheck.subjects.from_asyncio import AsyncioSubject
from chaoscheck.world.operation import Operation
from models.aimd import AimdRules
from models.pool import Attempt, PoolRules, breaches, capacity_delays_s, lawful_end
from models.retry_delays import delay_bounds_s
from properties.refusals import names_the_setting_at_fault
from properties.scripted_queries import SCRIPTS, Act, Batch, Query, Stage

RETRY_BASE_S, RETRY_CAP_S = 0.25, 0.5
QUERIES_MAX = 24  # judging a log takes time that grows with its square

POOLS = st.builds(
    PoolRules,
    pool_size=st.integers(1, 4),
    max_seconds=st.sampled_from([10.0, 2.0, 200.0]),
    retry_after_max_s=st.sampled_from([120.0, 3.0]),
    max_failures=st.integers(1, 4),
)


def _instant_and_whose(attempt: tuple[object, int, float, float, str]) -> tuple[float, str, int]:
    query, number, _, ended_s, _ = attempt
    return ended_s, repr(query), number


def _may_be_cancelled(operation: Operation[None]) -> bool:
    return not operation.done and not operation.cancelling


class ExecutorCourse(ChaosMachine):
    """One pool serves batches whose attempts succeed, fail, ask to wait, and take their time."""

    cancels: ClassVar[bool] = True
    executor_type: ClassVar[type[PooledExecutor] | None] = None  # a twin's; else the subject chosen

    @initialize(pool=POOLS)
    def build(self, pool: PoolRules) -> None:
        """An open pool with these promises."""
        self.pool = pool
        self.stage = Stage()
        self.events: list[AttemptEvent] = []
        self.ended: list[Attempt] = []
        self.submitted: list[Batch] = []
        self.closed_s: float | None = None
        self.judged: dict[str, int] = {}
        make = self.executor_type or partial(build_subject, "pooled_executor", self.world)
        self.executor: Any = make(
            pool.pool_size,
            pool.max_seconds,
            throttle=AimdThrottle(),
            retry=Retry(pool.max_failures, RETRY_BASE_S, RETRY_CAP_S),
            retry_after_max_s=pool.retry_after_max_s,
            on_attempt=self._hear,
        )

    def _hear(self, event: AttemptEvent) -> None:
        self.events.append(event)
        self.ended.append(self._attempt(event))

    # ------------------------------------------------------------------ rules

    @rule(in_flight=True, scripts=SCRIPTS)
    async def submit(self, scripts: list[list[Act]]) -> None:
        """A batch sets out: one query a script, one act an attempt, success beyond its end."""
        if self.stage.queries < QUERIES_MAX:
            await self._play(self.stage.batch(scripts))

    async def _play(self, batch: Batch) -> None:
        batch.started_s = trio.current_time()
        self.submitted.append(batch)
        try:
            batch.outcome = await self.executor.execute_batch(batch.queries, self.stage.play)
        finally:
            batch.ended_s = trio.current_time()

    @rule(seconds=st.sampled_from([0.05, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0]))
    def let_time_pass(self, seconds: float) -> None:
        """Attempts end, delays pass, deadlines come."""
        self.world.advance(seconds)

    # A batch itself gives way once, to its queries; whatever comes later is not its checkpoint.
    @precondition(lambda self: any(not each.cancelling for each in self.world.in_flight()))
    @rule(operation=OPERATIONS.filter(_may_be_cancelled), checkpoint=st.integers(0, 1))
    def cancel(self, operation: Operation[None], checkpoint: int) -> None:
        """Whoever waits for a batch gives it up."""
        self.chaos.cancel(operation, checkpoint)

    # Most of what happens to a pool that was closed while nothing was in flight shows little.
    @precondition(lambda self: self.closed_s is None and self.world.in_flight())
    @rule()
    def close_the_pool(self) -> None:
        """The pool is closed for good; time stands still."""
        self.closed_s = self.world.now
        self.executor.close()
        self.world.settle()

    @precondition(lambda self: self.closed_s is None and not self.world.in_flight())
    @rule(queries=st.integers(1, 6))
    def a_gate_that_waits_for_a_full_pool_lets_everybody_through(self, queries: int) -> None:
        """Nobody is answered until min(N, pool_size) are in flight together; then all are."""
        batch = self.stage.gate(queries, min(queries, self.pool.pool_size))
        self.world.start(self._play, batch, name="gate")
        self.world.settle()
        assert batch.done, f"of {queries} queries only {self.stage.running} came together"

    # ------------------------------------------------------------------ laws of the pool

    @invariant()
    def never_more_than_the_pool_size_in_flight(self) -> None:
        """By the count of the calls themselves, at every instant so far."""
        assert self.stage.most_running <= self.pool.pool_size
        assert self.executor.in_flight == self.stage.running

    @invariant()
    def listeners_hear_of_every_attempt_as_it_was(self) -> None:
        """Whose, which, when and how: what the calls saw, in the order in which they ended."""
        heard = [(e.query, e.number, e.started_s, e.ended_s, e.outcome) for e in self.events]
        seen = self.stage.seen
        if isinstance(self.executor, AsyncioSubject):
            # A task of the bridge lies between a call's end and its caller's next step: of one
            # instant, callers may go on in another order than their calls ended in.
            seen, heard = (
                sorted(seen, key=_instant_and_whose),
                sorted(heard, key=_instant_and_whose),
            )
        assert seen == heard

    @invariant()
    def the_log_of_attempts_is_lawful(self) -> None:
        """Deadlines, Retry-After, delays, free slots: each attempt and each series of them."""
        if self._has_grown("log"):
            assert breaches(self._log(), self.pool) == []

    @invariant()
    def own_delays_are_exact(self) -> None:
        """AIMD over the whole pool after refusals; min(cap, base * 2**(n-1)) after failures."""
        failures: dict[object, int] = defaultdict(int)
        log = self.ended if self._has_grown("delays") else []
        for attempt, capacity_s in zip(log, capacity_delays_s(log, AimdRules()), strict=True):
            if attempt.outcome == "capacity":
                assert capacity_s == attempt.own_delay_s
            if attempt.outcome == "transient":
                failures[attempt.query] += 1
                assert self._retry_delay_s(failures[attempt.query]) == attempt.own_delay_s

    @invariant()
    def nobody_waits_beside_a_free_slot(self) -> None:
        """The slot is free while a query backs off, and whoever is ready takes it."""
        by_query = self._by_query()
        ready = [
            query.name
            for batch in self.submitted
            if not batch.done and self.world.now < batch.started_s + self.pool.max_seconds
            for query in batch.queries
            if self._is_ready(by_query[query.name])
        ]
        assert not ready or self.stage.running == self.pool.pool_size, f"ready: {ready}"

    # ------------------------------------------------------------------ laws of results

    @invariant()
    def each_query_has_one_result_in_its_place(self) -> None:
        """Results pair with queries, and a good one is what its own last attempt returned."""
        for query, result, attempts in self._finished("results"):
            assert len(attempts) == result.attempts
            if result.ok:
                assert f"{query.name}.{result.attempts}" == result.value

    @invariant()
    def each_query_ends_as_its_attempts_say(self) -> None:
        """Success, permanent, used up, out of time or closed: nothing else, and no retry after."""
        for query, result, attempts in self._finished("ends"):
            assert self._expected_end(query, attempts)[0] == end_of(result), query.name

    @invariant()
    def a_time_out_says_how_long_and_why(self) -> None:
        """It comes exactly at the deadline, or when the attempt that ran past it has failed."""
        for query, result, attempts in self._finished("time-outs"):
            if result.error is not None and result.error["reason"] == "retry_timeout":
                _, ended_s = self._expected_end(query, attempts)
                assert ended_s - query.batch.started_s == result.error["elapsed_seconds"]
                assert self.pool.max_seconds == result.error["max_seconds"]
                assert query.last_status(result.attempts) == result.error["status_code"]

    @invariant()
    def past_its_deadline_a_query_lives_only_in_an_attempt(self) -> None:
        """Waiting for a slot and backing off end at the deadline."""
        for batch in self.submitted:
            if not batch.done and self.world.now >= batch.started_s + self.pool.max_seconds:
                assert self.stage.running_of(batch), f"{batch.name} outlives its deadline"

    @invariant()
    def closing_and_cancelling_end_everything_at_once(self) -> None:
        """Sleepers, those in line and running attempts: no virtual time passes."""
        left = self.world.in_flight()
        assert [] == [each for each in left if each.cancelling and each.cancel_if_due()]
        for batch in self.submitted if self.closed_s is not None else ():
            assert batch.ended_s is not None, f"{batch.name} goes on"
            assert batch.ended_s <= max(self.closed_s or 0.0, batch.started_s)

    # ------------------------------------------------------------------ in the model's terms

    def _has_grown(self, judge: str) -> bool:
        """Whether attempts have ended since this judge asked: judging them all takes long."""
        before = self.judged.get(judge, 0)
        self.judged[judge] = len(self.ended)
        return before < len(self.ended)

    def _log(self) -> list[Attempt]:
        """Every attempt in the order of ending; those that still run have no end in sight."""
        self.listeners_hear_of_every_attempt_as_it_was()  # else there is nothing to judge by
        return self.ended + [
            Attempt(
                query=query.name,
                number=number,
                submitted_s=query.batch.started_s,
                started_s=started_s,
                ended_s=math.inf,
                outcome="abandoned",
            )
            for query, number, started_s in self.stage.under_way()
        ]

    def _attempt(self, event: AttemptEvent) -> Attempt:
        """The event, but with the Retry-After that the script's header truly means."""
        query = event.query
        assert isinstance(query, Query)
        return Attempt(
            query=query.name,
            number=event.number,
            submitted_s=query.batch.started_s,
            started_s=event.started_s,
            ended_s=event.ended_s,
            outcome=event.outcome,
            retry_after_s=query.act(event.number).asks_s(event.ended_s, event.retry_after_s),
            own_delay_s=event.own_delay_s,
            delay_s=event.delay_s,
        )

    def _by_query(self) -> dict[object, list[Attempt]]:
        by_query: dict[object, list[Attempt]] = defaultdict(list)
        for attempt in self._log():
            by_query[attempt.query].append(attempt)
        return by_query

    def _retry_delay_s(self, failures: int) -> float | None:
        if failures >= self.pool.max_failures:
            return None
        low_s, high_s = delay_bounds_s(
            "exponential", failures, base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S
        )
        assert low_s == high_s
        return low_s

    def _is_ready(self, attempts: list[Attempt]) -> bool:
        """Whether a query with these attempts could make one more now, if only it had a slot."""
        if not attempts:
            return True
        ready_s = attempts[-1].ended_s + (attempts[-1].delay_s or 0.0)
        return ready_s <= self.world.now and lawful_end(attempts, self.pool) is None

    def _finished(self, judge: str) -> Iterator[tuple[Query, QueryResult[str], list[Attempt]]]:
        """The queries that ended since this judge asked, each with its result and attempts."""
        done = [batch for batch in self.submitted if batch.outcome is not None]
        before = self.judged.get(judge, 0)
        if before == len(done):
            return
        self.judged[judge] = len(done)
        by_query = self._by_query()
        for batch in done:
            assert len(batch.queries) == len(batch.results), f"{batch.name} lost results"
            for query, result in zip(batch.queries, batch.results, strict=True):
                yield query, result, by_query[query.name]

    def _expected_end(self, query: Query, attempts: list[Attempt]) -> tuple[str, float]:
        end = lawful_end(attempts, self.pool) if attempts else None
        if end is None:
            end = ("retry_timeout", query.batch.started_s + self.pool.max_seconds)
        if self.closed_s is not None and (end[0] == "abandoned" or end[1] > self.closed_s):
            return "executor_closed", self.closed_s
        return end


def end_of(result: QueryResult[str]) -> str:
    """The end of a query in the model's words."""
    if result.error is None:
        return "ok"
    reason = str(result.error["reason"])
    return "permanent" if reason == "client_error" else reason


@example(0, 1.0, 0.0)
@example(1, 0.0, 0.0)
@example(1, 1.0, -1.0)
@example(1, 1.0, 0.0)
@given(
    st.integers(-1, 3) | st.just(2.0),
    st.floats() | st.sampled_from([1.0, 10.0]),
    st.floats() | st.sampled_from([0.0, 120.0]),
)
def test_exactly_the_illegal_settings_are_refused(
    pool_size: int, max_seconds: float, retry_after_max_s: float
) -> None:
    """A pool that could not work is never built, and the error shows the value at fault."""
    legal_size = isinstance(pool_size, int) and pool_size >= 1
    if legal_size and 0 < max_seconds < math.inf and 0 <= retry_after_max_s < math.inf:
        PooledExecutor(pool_size, max_seconds, retry_after_max_s=retry_after_max_s)
        return
    with pytest.raises(PlanError) as refusal:
        PooledExecutor(pool_size, max_seconds, retry_after_max_s=retry_after_max_s)
    settings = {
        "pool_size": pool_size,
        "max_capacity_retry_seconds": max_seconds,
        "retry_after_max_s": retry_after_max_s,
    }
    assert names_the_setting_at_fault(refusal.value, settings)


TestPooledExecutor = ExecutorCourse.TestCase
