"""The domain pass reaches the shortest story of small machines, whatever it starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import pytest

from chaoscheck.plan.program import Literal, Program, Step
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.search import find_counterexample
from chaoscheck.stateful.shrinking.domain_pass import shrink
from tests.unit.stateful.shrinking.known_minima import MINIMA, Call, KnownMinimum

SEEDS = range(10)
IDS = [each.machine.__name__ for each in MINIMA]


def program(calls: Sequence[Call]) -> Program:
    """The calls as a program."""
    steps = [
        Step(number=number, rule=name, arguments={key: Literal(v) for key, v in values.items()})
        for number, (name, values) in enumerate(calls, start=1)
    ]
    return Program(steps=tuple(steps))


def calls_of(found: Program, machine: Any) -> list[Call]:
    """The calls of a program, with the values that the machine was given."""
    run = replay(machine, found, aloud=True)
    assert run.error is not None
    return [
        (step.rule, {name: str(a) for name, a in step.arguments.items()}) for step in found.steps
    ]


def shorter_or_simpler(known: KnownMinimum) -> Iterator[Sequence[Call]]:
    """Every sequence of its calls that is shorter, and those as long that stand before it."""
    for length in range(len(known.story)):
        yield from product(known.calls, repeat=length)
    for calls in product(known.calls, repeat=len(known.story)):
        if list(calls) == list(known.story):
            return
        if simpler(calls, known.story):
            yield calls


def simpler(calls: Sequence[Call], than: Sequence[Call]) -> bool:
    """Whether all numbers are at most as large; other values stand in their order of simplicity."""

    def size(each: Sequence[Call]) -> tuple[int, list[int]]:
        numbers = [v for _, values in each for v in values.values() if isinstance(v, int)]
        return sum(map(abs, numbers)), numbers

    return len(than) == 1 and size(calls) <= size(than)


@pytest.mark.parametrize("known", MINIMA, ids=IDS)
def test_nothing_shorter_fails(known: KnownMinimum) -> None:
    """The minimum is one: it fails, and nothing does that a reader would call simpler."""
    assert replay(known.machine, program(known.story)).error is not None
    assert [] == [
        calls
        for calls in shorter_or_simpler(known)
        if replay(known.machine, program(calls)).error is not None
    ]


@pytest.mark.parametrize("known", MINIMA, ids=IDS)
def test_the_shortest_story_is_reached_from_every_seed(known: KnownMinimum) -> None:
    """Ten raw failures each, by the pass alone (0.1 to 2 s: it replays some hundreds of times)."""
    wanted = [(name, {key: repr(v) for key, v in values.items()}) for name, values in known.story]
    reached = []
    for seed in SEEDS:
        raw = find_counterexample(known.machine, max_examples=1_000, seed=seed, shrink=False)
        assert raw is not None
        assert raw.program is not None
        shrunk = shrink(known.machine, raw.program)
        assert shrunk is not None
        reached.append(calls_of(shrunk.program, known.machine))

    assert [wanted] * len(SEEDS) == reached
