"""The pool's decisions, without a network: who gets which connection, and what is closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.wire.client_dial import Origin
from chaoscheck.wire.client_pool import ClientPool, PoolBounds

A = Origin(b"http", b"a", 80)
B = Origin(b"http", b"b", 80)


@dataclass(eq=False, slots=True)
class Stub:
    """A connection that does as it is told."""

    number: int
    origin: Origin
    reusable: bool = True
    is_stale: bool = False


def pool_of(**bounds: Any) -> ClientPool[Stub]:
    return ClientPool(PoolBounds(**bounds), Stub)


def in_trio(story: Callable[[], Awaitable[None]]) -> None:
    trio.run(story, clock=trio.testing.MockClock(autojump_threshold=0))


def take(pool: ClientPool[Stub], origin: Origin = A) -> Stub:
    taken = pool.take(origin)
    assert taken is not None
    return taken


def test_the_oldest_idle_connection_is_used_first() -> None:
    """Connections that were opened for a peak fall idle and expire."""

    async def story() -> None:
        pool = pool_of()
        first, second = take(pool), take(pool)
        pool.release(second)
        pool.release(first)

        assert [first, second] == [take(pool), take(pool)]

    in_trio(story)


def test_a_stale_connection_is_replaced() -> None:
    """A server that hung up meanwhile costs no error."""

    async def story() -> None:
        pool = pool_of()
        first = take(pool)
        pool.release(first)
        first.is_stale = True

        assert 2 == take(pool).number
        assert [first] == pool.closing

    in_trio(story)


def test_a_connection_of_another_origin_makes_room() -> None:
    """One busy host does not lock others out for as long as it has idle connections."""

    async def story() -> None:
        pool = pool_of(connections_max=2)
        first, second = take(pool), take(pool)
        assert pool.take(B) is None
        pool.release(second)
        pool.release(first)

        assert 3 == take(pool, B).number
        assert [first] == pool.closing

    in_trio(story)


def test_idle_connections_expire() -> None:
    """What was idle for longer than allowed is closed when the next request comes."""

    async def story() -> None:
        pool = pool_of(idle_max_s=5.0)
        first = take(pool)
        pool.release(first)
        await trio.sleep(5.0)
        assert first is take(pool)
        pool.release(first)
        await trio.sleep(5.1)

        assert 2 == take(pool).number
        assert [first] == pool.closing

    in_trio(story)


def test_surplus_idle_connections_are_closed_the_stale_ones_first() -> None:
    """Only as many connections stay idle as I allow, and those that are of use."""

    async def story() -> None:
        pool = pool_of(idle_max=1)
        first, second, third = take(pool), take(pool), take(pool)
        pool.release(first)
        pool.release(second)
        assert [first] == pool.closing
        second.is_stale = True
        pool.release(third)

        assert [first, second] == pool.closing
        assert third is take(pool)

    in_trio(story)


def test_requests_queue_in_order_of_arrival() -> None:
    """Nobody overtakes: the first in the queue is the first served, late comers included."""

    async def story() -> None:
        pool = pool_of(connections_max=1)
        served: list[int] = []
        only = take(pool)

        async def request(number: int) -> None:
            connection = pool.take(A) or await pool.wait(A, None)
            served.append(number)
            await trio.sleep(1)
            assert connection is only
            pool.release(only)

        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(request, number)
                await trio.testing.wait_all_tasks_blocked()
            pool.release(only)

        assert [0, 1, 2, 3] == served

    in_trio(story)


@pytest.mark.parametrize("is_new", [False, True])
def test_a_connection_given_to_who_just_left_goes_to_the_next(is_new: bool) -> None:
    """A request cancelled in the instant of its turn costs the pool nothing."""

    async def story() -> None:
        pool = pool_of(connections_max=1)
        only = take(pool)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.wait, A, None)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
            only.reusable = not is_new
            pool.release(only)

        assert 1 == len(pool) or is_new
        assert (2 if is_new else 1) == take(pool).number

    in_trio(story)


def test_waiting_ends_with_its_time() -> None:
    """A request that waited for long enough leaves the queue."""

    async def story() -> None:
        pool = pool_of(connections_max=1)
        only = take(pool)
        assert await pool.wait(A, 3.0) is None
        assert 3.0 == trio.current_time()
        pool.release(only)

        assert only is take(pool)

    in_trio(story)


def test_a_connection_that_left_the_pool_stays_out() -> None:
    """After closing everything, a request that still runs does not bring its connection back."""

    async def story() -> None:
        pool = pool_of()
        first = take(pool)
        pool.remove_all()
        pool.release(first)

        assert ([first], 0) == (pool.closing, len(pool))
        assert 2 == take(pool).number

    in_trio(story)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.sampled_from([A, B])),
        st.tuples(st.sampled_from(["release", "break", "stale", "wait"]), st.integers(0, 9)),
    ),
    max_size=40,
)


@given(steps, st.integers(1, 4), st.integers(0, 4))
def test_the_pool_keeps_its_bounds(
    program: list[tuple[str, Any]], connections_max: int, idle_max: int
) -> None:
    """Whatever happens, no connection is lost, given to two, or beyond my limits."""

    async def story() -> None:
        pool = pool_of(connections_max=connections_max, idle_max=idle_max, idle_max_s=3.0)
        busy: list[Stub] = []
        made: set[Stub] = set()
        for act, argument in program:
            await _step(pool, busy, act, argument)
            made |= set(busy)
            idle = made - set(busy) - set(pool.closing)
            assert len(busy) == len(set(busy)) <= connections_max
            assert len(pool) == len(busy) + len({each for each in idle if each.reusable})
            assert len(pool) <= connections_max
            assert len(pool) - len(busy) <= idle_max

    in_trio(story)


async def _step(pool: ClientPool[Stub], busy: list[Stub], act: str, argument: Any) -> None:
    if act == "take":
        taken = pool.take(argument)
        if taken is not None:
            busy.append(taken)
    elif act == "wait":
        await trio.sleep(argument)
    elif busy:
        connection = busy.pop(argument % len(busy))
        connection.reusable = act != "break"
        connection.is_stale = act == "stale"
        pool.release(connection)
