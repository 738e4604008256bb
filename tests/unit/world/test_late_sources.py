"""What comes from outside may come batches late: timers, sockets, worker threads; nothing else."""

from __future__ import annotations

import socket as stdlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from chaoscheck.plan.hold import Hold
from chaoscheck.world.choices import Choice, ScriptedChoices
from chaoscheck.world.fair_schedules import Fair
from chaoscheck.world.scheduler import HoldingLine, Line
from chaoscheck.world.virtual import VirtualWorld
from tests.unit.world.labelled_choices import LabelledChoices

LATE = "schedule: late source"
LAGS = (0, 1, 2, 3)  # so that an answer is a number of batches

Log = list[str]
Scene = Callable[[Log], Awaitable[object]]


def late_by(*batches: int) -> Fair:
    """Sources are as late as this, in the order in which they are asked about; then on time."""
    choices = LabelledChoices({LATE: list(batches)})
    return Fair(choices, lags=(0,), socket_lags=LAGS, source_lags=LAGS)


def asked(line: Fair) -> list[Choice]:
    """The questions about lateness so far."""
    return [choice for choice in line._choices.log if choice.label == LATE]


def log_of(line: Line, *scenes: Scene, seconds: float = 1) -> Log:
    """What the scenes note, each an operation named after its function, in one world."""
    world, log = VirtualWorld(), Log()
    world.scheduler = line
    with world:
        world.begin_step(1)
        for scene in scenes:
            world.start(scene, log)
        world.advance(seconds)
    return log


async def turns(log: Log, count: int = 8, name: str = "turn") -> None:
    """Give way, and note each turn."""
    for number in range(count):
        log.append(f"{name} {number}")
        await trio.lowlevel.checkpoint()


async def sleeper(log: Log) -> None:
    """Sleep for a second, then take some turns."""
    await trio.sleep(1)
    await turns(log)


async def other(log: Log) -> None:
    """Sleep for the same second."""
    await trio.sleep(1)
    log.append("other wakes")


# ---------------------------------------------------------------------- timers


@pytest.mark.parametrize("lag", LAGS)
def test_a_timer_fires_as_many_batches_late_as_drawn(lag: int) -> None:
    """Of two timers of one instant, the one that was set later may be late."""
    line = late_by(lag)
    log = log_of(line, sleeper, other)

    assert 1 + lag == log.index("other wakes")
    assert (0 if lag == 0 else 1) == len(line.holds())


def test_a_timer_that_was_set_later_never_fires_before() -> None:
    """While the first one is late so is the second, of which nothing is asked until then."""

    async def first(log: Log) -> None:
        await trio.sleep(1)
        log.append("first")

    async def wakes(log: Log) -> None:
        await trio.sleep(1)
        log.append("second")

    line = late_by(2, 0)
    log = log_of(line, sleeper, first, wakes)

    assert ["turn 0", "turn 1", "turn 2", "first", "second"] == log[:5]
    assert 2 == len(asked(line))


def test_a_deadline_that_has_passed_when_it_is_set_is_never_late() -> None:
    """The next batch knows of it in every run."""

    async def cancels_itself(log: Log) -> None:
        with trio.move_on_after(0):
            await turns(log, name="own")
        log.append("moved on")

    line = late_by(3, 3, 3)
    log = log_of(line, turns_once, cancels_itself)

    assert ["own 0", "moved on"] == [each for each in log if not each.startswith("turn")]
    assert [] == asked(line)


async def turns_once(log: Log) -> None:
    """Some turns at once."""
    await turns(log)


def test_two_scopes_of_one_deadline_expire_together() -> None:
    """Two tasks that share a deadline are timed out at the same time in every run."""
    shared: list[float] = []

    def until(name: str) -> Scene:
        async def waits(log: Log) -> None:
            shared.append(shared[0] if shared else trio.current_time() + 1)
            await trio.sleep_until(shared[0])
            log.append(name)

        return waits

    line = late_by(2)
    log = log_of(line, sleeper, until("a"), until("b"))

    assert ["turn 0", "turn 1", "turn 2", "a", "b"] == log[:5]
    assert 1 == len(asked(line))


def test_a_scope_that_is_left_while_its_timer_is_late_is_not_cancelled() -> None:
    """What came in time came in time, and the story says that the timer did not fire before."""
    event: list[trio.Event] = []

    async def waits(log: Log) -> None:
        event.append(trio.Event())
        with trio.move_on_after(1) as scope:
            await event[0].wait()
        log.append(f"cancelled: {scope.cancelled_caught}")
        await turns(log, 2)

    async def sets(log: Log) -> None:
        await trio.sleep(1)
        event[0].set()

    for line, cancelled in ((late_by(0), True), (late_by(3), False)):
        event.clear()
        log = log_of(line, sets, waits)
        again = HoldingLine(line.holds())
        event.clear()

        assert f"cancelled: {cancelled}" == log[0]
        assert log == log_of(again, sets, waits)


# ---------------------------------------------------------------------- sockets


def reading(line: Line) -> Log:
    """One task writes and takes turns, another has been waiting to read, a third takes turns."""
    pairs: list[tuple[Any, Any]] = []

    async def reads(log: Log) -> None:
        pairs.append(trio.socket.socketpair())
        log.append(f"read {await pairs[0][0].recv(9)!r}")

    async def writes(log: Log) -> None:
        await trio.lowlevel.checkpoint()
        await pairs[0][1].send(b"x")
        await turns(log)

    async def watches(log: Log) -> None:
        await turns(log, 3, "else")

    return log_of(line, reads, writes, watches)


@pytest.mark.parametrize("lag", LAGS)
def test_a_socket_is_ready_as_many_batches_late_as_drawn(lag: int) -> None:
    """A packet may need longer than its sender to go on."""
    line = late_by(lag)
    log = reading(line)

    assert lag == [each for each in log if not each.startswith("else")].index("read b'x'")
    assert log == reading(HoldingLine(line.holds()))


def test_a_socket_that_a_task_looks_at_is_ready() -> None:
    """What another task sees has arrived: the one that waits knows before the next batch."""
    pairs: list[tuple[Any, Any]] = []

    async def reads(log: Log) -> None:
        pairs.append(trio.socket.socketpair())
        log.append(f"read {await pairs[-1][0].recv(9)!r}")

    async def looks(log: Log) -> None:
        for _ in range(2):
            await trio.lowlevel.checkpoint()
        log.append(f"ready: {pairs[-1][0].is_readable()}")
        await turns(log)

    async def writes(log: Log) -> None:
        await trio.lowlevel.checkpoint()
        await pairs[-1][1].send(b"x")

    log = log_of(late_by(3), reads, looks, writes)

    assert log.index("read b'x'") <= log.index("ready: True") + 2


def test_closing_a_socket_wakes_at_once() -> None:
    """Another task's close is no packet: it is never late."""
    pairs: list[tuple[Any, Any]] = []

    async def reads(log: Log) -> None:
        pairs.append(trio.socket.socketpair())
        try:
            await pairs[-1][0].recv(9)
        except trio.ClosedResourceError:
            log.append("closed")

    async def closes(log: Log) -> None:
        await trio.lowlevel.checkpoint()
        await pairs[-1][1].send(b"x")
        pairs[-1][0].close()
        await turns(log, 3)

    log = log_of(late_by(3), reads, closes, turns_once)

    assert log.index("closed") <= log.index("turn 0", 1) + 2


def test_a_connect_is_late_as_a_whole() -> None:
    """No server has accepted a client that does not know yet that it is connected."""

    async def serves(log: Log) -> None:
        (listener,) = await trio.open_tcp_listeners(80, host="127.0.0.1")
        await listener.accept()
        log.append("accepted")

    async def connects(log: Log) -> None:
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        with trio.socket.socket(stdlib.AF_INET) as made:
            await made.connect(("127.0.0.1", 80))
            log.append("connected")

    line = late_by(3)
    log = log_of(line, serves, connects, turns_once)

    assert ["connected", "accepted"] == sorted((x for x in log if "turn" not in x), reverse=True)
    assert log.index("turn 4") < log.index("accepted")
    assert log == log_of(HoldingLine(line.holds()), serves, connects, turns_once)


# ---------------------------------------------------------------------- worker threads


@pytest.mark.parametrize("lag", LAGS)
def test_a_worker_thread_ends_as_many_batches_late_as_drawn(lag: int) -> None:
    """What a thread computes takes its time."""

    async def computes(log: Log) -> None:
        log.append(f"computed {await trio.to_thread.run_sync(len, 'abc')}")

    line = late_by(lag)
    log = log_of(line, computes, turns_once)

    on_time = log_of(late_by(0), computes, turns_once)
    assert lag == log.index("computed 3") - on_time.index("computed 3")
    assert log == log_of(HoldingLine(line.holds()), computes, turns_once)


# ---------------------------------------------------------------------- and no more than that


async def alone(log: Log) -> None:
    """A thread and two timers, with nothing else going on."""
    await trio.sleep(1)
    await trio.to_thread.run_sync(len, "abc")
    with trio.move_on_after(1):
        await trio.sleep_forever()
    log.append(f"{trio.current_time():g}")


def test_nothing_is_asked_where_nothing_else_can_happen() -> None:
    """Machines whose operations run one by one pay no draw, and time goes its way."""
    line = late_by(3, 3, 3, 3)

    assert ["2"] == log_of(line, alone, seconds=9)
    assert [] == asked(line)


def test_time_never_moves_while_something_is_late() -> None:
    """It comes at the instant at which it was due, when nothing else can happen."""

    async def notes(log: Log) -> None:
        await trio.sleep(1)
        log.append(f"{trio.current_time():g}")

    log = log_of(late_by(3, 3, 3), notes, notes, notes, seconds=9)

    assert ["1", "1", "1"] == log


def test_a_world_closes_while_something_is_late() -> None:
    """A worker thread that was late when a law fell does not keep the world open."""

    async def computes(log: Log) -> None:
        await trio.to_thread.run_sync(len, "abc")

    async def fails(log: Log) -> None:
        await trio.lowlevel.checkpoint()
        world.fail(ArithmeticError())

    world = VirtualWorld()
    world.scheduler = late_by(3)
    with pytest.raises(ArithmeticError), world:
        world.start(computes, [])
        world.start(fails, [])
        world.settle()


def test_a_task_that_polls_for_what_is_late_is_no_livelock() -> None:
    """A hold that nothing ends is over after a hundred batches."""
    pairs: list[tuple[Any, Any]] = []

    async def reads(log: Log) -> None:
        pairs.append(trio.socket.socketpair())
        log.append(f"read {await pairs[-1][0].recv(9)!r}")

    async def polls(log: Log) -> None:
        await trio.lowlevel.checkpoint()
        await pairs[-1][1].send(b"x")
        while not log:
            await trio.lowlevel.checkpoint()

    late = Hold(task="reads@1", at=1, until="nobody@9", ran=1, source="socket")

    assert ["read b'x'"] == log_of(HoldingLine([late]), reads, polls, turns_silently)


async def turns_silently(log: Log) -> None:
    """Be there."""
    await trio.lowlevel.checkpoint()


def test_without_late_sources_nothing_is_ever_late() -> None:
    """FIFO, shuffles and kept stories without such holds run as they did."""
    assert not HoldingLine([Hold(task="a@1", at=0, until="b@1", ran=1)]).has_late_sources
    assert not Fair(ScriptedChoices(), lags=(0, 1)).has_late_sources
    assert HoldingLine(
        [Hold(task="a@1", at=1, until="b@1", ran=1, source="timer")]
    ).has_late_sources


def test_holds_say_what_was_late() -> None:
    """I read which timer, of which task, and until when."""
    line = late_by(2)
    log_of(line, sleeper, other)

    assert ["other@1's 1st timer does not fire until sleeper@1 has passed its 2nd checkpoint"] == [
        str(hold) for hold in line.holds()
    ]
