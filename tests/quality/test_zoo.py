"""Are the races of the zoo found by their laws, and told at their smallest? And no others?

``ci/zoo`` measures the same with many seeds, beside plain Hypothesis; this is a slice of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chaoscheck import find_counterexample
from chaoscheck.plan.program import Program
from chaoscheck.stateful.exploring.exploring import EXPLORE_MAX_S, explore
from chaoscheck.stateful.programs.replaying import Replay, replay
from chaoscheck.stateful.shrinking.domain_pass import shrink
from tests.quality.planted_bug import names_in_the_traceback
from tests.quality.zoo.catalogue import RACES
from tests.quality.zoo.enumeration import programs, with_one_hold
from tests.quality.zoo.race import Race

SEEDS = (1, 2)
SECOND_CHANCE = 100
BUDGET = 300  # examples of Hypothesis, which finds all but the deepest race in 150
EXPLORED_MAX = 20_000  # examples of the explorer, each a fifth of the time
SOUND_MAX = 50

each_race = pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)


@pytest.mark.parametrize("seed", SEEDS)
@each_race
def test_a_race_is_found_by_its_law_and_told_at_its_smallest(race: Race, seed: int) -> None:
    """A race that hides in the order of tasks is caught, with an interleaving I can read.

    It takes up to seconds: some hundreds of examples are run to find it, and as many replays to
    shrink it; Hypothesis's own shrinking, which takes ten times as long, is not needed for it.
    A race that some hundreds of Hypothesis's examples do not show is left to the explorer, as in a
    run of the machine. What Hypothesis generates from a seed depends on the modules that are
    loaded, so a search that fails is given one more seed.
    """
    complaints = []
    for one_seed in (seed, seed + SECOND_CHANCE):
        complaint = _complaint(race, one_seed)
        if complaint is None:
            return
        complaints.append(complaint)
    raise AssertionError("\n".join(complaints))


def _found(race: Race, seed: int) -> tuple[Program | None, BaseException] | None:
    """What fails, and how; the program is None where only Hypothesis can replay it."""
    found = find_counterexample(race.machine, max_examples=BUDGET, seed=seed, shrink=False)
    if found is not None:
        return found.program, found.error
    failure = explore(
        race.machine, seconds=EXPLORE_MAX_S, seed=seed, examples_max=EXPLORED_MAX
    ).failure
    if failure is None or failure.first.error is None:
        return None
    return failure.first.program, failure.first.error


def _complaint(race: Race, seed: int) -> str | None:
    """What is wrong with a search for ``race``; None if nothing is."""
    found = _found(race, seed)
    if found is None:
        return f"not found in {BUDGET} and {EXPLORED_MAX} examples: {race.what}"
    program, error = found
    if race.law not in names_in_the_traceback(error):
        return f"another law fell:\n{program}\n{error}"
    shrunk = None if program is None else shrink(race.machine, program)
    if shrunk is None:
        return f"it does not replay without Hypothesis:\n{error}"
    told = shrunk.program
    if len(told) > race.smallest_lines:
        return f"too long, {race.smallest_lines} lines are enough:\n{told}"
    if shrunk.replay.unfair and race.machine.schedules != "any":
        return f"a present trio does not show it:\n{told}"
    return None


@each_race
def test_the_same_search_finds_nothing_wrong_with_the_fixed_twin(race: Race) -> None:
    """No false alarm: however its tasks are ordered, the right subject passes.

    It takes up to a second: fifty examples are searched to their end.
    """
    found = find_counterexample(race.sound, max_examples=SOUND_MAX, seed=SEEDS[0])

    assert found is None, f"a false alarm:\n{found}"


@each_race
def test_nothing_smaller_fails_than_what_is_called_the_smallest(race: Race) -> None:
    """The known minimum of a race is one: shorter stories, and those with fewer holds, pass.

    It takes up to a second or two: every story with at most one hold is replayed. That two holds
    or more cannot be spared is argued beside the machine.
    """
    failing = [run.program for run in _smaller(race) if run.error is not None]

    assert [] == failing


def test_no_present_trio_shows_a_race_with_fewer_holds_than_is_said() -> None:
    """Where a fair story needs two holds, every story with one, late starts too, is replayed.

    It takes seconds: the thousands of stories of one race.
    """
    fair = [race for race in RACES if race.fair_holds == 2]
    failing = [
        run.program
        for race in fair
        for program in programs(race.machine, race.smallest_steps)
        for run in (
            replay(race.machine, program),
            *with_one_hold(race.machine, program, race.services),
        )
        if run.error is not None and not run.unfair
    ]

    assert ["double_win"] == [race.name for race in fair]
    assert [] == failing


def _smaller(race: Race) -> Iterator[Replay]:
    for length in range(1, race.smallest_steps + 1):
        holds = race.smallest_holds - (length == race.smallest_steps)
        for program in programs(race.machine, length) if holds >= 0 else ():
            yield replay(race.machine, program)
            if holds >= 1:
                yield from with_one_hold(race.machine, program, race.services)


def test_the_enumeration_finds_the_races_that_need_no_hold() -> None:
    """It is no empty enumeration: of the stories of the smallest length some do fail."""
    unheld = [race for race in RACES if race.smallest_holds == 0]
    found = [
        race
        for race in unheld
        if _fails(
            race,
            (
                replay(race.machine, program)
                for program in programs(race.machine, race.smallest_steps)
            ),
        )
    ]

    assert unheld == found


def test_the_enumeration_finds_the_races_that_need_one_hold() -> None:
    """Nor is the one with a hold: one hold is enough where one is said to be needed."""
    held = [race for race in RACES if race.smallest_holds == 1]
    found = [
        race
        for race in held
        if _fails(
            race,
            (
                run
                for program in programs(race.machine, race.smallest_steps)
                for run in with_one_hold(race.machine, program, race.services)
            ),
        )
    ]

    assert held == found


def _fails(race: Race, runs: Iterator[Replay]) -> bool:
    errors = (run.error for run in runs)
    return any(race.law in names_in_the_traceback(error) for error in errors if error is not None)


def test_the_zoo_holds_races_that_one_schedule_a_program_never_shows() -> None:
    """The zoo is no easy ground: half of it is out of reach without drawn schedules."""
    hidden = [race for race in RACES if not race.plain_finds]

    assert 7 <= len(hidden)
    assert [] == [race.name for race in hidden if race.smallest_holds == 0]


def test_most_races_are_orders_that_a_present_trio_shows() -> None:
    """At least 14 of 16 are found with fair schedules; the others say that they need any."""
    assert ["aba", "order_of_five"] == sorted(
        race.name for race in RACES if race.machine.schedules == "any"
    )


def test_races_have_names_of_their_own() -> None:
    """A failing test names exactly one race, and its file."""
    names: list[Any] = [race.name for race in RACES]

    assert sorted(set(names)) == sorted(names)
