"""PooledExecutor: who has a slot, who gets none, and what is left of a query that has ended."""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence

import pytest
import trio
import trio.testing

from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.components.query import QueryResult
from chaoscheck.components.retry import Retry
from properties.scripted_pool import (
    BROKEN,
    CLOSED,
    NONE,
    TIMED_OUT,
    WRONG,
    Answer,
    Pool,
    SetClock,
    heard_of,
    told,
    without_message,
)

# ---------------------------------------------------------------------- slots


def test_a_query_that_gets_no_slot_before_its_deadline_never_started() -> None:
    """And it frees no slot that it never had: the next one waits for its own turn."""
    pool = Pool((4.0, None), (0.0, None))
    results: dict[str, QueryResult[str]] = {}

    async def one(name: str) -> None:
        results[name] = await pool.run(name)

    async def story() -> float:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "first")
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(one, "late")
            await trio.sleep(2)
            nursery.start_soon(one, "next")
        return trio.current_time()

    assert told(story) == 4.0
    assert pool.calls == [("first", 1, 0.0), ("next", 1, 4.0)]
    assert results["late"].attempts == 0
    assert without_message(results["late"]) == {
        "reason": TIMED_OUT,
        "error_type": "never_started",
        "elapsed_seconds": 3.0,
        "max_seconds": 3.0,
        "status_code": None,
    }


def test_a_slot_that_is_given_before_the_deadline_and_taken_at_it_goes_to_another() -> None:
    """The deadline bounds the start of an attempt, and that instant is too late."""
    pool, clock, first_may_end = Pool(), SetClock(), trio.Event()
    called: list[str] = []
    results: dict[str, QueryResult[str]] = {}

    async def call(query: str, number: int) -> str:
        called.append(query)
        if query == "first":
            await first_may_end.wait()
        return query

    async def one(query: str) -> None:
        results[query] = await pool.executor.execute(query, call)
        if query == "first":
            clock.now_s = 3.0  # the slot is given to the other, which has not run since

    async def story() -> None:
        async with trio.open_nursery() as nursery:
            for query in ("first", "late"):
                nursery.start_soon(one, query)
                await trio.testing.wait_all_tasks_blocked()
            first_may_end.set()
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(one, "next")
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    trio.run(story, clock=clock)

    late = results["late"]
    assert (late.attempts, without_message(late)["reason"]) == (0, TIMED_OUT)
    assert (called, results["next"].value) == (["first", "next"], "next")


def test_a_batch_has_its_results_in_its_own_order() -> None:
    """However they end; all of them were submitted together."""
    pool = Pool((1.0, None), (0.5, WRONG), (0.0, None), size=2)

    async def story() -> Sequence[QueryResult[str]]:
        return await pool.executor.execute_batch(["a", "b", "c"], pool.call)

    results = told(story)

    by_order = [pool.calls[0][0], pool.calls[1][0], pool.calls[2][0]]
    assert len(results) == 3
    assert [r.value for r in results] == [
        None if name == by_order[1] else f"{name}.1" for name in "abc"
    ]
    assert [(e.started_s, e.submitted_s) for e in pool.heard] == [
        (0.0, 0.0),
        (0.5, 0.0),
        (0.0, 0.0),
    ]


def test_an_error_that_is_no_answer_is_let_through() -> None:
    """A mistake in the call: told as abandoned, and its slot is given back."""
    pool = Pool((0.0, None))

    async def mistaken(query: str, number: int) -> str:
        await trio.sleep(1)
        raise LookupError(query)

    async def story() -> QueryResult[str]:
        with pytest.raises(LookupError):
            await pool.executor.execute("q", mistaken)
        assert pool.executor.in_flight == 0
        return await pool.run()

    assert told(story).value == "q.1"
    assert heard_of(pool)[0] == (1, 0.0, 1.0, "abandoned", None, None, *NONE, "abandoned")


# ---------------------------------------------------------------------- ends


def test_who_is_cancelled_before_its_turn_makes_no_attempt() -> None:
    """Neither before it has asked for a slot nor once it was given one."""
    pool = Pool((1.0, None), (0.0, None))
    granted = trio.CancelScope()

    async def given_up() -> None:
        with granted:
            await pool.run("given up")

    async def story() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await pool.run("never asked")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(given_up)
            nursery.start_soon(trio.testing.wait_all_tasks_blocked)
            await pool.run("first")
            granted.cancel()  # by now the slot is the other's, which has not run since
        await pool.run("last")

    told(story)

    assert [name for name, _, _ in pool.calls] == ["first", "last"]
    assert (pool.executor.in_flight, len(pool.heard)) == (0, 2)


def test_a_pool_keeps_nothing_of_a_query_that_has_ended() -> None:
    """A pool that lives for ever would else hold a scope for each query that it ever had."""
    pool = Pool(*[(0.0, None)] * 3)

    async def scopes_after_a_query() -> int:
        await pool.run()
        gc.collect()
        scopes = [each for each in gc.get_objects() if isinstance(each, trio.CancelScope)]
        # Trio's own list of deadlines lets go of those that were left early, but late.
        return sum(scope.deadline == math.inf for scope in scopes)

    async def story() -> list[int]:
        return [await scopes_after_a_query() for _ in range(3)]

    first, *others = told(story)

    assert [first, first] == others


@pytest.mark.parametrize("where", ["in an attempt", "asleep", "in line"])
def test_closing_ends_a_query_wherever_it_is(where: str) -> None:
    """At once, with what it has come to by then."""
    answers: list[Answer] = [(9.0, None)] if where != "asleep" else [(0.0, BROKEN)]
    pool = Pool(*answers, max_capacity_retry_seconds=30, retry=Retry(3, 5.0, 5.0))
    results: list[QueryResult[str]] = []

    async def one(name: str) -> None:
        results.append(await pool.run(name))

    async def story() -> float:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "q")
            await trio.testing.wait_all_tasks_blocked()
            if where == "in line":
                nursery.start_soon(one, "waits")
            await trio.sleep(1)
            pool.executor.close()
            pool.executor.close()
        return trio.current_time()

    assert told(story) == 1.0
    last = results[0] if where != "in line" else next(r for r in results if not r.attempts)
    asleep = where == "asleep"
    assert last.attempts == (0 if where == "in line" else 1)
    assert without_message(last) == {
        "reason": CLOSED,
        "error_type": "type 500" if asleep else CLOSED,
        "status_code": 500 if asleep else None,
    }


def test_a_closed_pool_makes_no_attempt() -> None:
    """It answers at once, after a checkpoint, as every end does."""
    pool = Pool()

    async def story() -> QueryResult[str]:
        pool.executor.close()
        with trio.testing.assert_checkpoints():
            return await pool.run()

    result = told(story)

    assert without_message(result) == {"reason": CLOSED, "error_type": CLOSED, "status_code": None}
    assert (result.attempts, pool.calls) == (0, [])


def test_what_nobody_names_is_as_the_docs_say() -> None:
    """The retry, its delays, the throttle's, and what is absurd."""
    executor = PooledExecutor(1, 600)

    assert (executor.pool_size, executor.max_capacity_retry_seconds) == (1, 600.0)
    assert executor.retry_after_max_s == 120.0
    assert [executor.retry.delay_s(i) for i in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert executor.retry.attempts == 5
    assert executor.throttle.stats() == AimdThrottle().stats()
    assert executor.in_flight == 0
