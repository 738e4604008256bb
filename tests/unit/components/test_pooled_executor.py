"""PooledExecutor: its laws, each on a course chosen to show it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio

from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.components.query import AttemptEvent
from chaoscheck.components.retry import Retry
from chaoscheck.errors import PlanError
from tests.unit.components.conftest import Run
from tests.unit.components.scripted_calls import Act, playing


def test_results_come_in_the_order_of_submission(run: Run) -> None:
    """Whoever submits a batch can pair queries with results."""

    async def main() -> None:
        scripts = [[Act(seconds=3)], [Act("capacity")], [Act(seconds=1)], [Act("permanent")]]
        results = await PooledExecutor(4, 30).execute_batch(range(4), playing(scripts))
        assert [result.value for result in results] == ["0.1", "1.2", "2.1", None]

    run(main)


def test_an_empty_batch_has_no_results(run: Run) -> None:
    """Nothing in, nothing out."""

    async def main() -> None:
        assert await PooledExecutor(4, 30).execute_batch([], playing([])) == []

    run(main)


@pytest.mark.parametrize(("queries", "pool_size"), [(5, 3), (3, 3), (2, 8)])
def test_a_server_that_waits_for_a_full_pool_answers_everybody(
    run: Run, queries: int, pool_size: int
) -> None:
    """The pool truly runs min(N, pool_size) at once: a barrier lets all of them finish."""
    together = min(queries, pool_size)
    waiting = 0

    async def main() -> None:
        full = trio.Event()

        async def call(_query: int, _number: int) -> str:
            nonlocal waiting
            waiting += 1
            assert executor.in_flight <= pool_size
            if waiting == together:
                full.set()
            await full.wait()
            return "ok"

        executor = PooledExecutor(pool_size, 30)
        results = await executor.execute_batch(range(queries), call)
        assert [result.ok for result in results] == [True] * queries
        assert executor.in_flight == 0

    run(main)


def test_the_slot_is_free_while_a_query_backs_off(run: Run) -> None:
    """One query's waiting never keeps another from working."""

    async def main() -> None:
        scripts = [[Act("capacity", 1, retry_after_s=10)], [Act(seconds=2)]]
        executor = PooledExecutor(1, 30)
        results = await executor.execute_batch(range(2), playing(scripts))
        assert [result.ok for result in results] == [True, True]
        assert trio.current_time() <= 13.0

    run(main)


def test_past_the_deadline_the_result_is_a_retry_timeout(run: Run) -> None:
    """The error has all that an operator needs: what was last seen, how long, how long at most."""

    async def main() -> None:
        scripts = [[Act("capacity", 1, retry_after_s=3)] * 9]
        [result] = await PooledExecutor(1, 10).execute_batch([0], playing(scripts))
        assert result.error is not None
        details = {key: value for key, value in result.error.items() if key != "message"}
        assert details == {
            "reason": "retry_timeout",
            "error_type": "capacity_error",
            "elapsed_seconds": 10.0,
            "max_seconds": 10.0,
            "status_code": 429,
        }
        assert result.attempts == 3

    run(main)


def test_a_delay_that_ends_exactly_at_the_deadline_is_a_timeout(run: Run) -> None:
    """No attempt starts at the deadline, not even in the same instant."""

    async def main() -> None:
        scripts = [[Act("capacity", 0, retry_after_s=10)]]
        [result] = await PooledExecutor(1, 10).execute_batch([0], playing(scripts))
        assert result.error is not None
        assert result.error["reason"] == "retry_timeout"
        assert (1, 10.0) == (result.attempts, trio.current_time())

    run(main)


def test_a_running_attempt_may_finish_after_the_deadline_and_counts(run: Run) -> None:
    """An answer that was paid for is not thrown away."""

    async def main() -> None:
        [result] = await PooledExecutor(1, 10).execute_batch([0], playing([[Act(seconds=25)]]))
        assert (result.value, trio.current_time()) == ("0.1", 25.0)

    run(main)


def test_waiting_for_a_slot_counts_toward_the_deadline(run: Run) -> None:
    """A query that never got a slot in time times out at its deadline, without an attempt."""

    async def main() -> None:
        executor = PooledExecutor(1, 10)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(executor.execute, 0, playing([[Act(seconds=25)]]))
            await trio.sleep(1)
            late = await executor.execute(0, playing([[]]))
        assert late.error is not None
        assert late.error["reason"] == "retry_timeout"
        assert late.error["error_type"] == "never_started"
        assert late.error["elapsed_seconds"] == 10.0
        assert late.attempts == 0

    run(main)


def test_slots_go_to_those_who_wait_in_the_order_they_came(run: Run) -> None:
    """Several tasks that share a pool are served fairly."""

    async def main() -> None:
        executor = PooledExecutor(1, 100)
        order: list[int] = []

        async def call(query: int, _number: int) -> None:
            order.append(query)
            await trio.sleep(10)

        async def ask(name: int) -> None:
            await trio.sleep(name)
            await executor.execute(name, call)

        async with trio.open_nursery() as nursery:
            for name in (3, 1, 4, 2):
                nursery.start_soon(ask, name)
        assert order == [1, 2, 3, 4]

    run(main)


def test_a_permanent_error_is_never_retried(run: Run) -> None:
    """What cannot succeed is not paid for twice."""

    async def main() -> None:
        [result] = await PooledExecutor(1, 10).execute_batch([0], playing([[Act("permanent")]]))
        assert result.error is not None
        assert (result.error["reason"], result.attempts) == ("some_permanent", 1)

    run(main)


def test_transient_errors_end_a_query_when_the_attempts_are_used_up(run: Run) -> None:
    """Capacity errors do not use up attempts; transient ones do."""

    async def main() -> None:
        capacity, transient = Act("capacity"), Act("transient")
        script = [capacity, transient, capacity, transient, transient, transient]
        executor = PooledExecutor(1, 100, retry=Retry(3, 0.5, 8))
        [result] = await executor.execute_batch([0], playing([script]))
        assert result.error is not None
        assert result.error["reason"] == "attempts_exhausted"
        assert result.error["error_type"] == "transient_error"
        assert result.attempts == 5

    run(main)


@pytest.mark.parametrize(
    ("asked_s", "delay_s", "why"),
    [
        (None, 0.05, "aimd"),
        (3.0, 3.0, "retry_after"),
        (120.0, 120.0, "retry_after"),
        (120.5, 0.05, "aimd"),
        (0.01, 0.05, "aimd"),
        (-5.0, 0.05, "aimd"),
        (float("nan"), 0.05, "aimd"),
    ],
)
def test_retry_after_is_a_lower_bound_unless_it_is_absurd(
    run: Run, asked_s: float | None, delay_s: float, why: str
) -> None:
    """A server is obeyed up to the limit; nonsense falls back to the own backoff."""
    events: list[AttemptEvent] = []

    async def main() -> None:
        executor = PooledExecutor(1, 1000, on_attempt=events.append)
        await executor.execute_batch([0], playing([[Act("capacity", 0, asked_s)]]))
        assert (delay_s, why) == (events[0].delay_s, events[0].why)
        assert delay_s == events[1].started_s

    run(main)


def test_queries_share_one_throttle(run: Run) -> None:
    """What one query learns of the provider, the next attempt of another respects."""

    async def main() -> None:
        throttle = AimdThrottle()
        scripts = [[Act("capacity")], [Act("capacity", 0.01)]]
        await PooledExecutor(2, 100, throttle=throttle).execute_batch([0, 1], playing(scripts))
        stats = throttle.stats()
        assert (stats.capacity_retries, stats.successes, stats.peak_delay_ms) == (2, 2, 100.0)
        assert stats.total_throttle_time_ms == pytest.approx(150.0)

    run(main)


def test_closing_cancels_sleeping_queries_at_once(run: Run) -> None:
    """A shutdown never waits for a backoff, and still every query has its result."""

    async def main() -> None:
        executor = PooledExecutor(1, 100)
        scripts = [[Act("capacity", 0, retry_after_s=50)], [Act(seconds=60)], []]

        async def close_soon() -> None:
            await trio.sleep(2)
            executor.close()
            executor.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(close_soon)
            results = await executor.execute_batch(range(3), playing(scripts))
        assert trio.current_time() == 2.0
        after = await executor.execute(2, playing(scripts))
        for result in (*results[:2], after):
            assert result.error is not None
            assert result.error["reason"] == "executor_closed"

    run(main)


def test_cancelling_a_query_gives_its_slot_back(run: Run) -> None:
    """A caller that gives up leaves the pool as large as it was."""
    events: list[AttemptEvent] = []

    async def main() -> None:
        executor = PooledExecutor(1, 100, on_attempt=events.append)
        with trio.move_on_after(3):
            await executor.execute(0, playing([[Act(seconds=60)]]))
        assert executor.in_flight == 0
        assert (await executor.execute(0, playing([[]]))).ok
        assert ["abandoned", "ok"] == [event.outcome for event in events]

    run(main)


def test_a_mistake_in_the_call_propagates_and_gives_the_slot_back(run: Run) -> None:
    """A bug in the user's own function is never hidden as a failed query."""

    async def broken(_query: int, _number: int) -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    async def main() -> None:
        executor = PooledExecutor(1, 100)
        with pytest.raises(ZeroDivisionError):
            await executor.execute(0, broken)
        assert (await executor.execute(0, playing([[]]))).ok

    run(main)


def test_a_listener_that_raises_changes_nothing(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """Watching never affects what is watched; the mistake is logged."""

    def listener(_event: AttemptEvent) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        executor = PooledExecutor(1, 100, on_attempt=listener)
        assert (await executor.execute(0, playing([[Act("transient")]]))).ok

    with caplog.at_level(logging.ERROR):
        run(main)

    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"pool_size": 0},
        {"pool_size": 2.0},
        {"max_capacity_retry_seconds": 0},
        {"max_capacity_retry_seconds": float("inf")},
        {"retry_after_max_s": -1},
    ],
)
def test_illegal_settings_are_refused_with_the_legal_range(settings: dict[str, Any]) -> None:
    """A wrong setting is named when the pool is built."""
    with pytest.raises(PlanError, match="must be"):
        PooledExecutor(**({"pool_size": 1, "max_capacity_retry_seconds": 10} | settings))
