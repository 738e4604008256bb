"""Fair schedules: plain trio can run every order that is drawn, and holds replay it exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import trio

from chaoscheck.plan.hold import Hold
from chaoscheck.world.choices import Choices, ScriptedChoices, SeededChoices
from chaoscheck.world.drawn_schedules import SCHEDULES
from chaoscheck.world.fair_schedules import FAIR_SCHEDULES, OFTEN, Fair, drawn_fair_schedule
from chaoscheck.world.scheduler import HoldingLine, Line
from chaoscheck.world.virtual import VirtualWorld
from tests.unit.world.labelled_choices import LabelledChoices
from tests.unit.world.test_schedules import order_of
from tests.unit.world.trio_oracle import (
    Batch,
    WorldRun,
    certified,
    is_possible,
    names_of,
    run_in_world,
)
from tests.unit.world.trio_outside import LateSource
from tests.unit.world.trio_programs import TIMELESS, random_programs

# Programs under each of the 7 fair schedules: 1 050 and 2 100 runs.
CERTIFIED = 150
SEARCHED = 300

each_fair = pytest.mark.parametrize("name", sorted(FAIR_SCHEDULES))


def differences(make: Callable[[Choices], Line], seeds: range) -> list[str]:
    """How plain trio differs from a world in the world's own batches, program by program."""
    found = []
    for seed in seeds:
        programs = random_programs(seed)
        apart = certified(programs, run_in_world(programs, make(SeededChoices(seed))))
        if apart:
            found.append(f"program {seed}: {apart}")
    return found


def impossible(make: Callable[[Choices], Line], seeds: range) -> list[int]:
    """The timeless programs whose order plain trio cannot run in any batches."""
    found = []
    for seed in seeds:
        programs = random_programs(seed, TIMELESS)
        order = run_in_world(programs, make(SeededChoices(seed))).order
        if is_possible(programs, order) is False:
            found.append(seed)
    return found


# ---------------------------------------------------------------------- the oracle


@each_fair
def test_plain_trio_does_the_same_in_the_same_batches(name: str) -> None:
    """What I see under fair schedules is what trio does: logs are equal, times included.

    Takes 0.6 s for 150 random programs, each run in a world and by plain trio.
    """
    assert [] == differences(FAIR_SCHEDULES[name], range(CERTIFIED))


@each_fair
def test_every_fair_order_is_possible(name: str) -> None:
    """No order is drawn that trio could not run; takes 0.8 s for 300 random programs."""
    assert [] == impossible(FAIR_SCHEDULES[name], range(SEARCHED))


@pytest.mark.parametrize("name", ["walk", "pct2", "pct3", "delay", "starve"])
def test_other_schedules_have_orders_that_trio_cannot_run(name: str) -> None:
    """The oracle can fail: one in ten of these orders or more no present trio shows."""
    assert 6 <= len(impossible(SCHEDULES[name], range(60)))


@pytest.mark.parametrize("name", ["fifo", "shuffle"])
def test_whole_batches_in_any_order_are_possible(name: str) -> None:
    """What only shuffles batches is fair as well."""
    assert [] == impossible(SCHEDULES[name], range(60))


def test_the_oracle_sees_a_task_that_did_not_run_in_its_batch() -> None:
    """A run in which one turn is missing, or two batches are one, is not certified."""
    programs = [(("checkpoint", 0), ("checkpoint", 0)), (("checkpoint", 0),)]
    run = run_in_world(programs, HoldingLine())
    assert "" == certified(programs, run)

    first, second, *rest = run.batches
    joined = Batch(first.at_s, [*first.names, *second.names])
    shorter = Batch(first.at_s, first.names[:-1])
    for batches in ((joined, *rest), (shorter, second, *rest), (first,)):
        assert certified(programs, WorldRun(log=run.log, batches=batches))


def test_the_oracle_sees_a_timer_before_one_that_was_set_earlier() -> None:
    """Of two timers of one instant only the later one may be late; the other way is refused."""
    programs = [(("sleep", 1),)] * 4  # of which the first two begin at 0 s
    run = run_in_world(programs, HoldingLine())

    def with_late(*late: LateSource) -> str:
        batches = []
        for batch in run.batches:
            now = replace(batch, late=frozenset(late)) if batch.at_s == 1 else batch
            batches.append(now)
        return certified(programs, WorldRun(log=run.log, batches=tuple(batches)))

    assert "" == certified(programs, run)
    assert "comes before a timer that was set earlier" in with_late(("timer", "t0", 1))


def test_the_oracle_compares_logs() -> None:
    """Equal batches with another log are a difference."""
    programs = [(("checkpoint", 0),)]
    run = run_in_world(programs, HoldingLine())

    assert certified(programs, WorldRun(log=run.log[:-1], batches=run.batches))
    assert ["t0"] == names_of(programs)


# ---------------------------------------------------------------------- holds


@each_fair
def test_a_fair_order_is_fifo_with_its_holds(name: str) -> None:
    """The holds give the very run again, whatever schedules are set, and none is unfair.

    Takes 0.5 s for 100 random programs.
    """
    for seed in range(100):
        programs = random_programs(seed)
        line = FAIR_SCHEDULES[name](SeededChoices(seed))
        run = run_in_world(programs, line)
        again = HoldingLine(line.holds())

        assert run == run_in_world(programs, again)
        assert line.holds() == again.holds()
        assert () == again.unfair(line.holds())


def test_a_checkpoint_that_outlasts_a_batch_is_unfair() -> None:
    """I am told which hold no present trio keeps, and which it does."""
    start = Hold(task="a@1", at=0, until="b@1", ran=2)
    within = Hold(task="a@1", at=1, until="b@1", ran=2)
    outlasts = Hold(task="a@1", at=1, until="b@1", ran=3)

    for holds, unfair in (((start,), ()), ((within,), ()), ((outlasts,), (outlasts,))):
        line = HoldingLine(holds)
        order_of(line, {"a": 3, "b": 5})
        assert unfair == line.unfair(holds)


def test_a_late_start_joins_the_batch_in_which_it_comes() -> None:
    """A request that comes a batch late may run before the others of that batch."""
    late = Hold(task="b@1", at=0, until="a@1", ran=1, late=True)
    meanwhile = Hold(task="a@1", at=1, until="b@1", ran=1)
    line = HoldingLine([late, meanwhile])

    assert "abaabb" == order_of(line, {"a": 3, "b": 3})
    assert () == line.unfair([late, meanwhile])


# ---------------------------------------------------------------------- what is drawn


@each_fair
def test_nothing_odd_chosen_is_fifo(name: str) -> None:
    """A failing example shrinks towards the order that I would expect by myself."""
    line = FAIR_SCHEDULES[name](ScriptedChoices())

    assert "abcabcabc" == order_of(line, {"a": 3, "b": 3, "c": 3})
    assert () == line.holds()


def test_a_start_is_late_by_as_many_batches_as_drawn() -> None:
    """The others run so many batches without it."""
    lag = OFTEN[-1]
    line = Fair(LabelledChoices({"schedule: late": [len(OFTEN) - 1]}), lags=OFTEN)

    assert lag == order_of(line, {"a": 2, "b": 9}).index("a")


def test_late_starts_alone_do_not_wait() -> None:
    """Lateness is measured in batches of others: if there are none, the next start comes."""
    late = LabelledChoices({"schedule: late": [len(OFTEN) - 1, len(OFTEN) - 2]})

    assert order_of(Fair(late, lags=OFTEN), {"a": 2, "b": 2}).startswith("b")


def lock_order(line: Line) -> list[str]:
    """In which order five children of one task take a lock, three times each."""
    taken: list[str] = []

    async def take(lock: trio.Lock, name: str) -> None:
        for _ in range(3):
            async with lock:
                taken.append(name)

    async def run() -> None:
        lock = trio.Lock()
        async with trio.open_nursery() as nursery:
            for name in "abcde":
                nursery.start_soon(take, lock, name, name=name)

    world = VirtualWorld()
    world.scheduler = line
    with world:
        world.begin_step(1)
        world.start(run)
        world.settle()
    return taken


def is_fair(taken: list[str]) -> bool:
    """Whether every round is in the order of the first."""
    return taken == taken[:5] * 3


@each_fair
def test_a_lock_is_as_fair_as_trio_promises(name: str) -> None:
    """trio's lock goes to the task that waited longest; fair schedules raise no false alarm."""
    orders = [lock_order(FAIR_SCHEDULES[name](SeededChoices(seed))) for seed in range(30)]

    assert [] == [order for order in orders if not is_fair(order)]


def test_a_lock_is_unfair_where_checkpoints_outlast_batches() -> None:
    """That promise is one that other schedules break: code that relies on it is accused."""
    orders = [lock_order(SCHEDULES["walk"](SeededChoices(seed))) for seed in range(30)]

    assert [] != [order for order in orders if not is_fair(order)]


def test_every_fair_strategy_can_be_drawn() -> None:
    """No strategy is on the list in vain."""
    drawn = {type(drawn_fair_schedule(ScriptedChoices([value]))) for value in range(16)}

    assert {type(make(ScriptedChoices())) for make in FAIR_SCHEDULES.values()} == drawn
