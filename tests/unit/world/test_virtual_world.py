"""The pump's words kept: settle, advance, run, deadlock, livelock, and a clean close."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Iterator

import pytest
import trio

from chaoscheck.errors import Deadlock, Escape, Livelock, PlanError, WorldError
from chaoscheck.world import escapes, pump
from chaoscheck.world.ambient import new_id, utc_now
from chaoscheck.world.choices import ScriptedChoices
from chaoscheck.world.virtual import VirtualWorld


@pytest.fixture
def world() -> Iterator[VirtualWorld]:
    """An open world that is closed again."""
    with VirtualWorld() as opened:
        yield opened


def test_a_started_operation_does_not_run_before_the_world_is_pumped(world: VirtualWorld) -> None:
    """Two operations started in a row can race from their first checkpoint on."""
    seen: list[str] = []

    async def note() -> None:
        seen.append("ran")

    operation = world.start(note)

    assert seen == []
    assert not operation.done
    world.settle()
    assert seen == ["ran"]
    assert operation.done


def test_settling_never_moves_the_clock(world: VirtualWorld) -> None:
    """Settled means: everything is blocked at this instant."""
    operation = world.start(trio.sleep, 1)

    world.settle()

    assert world.now == 0
    assert not operation.done


def test_advancing_stops_at_each_deadline_on_the_way(world: VirtualWorld) -> None:
    """A sleeper sees the exact instant it asked for, not the end of the advance."""
    woken: list[float] = []

    async def wake() -> None:
        for _ in range(3):
            await trio.sleep(0.7)
            woken.append(trio.current_time())

    world.start(wake)
    world.advance(2)

    assert woken == [0.7, 1.4]
    assert world.now == 2


def test_two_hundred_tenths_make_twenty_seconds_exactly(world: VirtualWorld) -> None:
    """Advancing in small steps does not drift."""
    for _ in range(200):
        world.advance(0.1)

    assert world.now == 20.0


def test_a_sum_of_floats_that_overshoots_by_a_rounding_error_still_fires(
    world: VirtualWorld,
) -> None:
    """0.1 + 0.2 is due at 0.3, although the float is larger."""

    async def sleep_twice() -> None:
        await trio.sleep(0.1)
        await trio.sleep(0.2)

    operation = world.start(sleep_twice)
    world.advance(0.3)

    assert operation.done


def test_running_an_operation_lets_as_much_time_pass_as_it_needs(world: VirtualWorld) -> None:
    """An hour of sleeping costs no real time."""

    async def sleep_long() -> str:
        await trio.sleep(3600)
        return "done"

    assert world.run(sleep_long) == "done"
    assert world.now == 3600


def test_an_error_of_an_operation_is_raised_as_it_is(world: VirtualWorld) -> None:
    """No exception group, no wrapping: the user's own exception."""

    async def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        world.run(fail)


def test_a_cancelled_operation_is_done_and_has_no_result(world: VirtualWorld) -> None:
    """Cancelling takes effect at the next checkpoint."""
    operation = world.start(trio.sleep_forever)
    world.settle()
    operation.cancel()
    world.settle()

    assert operation.state == "cancelled"
    with pytest.raises(WorldError, match="cancelled"):
        operation.result()


def test_a_wait_without_any_deadline_is_a_deadlock_that_names_the_waiter(
    world: VirtualWorld,
) -> None:
    """The report says which task waits, where in its code, and on what."""
    lock = trio.Lock()

    async def take_twice() -> None:
        async with trio.open_nursery() as nursery:
            await lock.acquire()
            nursery.start_soon(lock.acquire, name="second taker")

    with pytest.raises(Deadlock) as caught:
        world.run(take_twice)

    story = str(caught.value)
    assert "take_twice never ends" in story
    assert "second taker: in _LockImpl.acquire" in story
    assert "test_virtual_world.py" in story


def test_tasks_that_never_block_are_a_livelock_with_their_names(
    world: VirtualWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop of checkpoints at one instant cannot end by itself."""
    monkeypatch.setattr(pump, "TICKS_MAX", 200)

    async def spin() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    world.start(spin)
    with pytest.raises(Livelock, match="spin"):
        world.settle()


def test_a_service_that_fails_fails_the_world_with_its_own_error(world: VirtualWorld) -> None:
    """A dead server must not look like a quiet one."""

    async def die_later() -> None:
        await trio.sleep(1)
        raise LookupError("gone")

    world.spawn(die_later)
    with pytest.raises(LookupError, match="gone"):
        world.advance(2)


def test_waiting_for_idleness_works_inside_a_world(world: VirtualWorld) -> None:
    """trio.testing.wait_all_tasks_blocked lets its cushion of virtual time pass, and no more."""
    world.run(trio.testing.wait_all_tasks_blocked)
    assert 0 == world.now

    world.run(trio.testing.wait_all_tasks_blocked, 0.01)
    assert 0.01 == world.now


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), True, "1"])
def test_time_never_runs_backwards(world: VirtualWorld, seconds: float) -> None:
    """A negative or senseless step of time names the value and the legal range."""
    with pytest.raises(PlanError, match=r"seconds must be in \[0, 1e\+09\], got"):
        world.advance(seconds)


def test_a_world_opens_once_and_closes_once() -> None:
    """Each misuse has a clear error."""
    world = VirtualWorld()
    with pytest.raises(WorldError, match="new"):
        world.close()
    world.open()
    with pytest.raises(WorldError, match="opens once"):
        world.open()
    world.close()
    with pytest.raises(WorldError, match="closed"):
        world.close()


def test_a_second_world_in_the_same_thread_is_refused(world: VirtualWorld) -> None:
    """One world at a time per thread; the first one is not harmed."""
    with pytest.raises(WorldError, match="trio run"):
        VirtualWorld().open()

    world.advance(1)
    assert world.now == 1


def test_worlds_in_two_threads_do_not_disturb_each_other(world: VirtualWorld) -> None:
    """Clock and patches are looked up per thread."""
    seen: list[float] = []

    def elsewhere() -> None:
        with VirtualWorld() as other:
            other.advance(5)
            seen.append(time.time() - escapes.EPOCH_S)

    world.advance(1)
    thread = threading.Thread(target=elsewhere)
    escapes.leave()  # this thread may not start threads while its world is open
    try:
        thread.start()
        thread.join()
    finally:
        escapes.enter(world.answers)

    assert seen == [5.0]
    assert time.time() == escapes.EPOCH_S + 1


def test_closing_takes_every_patch_away() -> None:
    """After a world, the process is as it was."""
    before = (time.time, time.sleep, os.urandom, threading.Thread.start, socket.socket.connect)
    state = random.getstate()
    with VirtualWorld() as world:
        world.run(trio.sleep, 1)
        assert escapes.patches_in_place() > 0

    after = (time.time, time.sleep, os.urandom, threading.Thread.start, socket.socket.connect)
    assert after == before
    assert random.getstate() == state
    assert escapes.patches_in_place() == 0
    assert not trio.lowlevel.in_trio_run()


def test_closing_cancels_what_runs_and_lets_it_clean_up() -> None:
    """Clean-up that sleeps under a shield runs to its end, in virtual time."""
    cleaned: list[float] = []

    async def clean_slowly() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
            cleaned.append(trio.current_time())

    with VirtualWorld() as world:
        world.start(clean_slowly)
        world.settle()

    assert cleaned == [5.0]


def test_a_task_that_refuses_to_end_is_killed_and_named() -> None:
    """A shielded task without end is an error of its own, and the thread is free again."""

    async def stay() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    with pytest.raises(WorldError, match="stay"), VirtualWorld() as world:
        world.start(stay)
        world.settle()

    assert not trio.lowlevel.in_trio_run()
    assert escapes.patches_in_place() == 0


def test_a_failing_close_never_hides_the_original_failure() -> None:
    """The first error is what the user must see; the second becomes a note."""

    async def stay() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    with pytest.raises(KeyError) as caught, VirtualWorld() as world:
        world.start(stay)
        world.settle()
        raise KeyError("original")

    assert any("closing the world failed" in note for note in caught.value.__notes__)


# ------------------------------------------------------------------ answered


def test_wall_clock_monotonic_clock_and_ids_come_from_the_world() -> None:
    """Two runs see the same instants, ids and random numbers."""

    def ambient_of_one_run() -> tuple[object, ...]:
        with VirtualWorld() as world:
            world.advance(2.5)

            async def look() -> tuple[object, ...]:
                return (time.time(), time.monotonic_ns(), time.perf_counter(), random.random())

            seen = world.run(look)
            return (*seen, uuid.uuid4(), new_id(), utc_now(), os.urandom(4), time.monotonic())

    first = ambient_of_one_run()

    assert first == ambient_of_one_run()
    assert first[0] == escapes.EPOCH_S + 2.5
    assert first[-1] == escapes.MONOTONIC_S + 2.5


def test_other_bytes_are_one_choice_away() -> None:
    """The stream of random bytes is decided by the world's choices."""
    with VirtualWorld(ScriptedChoices([0])) as world:
        usual = world.random_bytes(8)
    with VirtualWorld(ScriptedChoices([7])) as world:
        other = world.random_bytes(8)

    assert usual != other


def test_worker_threads_of_trio_run_inline(world: VirtualWorld) -> None:
    """to_thread neither deadlocks nor starts a thread, and its errors come back."""
    before = threading.active_count()

    def work(number: int) -> int:
        return number + 1

    def break_down() -> None:
        raise ValueError("inside")

    assert world.run(trio.to_thread.run_sync, work, 41) == 42
    with pytest.raises(ValueError, match="inside"):
        world.run(trio.to_thread.run_sync, break_down)
    assert threading.active_count() == before


# ------------------------------------------------------------------ reported


def _start_thread() -> None:
    threading.Thread(target=print).start()


def _connect() -> None:
    with socket.socket() as real:
        real.connect(("127.0.0.1", 9))


def _sleep() -> None:
    time.sleep(0)


@pytest.mark.parametrize("reach_out", [_start_thread, _connect, _sleep])
def test_what_cannot_be_answered_is_reported_with_file_and_line(
    world: VirtualWorld, reach_out: object
) -> None:
    """Real threads, real sockets and blocking sleeps name where they were called."""

    async def escape() -> None:
        reach_out()  # type: ignore[operator]

    with pytest.raises(Escape, match=r"test_virtual_world\.py:\d+"):
        world.run(escape)


def test_an_escape_cannot_be_swallowed(world: VirtualWorld) -> None:
    """Code that catches everything still fails the run."""

    async def swallow() -> None:
        try:
            _sleep()
        except Exception as error:
            del error

    with pytest.raises(Escape, match=r"time\.sleep"):
        world.run(swallow)


def test_an_escape_inside_a_worker_thread_is_reported_too(world: VirtualWorld) -> None:
    """Inline workers may not block the world either."""
    with pytest.raises(Escape, match=r"test_virtual_world\.py:\d+ .*worker thread"):
        world.run(trio.to_thread.run_sync, _start_thread)


def test_calling_back_from_a_worker_is_reported_instead_of_hanging(world: VirtualWorld) -> None:
    """trio.from_thread inside an inline worker would wait for itself."""
    with pytest.raises(Escape, match="from_thread"):
        world.run(trio.to_thread.run_sync, trio.from_thread.run_sync, print)
