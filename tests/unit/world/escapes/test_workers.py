"""Worker threads run inline; their sleeps take virtual time."""

from __future__ import annotations

import threading
import time

import pytest
import trio

from chaoscheck.errors import Escape
from chaoscheck.world.virtual import VirtualWorld


def test_a_sleep_in_a_worker_thread_takes_virtual_time() -> None:
    """The worker sees its clocks move, other tasks run meanwhile, and its end comes in time."""
    seen: list[tuple[str, float]] = []

    def work() -> float:
        before = time.monotonic()
        time.sleep(2)
        time.sleep(0.5)
        return time.monotonic() - before

    async def worker() -> None:
        assert 2.5 == await trio.to_thread.run_sync(work)
        seen.append(("worker", trio.current_time()))

    async def other() -> None:
        await trio.sleep(1)
        seen.append(("other", trio.current_time()))

    with VirtualWorld() as world:
        first = world.start(worker)
        world.run(other)
        world.run_until(first)

    assert [("other", 1.0), ("worker", 2.5)] == seen


def test_a_sleeping_worker_can_be_abandoned() -> None:
    """A time-out that is shorter than the sleep is met, as with a real thread."""

    async def give_up() -> float:
        with trio.move_on_after(1):
            await trio.to_thread.run_sync(time.sleep, 60, abandon_on_cancel=True)
        return trio.current_time()

    with VirtualWorld() as world:
        assert 1.0 == world.run(give_up)


def test_a_sleeping_worker_that_is_not_abandoned_delays_the_cancellation() -> None:
    """Nothing interrupts a thread: the scope ends when the function has returned."""

    async def wait_for_it() -> float:
        with trio.move_on_after(1):
            await trio.to_thread.run_sync(time.sleep, 60)
        return trio.current_time()

    with VirtualWorld() as world:
        assert 60.0 == world.run(wait_for_it)


def test_closing_a_world_waits_for_a_sleeping_worker() -> None:
    """In virtual time, and without calling it stubborn."""
    with VirtualWorld() as world:
        world.start(trio.to_thread.run_sync, time.sleep, 60)
        world.settle()

    assert 60.0 == world.now


@pytest.mark.parametrize("length_s", [0, 10])
def test_a_worker_that_polls_for_ever_is_reported(length_s: float) -> None:
    """It runs inline: what it waits for cannot come while it sleeps."""
    came = threading.Event()

    def poll() -> None:
        while not came.is_set():
            time.sleep(length_s)

    with pytest.raises(Escape, match=r"polls for ever.*test_workers\.py"), VirtualWorld() as world:
        world.run(trio.to_thread.run_sync, poll)


def test_a_worker_that_blocks_is_reported_as_one() -> None:
    """A wait for what only a task could bring, in a worker thread."""
    came = threading.Event()

    async def wait() -> None:
        await trio.to_thread.run_sync(came.wait)

    with pytest.raises(Escape, match=r"Event\.wait.*worker thread"), VirtualWorld() as world:
        world.run(wait)


def test_a_sleep_that_is_none_raises_what_it_always_raises() -> None:
    """A negative length is the subject's mistake, not an escape."""
    with pytest.raises(ValueError, match="non-negative"), VirtualWorld() as world:
        world.run(trio.to_thread.run_sync, time.sleep, -1)
