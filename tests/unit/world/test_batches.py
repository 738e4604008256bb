"""Batches: what comes from outside comes between two of them, whatever runs one task a tick."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import Livelock
from chaoscheck.plan.hold import Hold
from chaoscheck.world.choices import ScriptedChoices, SeededChoices
from chaoscheck.world.drawn_schedules import SCHEDULES, Pct
from chaoscheck.world.schedule import Fifo, Scheduler
from chaoscheck.world.scheduler import PATIENCE, HoldingLine
from chaoscheck.world.virtual import VirtualWorld
from tests.unit.world.labelled_choices import LabelledChoices
from tests.unit.world.task_programs import DOINGS, TaskProgram, course, task_programs
from tests.unit.world.test_schedules import MANY, no_hook

each_schedule = pytest.mark.parametrize("name", sorted(SCHEDULES))


def world_with(scheduler: Scheduler) -> VirtualWorld:
    """A world whose tasks are ordered by ``scheduler``."""
    world = VirtualWorld()
    world.scheduler = scheduler
    return world


# ---------------------------------------------------------------------- deadlines


@each_schedule
def test_a_deadline_that_wakes_no_task_passes(name: str) -> None:
    """A time-out around a shield is due while nothing can be cancelled: nothing happens."""

    async def shielded() -> bool:
        with trio.move_on_after(1) as scope, trio.CancelScope(shield=True):
            await trio.sleep(3)
        return scope.cancel_called

    with world_with(SCHEDULES[name](SeededChoices(1))) as world:
        assert world.run(shielded)
        assert 3 == world.now


def two_woken_by_one_event(scheduler: Scheduler) -> list[str]:
    """The task that runs first sets a deadline of the other, woken with it, to now."""
    log: list[str] = []
    event = trio.Event()
    scopes: list[trio.CancelScope] = []

    async def expiring() -> None:
        await event.wait()
        for scope in scopes:
            scope.deadline = trio.current_time()

    async def working() -> None:
        with trio.CancelScope() as scope:
            scopes.append(scope)
            await event.wait()
            await trio.lowlevel.checkpoint_if_cancelled()
            log.append("worked")

    with world_with(scheduler) as world:
        world.start(expiring)
        world.start(working)
        world.settle()
        event.set()
        world.settle()
    return log


def test_deadlines_do_not_expire_between_two_tasks_of_one_batch() -> None:
    """Both tasks run in one batch of trio, which looks at deadlines before and after it."""
    assert ["worked"] == two_woken_by_one_event(Fifo())
    assert ["worked"] == two_woken_by_one_event(HoldingLine())
    assert ["worked"] == two_woken_by_one_event(SCHEDULES["shuffle"](SeededChoices(1)))
    with no_hook():
        assert ["worked"] == two_woken_by_one_event(Fifo())


@MANY
@given(task_programs([doing for doing in DOINGS if doing != "cancel later"]))
def test_without_the_hook_of_trio_timers_fire_between_batches_as_well(
    programs: list[TaskProgram],
) -> None:
    """A trio that lost its hook gives me the very same run, sleeps and time-outs included."""
    with no_hook():
        by_hand = course(programs, Fifo())

    assert course(programs, Fifo()) == by_hand


def test_a_task_reads_the_time_while_deadlines_wait() -> None:
    """That trio is not told the time is for its own question alone."""
    times: list[float] = []

    async def read() -> None:
        for _ in range(3):
            times.append(trio.current_time())
            await trio.lowlevel.checkpoint()

    with world_with(HoldingLine()) as world:
        world.advance(5)
        for _ in range(3):
            world.start(read)
        world.settle()
        assert [5.0] * 9 == times
        assert 5.0 == world.now


# ---------------------------------------------------------------------- every task has its turn


def polling(scheduler: Scheduler, slices: int) -> float:
    """A task polls for what another one does; how long it took."""
    done: list[bool] = []

    async def work() -> None:
        for _ in range(slices):
            await trio.lowlevel.checkpoint()
        done.append(True)

    async def poll() -> None:
        while not done:
            await trio.lowlevel.checkpoint()

    with world_with(scheduler) as world:
        world.begin_step(1)
        for body in (work, poll):
            world.start(body)
        world.begin_step(2)
        world.settle()
        return world.now


def test_honest_polling_is_no_livelock_under_ranks() -> None:
    """PCT ranks a polling task before the one that it waits for; that one has its turn."""
    ranks = LabelledChoices({"schedule: rank": [1, 0]})

    assert 0 == polling(Pct(ranks, 2), 20)


@each_schedule
@pytest.mark.parametrize("seed", range(2))
def test_honest_polling_is_no_livelock(name: str, seed: int) -> None:
    """Whatever strategy is drawn, work of 300 slices ends; takes 0.2 s under those that starve."""
    assert 0 == polling(SCHEDULES[name](SeededChoices(seed)), 300)


def test_a_hold_that_waits_for_a_task_that_never_comes_ends() -> None:
    """A story with an edited hold replays: the held task has its turn beside one that polls."""
    hold = Hold(task="work@1", at=0, until="gone@7", ran=1)

    assert 0 == polling(HoldingLine([hold]), 5)


def test_a_task_is_passed_over_so_many_times_and_no_more() -> None:
    """The limit is a number, and the turn that it gives is on record like any other."""
    line = HoldingLine([Hold(task="held@1", at=0, until="gone@7", ran=1)])
    turns: list[str] = []

    async def run(letter: str) -> None:
        for _ in range(2 * PATIENCE):
            turns.append(letter)
            await trio.lowlevel.checkpoint()

    with world_with(line) as world:
        world.begin_step(1)
        for letter in ("held", "free"):
            world.start(run, letter, name=letter)
        world.settle()

    assert PATIENCE + 1 == turns.index("held")
    assert "held@1" == line.holds()[0].task
    assert PATIENCE + 1 == line.holds()[0].ran


@pytest.mark.parametrize("name", ["fifo", "starve"])
def test_tasks_that_never_end_are_a_livelock(name: str) -> None:
    """Two tasks that only poll each other are told; takes 1 s, for so many ticks it needs."""

    async def poll() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    with world_with(SCHEDULES[name](ScriptedChoices())) as world:
        world.begin_step(1)
        for _ in range(2):
            world.start(poll)
        with pytest.raises(Livelock, match="poll"):
            world.settle()


# ---------------------------------------------------------------------- waits for idleness


def idle_at(scheduler: Scheduler, cushion_s: float, sleeps_s: list[float]) -> float:
    """When a wait for idleness ends beside a task that sleeps so and so long."""
    ended: list[float] = []

    async def sleep() -> None:
        for seconds in sleeps_s:
            await trio.sleep(seconds)

    async def wait() -> None:
        await trio.testing.wait_all_tasks_blocked(cushion_s)
        ended.append(trio.current_time())

    with world_with(scheduler) as world:
        world.begin_step(1)
        world.start(sleep)
        operation = world.start(wait)
        world.run_until(operation)
    return ended[0]


@pytest.mark.parametrize("scheduler", [Fifo, HoldingLine])
@pytest.mark.parametrize(
    ("cushion_s", "sleeps_s", "ends_s"),
    [
        (0.0, [5.0], 0.0),
        (0.5, [], 0.5),
        (0.5, [5.0], 0.5),
        (0.5, [0.2, 0.2, 0.2], 1.1),
        (0.5, [0.5, 0.5, 0.5], 2.0),
        (1e-20, [1.0], 0.0),
    ],
)
def test_a_wait_for_idleness_lasts_its_cushion(
    scheduler: type[Fifo], cushion_s: float, sleeps_s: list[float], ends_s: float
) -> None:
    """All tasks must have been blocked for so many virtual seconds; each wake-up begins anew."""
    assert pytest.approx(ends_s) == idle_at(scheduler(), cushion_s, sleeps_s)


@MANY
@given(st.integers(1, 9), st.lists(st.integers(0, 9), max_size=4))
def test_a_wait_for_idleness_ends_a_cushion_after_the_last_wake_up(
    cushion: int, sleeps: list[int]
) -> None:
    """The cushion begins anew with each sleep that ends within it, as the model adds up."""
    now = 0
    for sleep in sleeps:
        if sleep > cushion:
            break
        now += sleep

    assert now + cushion == idle_at(Fifo(), cushion, [float(each) for each in sleeps])


def test_a_wait_for_idleness_does_not_settle_before_its_cushion() -> None:
    """Settling moves no clock; the wait is over when time has passed."""
    with world_with(Fifo()) as world:
        operation = world.start(trio.testing.wait_all_tasks_blocked, 2.0)
        world.settle()
        assert not operation.done
        world.advance(1.5)
        assert not operation.done
        world.advance(1)
        assert operation.done
