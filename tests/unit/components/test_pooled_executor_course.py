"""PooledExecutor: any course of queries against the pool's model."""

from __future__ import annotations

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.components.query import AttemptEvent, QueryResult
from chaoscheck.components.retry import Retry
from models.aimd import AimdRules
from models.pool import Attempt, PoolRules, breaches, capacity_delays_s, lawful_end
from models.retry_delays import delay_bounds_s
from tests.unit.components.scripted_calls import Act, Script, playing


def attempt_of(event: AttemptEvent) -> Attempt:
    """The event in the terms of the model."""
    return Attempt(
        query=event.query,
        number=event.number,
        submitted_s=event.submitted_s,
        started_s=event.started_s,
        ended_s=event.ended_s,
        outcome=event.outcome,
        retry_after_s=event.retry_after_s,
        own_delay_s=event.own_delay_s,
        delay_s=event.delay_s,
    )


SECONDS = st.integers(0, 12).map(lambda quarters: quarters / 4)
ACTS = st.builds(
    Act,
    st.sampled_from([None, "capacity", "capacity", "transient", "permanent"]),
    SECONDS,
    st.sampled_from([None, None, 0.5, 2.0, 500.0, -1.0, float("nan")]),
)


@settings(max_examples=40)
@given(st.lists(st.lists(ACTS, max_size=6), max_size=5), st.integers(1, 3), st.integers(1, 6))
def test_any_course_of_queries_keeps_every_law_of_the_pool(
    scripts: list[Script], pool_size: int, max_seconds: int
) -> None:
    """In-flight bound, deadline, exact delays, free slots and outcomes hold on any course."""
    log: list[Attempt] = []
    finished: dict[int, float] = {}
    executor = PooledExecutor(
        pool_size,
        max_seconds,
        retry=Retry(3, 0.25, 2.0),
        on_attempt=lambda event: log.append(attempt_of(event)),
    )
    results: dict[int, QueryResult[str]] = {}

    async def one(query: int) -> None:
        results[query] = await executor.execute(query, playing(scripts), submitted_s=0.0)
        finished[query] = trio.current_time()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for query in range(len(scripts)):
                nursery.start_soon(one, query)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    rules = PoolRules(pool_size=pool_size, max_seconds=max_seconds, max_failures=3)

    assert breaches(log, rules) == []
    assert_delays_are_exact(log)
    for query, result in results.items():
        attempts = sorted((a for a in log if a.query == query), key=lambda a: a.number)
        assert len(attempts) == result.attempts
        assert expected_end(attempts, rules) == (end_of(result), finished[query])


def assert_delays_are_exact(log: list[Attempt]) -> None:
    """The own delays are those of the AIMD model and of the retry schedule."""
    failures: dict[object, int] = {}
    for attempt, capacity_s in zip(log, capacity_delays_s(log, AimdRules()), strict=True):
        if attempt.outcome == "capacity":
            assert capacity_s == attempt.own_delay_s
        if attempt.outcome == "transient":
            count = failures[attempt.query] = failures.get(attempt.query, 0) + 1
            expected = (
                None
                if count == 3
                else delay_bounds_s("exponential", count, base_s=0.25, cap_s=2.0)[0]
            )
            assert expected == attempt.own_delay_s


def expected_end(attempts: list[Attempt], rules: PoolRules) -> tuple[str, float]:
    """How the model ends a query with these attempts; one that waited for a slot timed out."""
    return (lawful_end(attempts, rules) if attempts else None) or (
        "retry_timeout",
        rules.max_seconds,
    )


def end_of(result: QueryResult[str]) -> str:
    """The end of a query in the model's words."""
    if result.error is None:
        return "ok"
    reason = str(result.error["reason"])
    return "permanent" if reason == "some_permanent" else reason
