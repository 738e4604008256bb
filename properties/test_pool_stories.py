"""PooledExecutor: the course of one query, told to the last field of its events.

The machine of ``test_pooled_executor`` judges whatever comes; here stand the edges, where one
instant or one field makes the difference.
"""

from __future__ import annotations

import math

import pytest
import trio
import trio.testing

from chaoscheck.components.query import AttemptEvent, QueryError, QueryResult
from chaoscheck.components.retry import Retry
from properties.scripted_pool import (
    BROKEN,
    BUSY,
    EXHAUSTED,
    NONE,
    TIMED_OUT,
    WRONG,
    Pool,
    heard_of,
    refused,
    told,
    without_message,
)


def test_a_query_that_succeeds_at_once_has_one_attempt() -> None:
    """Its result is what the call returned, and the listener heard of it."""
    pool = Pool((1.0, None))

    result = told(pool.run)

    assert result == QueryResult(value="q.1", attempts=1)
    assert result.ok
    assert pool.heard[0].query == "q"
    assert heard_of(pool) == [(1, 0.0, 1.0, "ok", None, None, *NONE, "succeeded")]
    assert (pool.executor.in_flight, pool.throttle.stats().successes) == (0, 1)


def test_the_course_of_a_query_is_told_attempt_by_attempt() -> None:
    """Refusals wait for the throttle, failures for the retry's delays; each counts its own."""
    pool = Pool(
        (0.0, BUSY), (0.125, BROKEN), (0.0, BUSY), (0.0, BROKEN), (0.0, BUSY), (0.0, None),
        max_capacity_retry_seconds=30,
    )  # fmt: skip

    result = told(pool.run)

    assert result == QueryResult(value="q.6", attempts=6)
    busy, broken = ("capacity", 429, None), ("transient", 500, None)
    assert heard_of(pool) == [
        (1, 0.0, 0.0, *busy, 0.5, 0.5, "aimd", "retry"),
        (2, 0.5, 0.625, *broken, 0.5, 0.5, "retry", "retry"),
        (3, 1.125, 1.125, *busy, 1.0, 1.0, "aimd", "retry"),
        (4, 2.125, 2.125, *broken, 1.0, 1.0, "retry", "retry"),
        (5, 3.125, 3.125, *busy, 2.0, 2.0, "aimd", "retry"),
        (6, 5.125, 5.125, "ok", None, None, *NONE, "succeeded"),
    ]
    assert {event.submitted_s for event in pool.heard} == {0.0}
    stats = pool.throttle.stats()
    assert (stats.total_throttle_time_ms, stats.capacity_retries) == (3500.0, 3)


def test_a_permanent_failure_is_the_last() -> None:
    """And the error is its own."""
    pool = Pool((0.0, WRONG))

    result = told(pool.run)

    assert not result.ok
    assert (result.value, result.attempts) == (None, 1)
    assert without_message(result) == {
        "reason": "reason 400",
        "error_type": "type 400",
        "status_code": 400,
    }
    assert heard_of(pool) == [(1, 0.0, 0.0, "permanent", 400, None, *NONE, "failed")]


def test_failures_are_tried_again_so_often_and_refusals_are_not_counted() -> None:
    """The third failure is the last, here the fourth attempt."""
    pool = Pool((0.0, BROKEN), (0.0, BUSY), (0.0, BROKEN), (0.0, BROKEN))

    result = told(pool.run)

    assert result.attempts == 4
    assert without_message(result) == {
        "reason": EXHAUSTED,
        "error_type": "type 500",
        "status_code": 500,
    }
    assert heard_of(pool)[-1] == (4, 2.0, 2.0, "transient", 500, None, *NONE, EXHAUSTED)


@pytest.mark.parametrize(
    ("delay_s", "attempts", "next_step"), [(2.75, 2, "retry"), (3.0, 1, TIMED_OUT)]
)
def test_a_delay_that_reaches_the_deadline_is_the_last(
    delay_s: float, attempts: int, next_step: str
) -> None:
    """It is slept up to the deadline, and no attempt starts in that instant."""
    pool = Pool((0.0, BROKEN), (0.25, BROKEN), retry=Retry(3, delay_s, 8.0))

    async def story() -> tuple[QueryResult[str], float]:
        return await pool.run(), trio.current_time()

    result, ended_s = told(story)

    assert (result.attempts, ended_s) == (attempts, 3.0)
    assert pool.heard[0].next_step == next_step
    assert pool.heard[-1].next_step == TIMED_OUT
    assert without_message(result) == {
        "reason": TIMED_OUT,
        "error_type": "type 500",
        "elapsed_seconds": 3.0,
        "max_seconds": 3.0,
        "status_code": 500,
    }


def test_an_attempt_that_runs_at_the_deadline_may_succeed() -> None:
    """The deadline bounds starts, not ends."""
    result = told(Pool((9.0, None)).run)

    assert result == QueryResult(value="q.1", attempts=1)


@pytest.mark.parametrize(
    ("error", "asks_s", "expected"),
    [
        (BUSY, 0.5, (0.5, "aimd")),
        (BUSY, 0.625, (0.625, "retry_after")),
        (BUSY, 2.0, (2.0, "retry_after")),
        (BUSY, 2.125, (0.5, "aimd")),
        (BUSY, -1.0, (0.5, "aimd")),
        (BUSY, math.nan, (0.5, "aimd")),
        (BUSY, math.inf, (0.5, "aimd")),
        (BROKEN, None, (0.5, "retry")),
        (BROKEN, 0.5, (0.5, "retry")),
        (BROKEN, 1.5, (1.5, "retry_after")),
    ],
)
def test_what_a_server_asks_for_is_a_lower_bound_unless_it_is_absurd(
    error: QueryError, asks_s: float | None, expected: tuple[float, str]
) -> None:
    """More than 2 s is absurd here; what was chosen, and why, is told."""
    asked = refused(error.kind, error.status_code, asks_s)
    pool = Pool((0.0, asked), (0.0, None))

    told(pool.run)

    event = pool.heard[0]
    assert event.retry_after_s is asks_s
    assert (event.own_delay_s, event.delay_s, event.why) == (0.5, *expected)
    assert pool.calls[1][2] == expected[0]


def test_a_wait_for_the_throttle_that_is_cut_off_counts_as_long_as_it_was() -> None:
    """By the deadline, or by whoever gives the query up; a retry's delay is no throttling."""
    cut_off = Pool((0.0, refused("capacity", 529, 2.0)), max_capacity_retry_seconds=1)
    given_up = Pool((0.0, refused("capacity", 529, 2.0)))
    retried = Pool((0.0, BROKEN), (0.0, None))

    async def story() -> None:
        await cut_off.run()
        with trio.move_on_after(0.75):
            await given_up.run()
        await retried.run()

    told(story)

    waited_ms = [
        pool.throttle.stats().total_throttle_time_ms for pool in (cut_off, given_up, retried)
    ]
    assert waited_ms == [1000.0, 750.0, 0.0]


def test_the_deadline_counts_from_the_submission_that_is_named() -> None:
    """Elapsed seconds too; without a name it is the call itself."""
    pool = Pool((0.0, BROKEN), (0.0, BROKEN))

    async def story() -> tuple[QueryResult[str], float]:
        await trio.sleep(10)
        return await pool.run(submitted_s=7.25), trio.current_time()

    result, ended_s = told(story)

    assert ended_s == 10.25
    assert pool.executor.deadline_s(7.25) == 10.25
    assert pool.heard[0].submitted_s == 7.25
    assert without_message(result)["elapsed_seconds"] == 3.0
    assert (result.attempts, pool.heard[0].next_step) == (1, TIMED_OUT)


def test_an_abandoned_attempt_after_a_failed_one_has_no_error_of_its_own() -> None:
    """What went wrong before is not what ended it."""
    pool = Pool((0.0, refused("transient", 500, 0.75)), (9.0, None))

    async def story() -> None:
        with trio.move_on_after(2):
            await pool.run()

    told(story)

    assert heard_of(pool)[1] == (2, 0.75, 2.0, "abandoned", None, None, *NONE, "abandoned")


def test_a_success_after_a_failure_has_no_error_of_it() -> None:
    """Its event is that of any success."""
    pool = Pool((0.0, BROKEN), (0.0, None))

    told(pool.run)

    assert heard_of(pool)[1] == (2, 0.5, 0.5, "ok", None, None, *NONE, "succeeded")


def test_a_listener_that_raises_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And without a listener nothing is missing."""
    mistake = RuntimeError("a listener's own mistake")

    def deaf(event: AttemptEvent) -> None:
        raise mistake

    for listener in (deaf, None):
        pool = Pool((0.0, BROKEN), (0.0, None), on_attempt=listener)

        assert told(pool.run) == QueryResult(value="q.2", attempts=2)
    logged = [record.exc_info for record in caplog.records]
    assert [info and info[1] for info in logged] == [mistake, mistake]


def test_the_first_delay_of_a_query_has_none_before_it() -> None:
    """A decorrelated delay draws between the base and three times the one before."""
    retry = Retry(3, 0.25, 8.0, shape="decorrelated", uniform=lambda low, high: high)
    pool = Pool((0.0, BROKEN), (0.0, BROKEN), (0.0, None), retry=retry)

    told(pool.run)

    assert [event.own_delay_s for event in pool.heard] == [0.25, 0.75, None]
