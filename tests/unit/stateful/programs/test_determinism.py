"""The guard on determinism: what does not ask the world is named, before anybody says flaky."""

from __future__ import annotations

import itertools
import random as chance  # noqa: TID251  # the generator that does not ask the world
import re
import time as clock  # noqa: TID251  # the clock that does not ask the world
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import trio
from hypothesis import Phase, settings
from hypothesis import strategies as st

from chaoscheck.errors import Unreproducible
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.status_500 import Status500
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.determinism import first_divergence, require_determinism
from chaoscheck.stateful.rules import invariant, rule
from chaoscheck.stateful.running import run_machine
from chaoscheck.wire.fast_transport import FastTransport
from tests.unit.stateful.stories import QUICK, story

SEARCH = settings(QUICK, max_examples=20, phases=[Phase.generate, Phase.shrink])

own_random = chance.Random()  # seeded by the system
own_clocks = [[clock.perf_counter_ns]]  # too deep to be found: beyond the reach of the world
counter = itertools.count()


class Member:
    """Hashed by its address, as every object is."""

    def __init__(self, name: int) -> None:
        self.name = name


class Undetermined(ChaosMachine):
    """Asks somebody else how many tasks to start, or in which order."""

    def how_many(self) -> int:
        return 1

    @rule()
    async def work(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(self.how_many()):
                nursery.start_soon(trio.lowlevel.checkpoint)

    @rule()
    def nothing(self) -> None:
        """A step."""


class Counted(Undetermined):
    """State that outlives an example."""

    def how_many(self) -> int:
        return next(counter) % 3


class Chanced(Undetermined):
    """A generator of its own."""

    def how_many(self) -> int:
        return own_random.randrange(50)


class Clocked(Undetermined):
    """A clock that was bound early."""

    def how_many(self) -> int:
        return own_clocks[0][0]() // 1000 % 50


class Addressed(Undetermined):
    """A set in the order of addresses."""

    @rule()
    async def work(self) -> None:
        filler = [Member(next(counter)) for _ in range(next(counter) % 7)]
        members = {Member(number) for number in range(20)}
        async with trio.open_nursery() as nursery:
            for member in members:
                nursery.start_soon(trio.sleep, member.name / 10)
        assert len(filler) < 7


@pytest.mark.parametrize("machine", [Counted, Chanced, Clocked], ids=lambda each: each.__name__)
def test_what_does_not_ask_the_world_is_found_with_task_and_line(machine: Any) -> None:
    """The first place where two runs differ is the nearest that can be seen from outside."""
    divergence = first_divergence(machine, story("nothing", "work", "nothing", "work"))

    assert divergence is not None
    assert divergence.moment > 1
    told = str(divergence)
    assert re.fullmatch(
        r"two replays of one program diverge at event \d+:\n"
        r"  one:    .+\n  other:  .+\n  before: .+",
        told,
    )
    assert "work" in told
    assert re.search(r"test_determinism\.py:\d+", told)


def test_an_order_of_addresses_is_found() -> None:
    """Objects in a set: who sleeps how long differs from run to run."""
    divergence = first_divergence(Addressed, story("work", "work", "work"))

    assert divergence is not None
    assert "to run, in " in str(divergence)


def test_a_machine_that_asks_the_world_never_parts_ways() -> None:
    """Chance, clock and network of the world are the same in every replay."""

    class Proper(Undetermined):
        def how_many(self) -> int:
            return chance.randrange(50) + clock.time_ns() % 7

    assert None is first_divergence(Proper, story("work", "nothing", "work"))


def test_a_question_that_is_asked_in_one_run_only_is_named_with_its_label() -> None:
    """A fault rate that only sometimes has a request to decide about."""

    class Sometimes(ChaosMachine):
        faults: ClassVar[tuple[type[Fault], ...]] = (Status500,)

        def setup(self) -> None:
            self.chaos.serve()
            self.chaos.set_rate(Status500(), 0.5)

        @rule()
        def ask(self) -> None:
            if next(counter) % 2:
                self.world.choices.pick("my own question", 5)

    divergence = first_divergence(Sometimes, story("ask"))

    assert divergence is not None
    assert "the question 'my own question' of 5 answers was answered 0" in str(divergence)
    assert "the program" in str(divergence)


def test_an_end_that_differs_is_a_divergence_as_well() -> None:
    """Where nothing but the outcome differs, the outcome is named."""

    class Moody(ChaosMachine):
        @rule()
        def look(self) -> None:
            assert next(counter) % 2

    divergence = first_divergence(Moody, story("look"))

    assert divergence is not None
    assert "the program passes" in str(divergence)
    assert re.search(r"it fails: AssertionError at test_determinism\.py:\d+", str(divergence))


def test_bytes_that_differ_on_the_network_are_a_divergence() -> None:
    """The same questions and tasks, but other bytes."""

    class Talking(ChaosMachine):
        faults: ClassVar[tuple[type[Fault], ...]] = (Status500,)

        def setup(self) -> None:
            self.chaos.serve()

        @rule()
        async def ask(self) -> None:
            import httpx

            async with httpx.AsyncClient(transport=FastTransport()) as client:
                text = f"number {next(counter) % 10}"
                body = {"model": "m", "messages": [{"role": "user", "content": text}]}
                await client.post("http://api.test/v1/chat/completions", json=body)

    divergence = first_divergence(Talking, story("ask"))

    assert divergence is not None


def test_no_program_is_no_divergence() -> None:
    """Where no example is on record there is nothing to compare."""
    require_determinism(Undetermined, None, None)


def test_the_guard_chains_what_it_takes_the_place_of() -> None:
    """I still see the error that led to the check."""
    flaky = RuntimeError("flaky")

    with pytest.raises(Unreproducible, match="Counted is not deterministic: two replays") as raised:
        require_determinism(Counted, story("work"), flaky)

    assert flaky is raised.value.__cause__


class FailsNowAndThen(Counted):
    """Fails by a counter that outlives examples, ever more rarely: no program does so again."""

    looks: ClassVar[Iterator[int]] = itertools.count()

    @rule(amount=st.integers(0, 9))
    def look(self, amount: int) -> None:
        count = next(self.looks)
        assert count < 4 or count & (count - 1), f"amount {amount}"


def test_a_run_says_unreproducible_before_hypothesis_says_flaky() -> None:
    """Not a riddle about flaky tests, but a place in my code. Takes longer: it is a whole run."""
    FailsNowAndThen.looks = itertools.count()
    with pytest.raises(Unreproducible, match="FailsNowAndThen is not deterministic") as raised:
        run_machine(FailsNowAndThen, SEARCH)

    assert re.search(r"test_determinism\.py:\d+", str(raised.value))


def test_a_machine_that_fails_the_same_way_each_time_raises_its_own_error() -> None:
    """The guard is silent where there is nothing to say."""

    class Failing(ChaosMachine):
        def setup(self) -> None:
            self.total = 0

        @rule(amount=st.integers(0, 9))
        async def add(self, amount: int) -> None:
            await trio.sleep(1)
            self.total += amount

        @invariant()
        def small(self) -> None:
            assert self.total < 5, "too much"

    with pytest.raises(AssertionError, match="too much"):
        run_machine(Failing, SEARCH)
