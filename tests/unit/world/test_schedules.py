"""Schedules: FIFO is trio's own; a drawn order is a function of its choices, and its holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaoscheck.plan.hold import Hold
from chaoscheck.world.choices import Choices, ScriptedChoices, SeededChoices
from chaoscheck.world.drawn_schedules import (
    EXAMPLE_DRAWS_MAX,
    SCHEDULES,
    STEP_DRAWS_MAX,
    Delay,
    Pct,
    Shuffle,
    Starve,
    Walk,
    drawn_schedule,
)
from chaoscheck.world.schedule import Fifo, Scheduler
from chaoscheck.world.scheduler import HoldingLine
from chaoscheck.world.virtual import VirtualWorld
from tests.unit.world.labelled_choices import LabelledChoices
from tests.unit.world.task_programs import DOINGS, TaskProgram, course, task_programs

# Many small courses of 1 to 3 ms each, so that a property may cost a little more than 0.25 s.
MANY = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# A cancel at a checkpoint is looked for after each tick, and a tick of Fifo is a whole batch.
AS_TRIO = tuple(doing for doing in DOINGS if doing != "cancel later")

seeds = st.integers(0, 2**32)
strategies = st.sampled_from(sorted(SCHEDULES))


class ForgetfulLine(HoldingLine):
    """A broken twin: one hold is forgotten."""

    def __init__(self, holds: Sequence[Hold]) -> None:
        super().__init__(holds[:-1])


def order_of(scheduler: Scheduler, stretches: dict[str, int]) -> str:
    """Who ran: one letter a stretch, for tasks that do nothing but give way."""
    told: list[str] = []
    world = VirtualWorld()
    world.scheduler = scheduler

    async def run(letter: str, times: int) -> None:
        for _ in range(times - 1):
            told.append(letter)
            await trio.lowlevel.checkpoint()
        told.append(letter)

    with world:
        world.begin_step(1)
        for letter, times in stretches.items():
            world.start(run, letter, times, name=letter)
        world.settle()
    return "".join(told)


# ---------------------------------------------------------------------- FIFO


@MANY
@given(task_programs(AS_TRIO))
def test_a_line_without_holds_is_the_order_of_trio_itself(programs: list[TaskProgram]) -> None:
    """What I see without a drawn schedule is what trio would do with nobody shuffling."""
    assert course(programs, Fifo()) == course(programs, HoldingLine())


def test_a_line_without_holds_is_the_order_of_trio_on_a_network_as_well() -> None:
    """Timers of the network fire at the same places of the order: one trace, one log."""
    assert talk(Fifo()) == talk(HoldingLine())


def talk(scheduler: Scheduler) -> tuple[str, list[str]]:
    """Three clients echo over a slow link; the digest of the trace, and who got what when."""
    told: list[str] = []
    world = VirtualWorld(SeededChoices(3))
    world.scheduler = scheduler

    async def echo(stream: trio.SocketStream) -> None:
        async for chunk in stream:
            await stream.send_all(chunk)

    async def client(name: str) -> None:
        stream = await trio.open_tcp_stream("api.test", 80)
        for turn in range(3):
            await stream.send_all(f"{name}{turn}".encode())
            told.append(f"{(await stream.receive_some()).decode()} at {trio.current_time():g}")
        await stream.aclose()

    with world:
        world.network.add_host("api.test")
        world.network.set_latency("api.test", 0.001, 0.05)
        listeners = world.run(world.network.listen, "api.test", 80)
        world.spawn(trio.serve_listeners, echo, listeners)
        for operation in [world.start(client, name) for name in "abc"]:
            world.run_until(operation)
        return world.trace.digest(), told


# ---------------------------------------------------------------------- drawn orders


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_nothing_odd_chosen_is_fifo(name: str) -> None:
    """A failing example shrinks towards the order that I would expect by myself."""
    programs: list[TaskProgram] = [
        (("checkpoint", 0), ("sleep", 1), ("children", 0), ("lock", 0)),
        (("lock", 0), ("await", 1), ("checkpoint", 0)),
        (("set", 1), ("sleep", 1), ("lock", 0)),
    ]
    fifo = course(programs, HoldingLine())

    run = course(programs, SCHEDULES[name](ScriptedChoices()))

    assert fifo == run
    assert () == run.holds


def test_the_schedule_that_is_chosen_by_0_is_fifo() -> None:
    """A world in which nothing is drawn has no schedule of its own either."""
    assert type(drawn_schedule(ScriptedChoices())) is HoldingLine


def test_every_strategy_can_be_drawn() -> None:
    """No strategy is on the list in vain."""
    drawn = {type(drawn_schedule(ScriptedChoices([value]))) for value in range(16)}

    assert {HoldingLine, Shuffle, Walk, Pct, Delay, Starve} == drawn


@MANY
@given(task_programs(), strategies, seeds)
def test_an_order_is_a_function_of_its_choices(
    programs: list[TaskProgram], name: str, seed: int
) -> None:
    """The same choices are the same run."""
    first = SeededChoices(seed)
    run = course(programs, SCHEDULES[name](first))

    assert run == course(programs, SCHEDULES[name](ScriptedChoices(first.log)))


@settings(MANY, max_examples=120)
@given(task_programs(), strategies, seeds)
def test_any_drawn_order_is_fifo_with_its_holds(
    programs: list[TaskProgram], name: str, seed: int
) -> None:
    """Who waited for whom is all there is to a schedule: it gives the very same run again.

    Takes 1 s: 120 random programs under every strategy, since all else rests on it.
    """
    run = course(programs, SCHEDULES[name](SeededChoices(seed)))

    again = course(programs, HoldingLine(run.holds))

    assert (run.log, run.states) == (again.log, again.states)
    assert run.holds == again.holds


def test_a_line_that_forgets_one_hold_is_caught() -> None:
    """The law above sees a single hold that is missing: every drawn order needs all of its own."""
    programs: list[TaskProgram] = [(("checkpoint", 0),) * 3] * 3
    forgotten = 0
    for seed in range(20):
        run = course(programs, Walk(SeededChoices(seed)))
        if run.holds:
            forgotten += run.log != course(programs, ForgetfulLine(run.holds)).log

    assert forgotten >= 15


def test_a_shuffle_can_turn_a_generation_around() -> None:
    """Whoever is runnable at one time may run in any order, and nobody runs twice meanwhile."""
    turned = LabelledChoices({"schedule: shuffle": [2, 1, 1]})

    assert "cbabacabc" == order_of(Shuffle(turned), {"a": 3, "b": 3, "c": 3})


def test_a_walk_can_run_one_task_to_its_end_before_another_starts() -> None:
    """Anybody who can run may be next, also who has run just now."""
    walk = LabelledChoices({"schedule: walk": [1, 1, 1]})

    assert "bbbaaa" == order_of(Walk(walk), {"a": 3, "b": 3})


def test_pct_runs_ranks_and_changes_them_at_drawn_points() -> None:
    """A task of low rank runs on and on, until a change point puts it behind all others."""
    ranks = {"schedule: rank": [1, 0]}
    change = {**ranks, "schedule: change point": [3]}

    assert "bbbaaa" == order_of(Pct(LabelledChoices(ranks), 2), {"a": 3, "b": 3})
    assert "bbaaab" == order_of(Pct(LabelledChoices(change), 2), {"a": 3, "b": 3})


def test_a_delay_holds_somebody_for_as_long_as_drawn() -> None:
    """One task comes a few decisions late, and then goes on like everybody."""
    delay = LabelledChoices({"schedule: gap": [1], "schedule: delay": [3]})

    assert "bbbbaabaa" == order_of(Delay(delay), {"a": 4, "b": 5})


def test_a_starved_task_waits_until_nobody_else_can_run() -> None:
    """Even a long course of the others does not end the wait."""
    starve = LabelledChoices({"schedule: gap": [2], "schedule: starve": [0]})

    assert "a" + "c" * 8 + "bb" == order_of(Starve(starve), {"a": 1, "b": 2, "c": 8})


# ---------------------------------------------------------------------- limits


def busy(scheduler: Scheduler, choices: Choices, steps: int) -> list[int]:
    """Draws about the schedule in each step of a program that has far more to decide."""
    world = VirtualWorld(choices)
    world.scheduler = scheduler
    drawn: list[int] = []

    async def give_way() -> None:
        for _ in range(60):
            await trio.lowlevel.checkpoint()

    with world:
        for step in range(1, steps + 1):
            before = len(choices.log)
            world.begin_step(step)
            for _ in range(3):
                world.start(give_way)
            world.settle()
            drawn.append(len(choices.log) - before)
    return drawn


@pytest.mark.parametrize("name", ["shuffle", "walk"])
def test_a_step_draws_no_more_than_its_share(name: str) -> None:
    """The program keeps its room among the choices of an example."""
    choices = SeededChoices(1)

    assert [STEP_DRAWS_MAX] * 3 == busy(SCHEDULES[name](choices), choices, 3)


def test_an_example_draws_no_more_than_its_share() -> None:
    """Beyond the limit everything is FIFO, and the run goes on. Takes 0.2 s: it needs 26 steps."""
    choices = SeededChoices(1)

    drawn = busy(Walk(choices), choices, 26)

    assert EXAMPLE_DRAWS_MAX == sum(drawn)
    assert 0 == drawn[-1]


# ---------------------------------------------------------------------- holds


def test_a_hold_ends_with_the_task_that_it_waits_for() -> None:
    """Nobody waits for a checkpoint that is never reached."""
    hold = Hold(task="a@1", at=0, until="b@1", ran=50)

    assert "bbaa" == order_of(HoldingLine([hold]), {"a": 2, "b": 2})


def test_a_hold_ends_when_nobody_else_can_run() -> None:
    """A hold on a task that never comes costs nothing but the turn."""
    holds = [Hold(task="a@1", at=0, until="nobody", ran=1)]

    assert "bbaa" == order_of(HoldingLine(holds), {"a": 2, "b": 2})


def test_two_tasks_that_hold_each_other_do_not_stand_still() -> None:
    """Where all are held, the first in line runs."""
    holds = [
        Hold(task="a@1", at=0, until="b@1", ran=1),
        Hold(task="b@1", at=0, until="a@1", ran=1),
    ]

    assert "abab" == order_of(HoldingLine(holds), {"a": 2, "b": 2})


@MANY
@given(task_programs(), st.data())
def test_any_holds_whatever_give_a_run_that_replays(
    programs: list[TaskProgram], data: st.DataObject
) -> None:
    """I may edit the holds of a program as I like: the run ends, and has holds of its own."""
    names = st.sampled_from(["perform@1", "perform@2", "perform@2.1", "perform@1/perform", "x"])
    holds = st.builds(Hold, task=names, at=st.integers(0, 5), until=names, ran=st.integers(1, 6))
    run = course(programs, HoldingLine(data.draw(st.lists(holds, max_size=4))))

    assert run == course(programs, HoldingLine(run.holds))


# ---------------------------------------------------------------------- failures, and no hook


class BrokenLine(HoldingLine):
    """A scheduler with a bug."""

    def choose(self, now: Sequence[trio.lowlevel.Task], later: Sequence[trio.lowlevel.Task]) -> int:
        """Never gets there."""
        raise KeyError("a bug of a scheduler")


def test_what_a_scheduler_raises_is_the_failure_of_the_world() -> None:
    """My own scheduler's bug reaches me as it is, and no world is left behind."""
    with pytest.raises(KeyError, match="a bug of a scheduler"):
        order_of(BrokenLine(), {"a": 2, "b": 2})

    assert not trio.lowlevel.in_trio_run()
    assert "abab" == order_of(Fifo(), {"a": 2, "b": 2})


def test_the_world_goes_on_first_in_first_out_after_its_scheduler_failed() -> None:
    """Whoever catches the failure still has a world in which time passes and packets arrive."""
    world = VirtualWorld()
    world.scheduler = BrokenLine()
    with world:
        operations = [world.start(trio.sleep, 1) for _ in range(3)]
        with pytest.raises(KeyError):
            world.settle()
        fired: list[float] = []
        world.clock.call_at(0.5, lambda: fired.append(world.now))
        world.advance(2)

        assert [0.5] == fired
        assert all(operation.done for operation in operations)


@contextmanager
def no_hook() -> Iterator[None]:
    """A trio that no longer asks a generator for the order of tasks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chaoscheck.world.pump.hook_available", lambda: False)
        patch.setattr("chaoscheck.world.schedule.hook_available", lambda: False)
        yield


@MANY
@given(task_programs([doing for doing in DOINGS if doing not in ("sleep", "await")]))
def test_without_the_hook_of_trio_the_order_is_fifo_by_hand(programs: list[TaskProgram]) -> None:
    """A trio that lost its hook still gives me the very same run, as long as no timer fires."""
    with no_hook():
        by_hand = course(programs, Fifo())

    assert course(programs, HoldingLine()) == by_hand


def test_without_the_hook_a_drawn_schedule_is_fifo_and_claims_no_holds() -> None:
    """A schedule that nobody asks decides nothing, and says so."""
    line = Walk(SeededChoices(3))

    with no_hook():
        orders = [order_of(line, {"a": 3, "b": 3, "c": 3}) for _ in range(10)]

    assert ["abcabcabc"] * 10 == orders
    assert () == line.holds()
