"""The domain pass: what it leaves out, makes smaller and merges, and where it stops."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import trio
from hypothesis import strategies as st
from hypothesis.stateful import Bundle

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.status_500 import Status500
from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Decision, Drawn, Literal, Program, Reference
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import Replay, replay
from chaoscheck.stateful.rules import initialize, invariant, rule
from chaoscheck.stateful.shrinking import domain_pass
from chaoscheck.stateful.shrinking.domain_pass import Budget, Shrunk, shrink
from chaoscheck.stateful.shrinking.story_size import size_of
from chaoscheck.wire.fast_transport import FastTransport
from tests.unit.stateful.stories import story


class Adding(ChaosMachine):
    """Fails once the sum is 20 or more."""

    def setup(self) -> None:
        self.total = 0

    @rule(amount=st.integers(0, 50))
    def add(self, amount: int) -> None:
        self.total += amount

    @rule(amounts=st.lists(st.integers(0, 50), max_size=4))
    def add_all(self, amounts: list[int]) -> None:
        self.total += sum(amounts)

    @rule()
    def nothing(self) -> None:
        """A step that changes nothing."""

    @invariant()
    def small(self) -> None:
        assert self.total < 20


def add(amount: int) -> tuple[str, dict[str, Any]]:
    """A step that adds."""
    return ("add", {"amount": amount})


def shrunk(machine: Any, program: Program, **options: Any) -> Shrunk:
    """The smallest program; it must be no larger than the first, and fail in the same way."""
    before = replay(machine, program)
    found = shrink(machine, program, **options)
    assert found is not None
    assert found.replay.origin == before.origin
    assert size_of(machine, found.replay) <= size_of(machine, before)
    assert found.program == replay(machine, found.program).program
    return found


def rules(program: Program) -> list[str]:
    """The rules of its steps."""
    return [step.rule for step in program.steps]


def test_steps_that_do_not_matter_are_left_out() -> None:
    """What is left is what it takes to fail, numbered from 1."""
    found = shrunk(Adding, story("nothing", add(3), "nothing", add(25), "nothing", "nothing"))

    assert story(add(20)) == found.program
    assert not found.interrupted


def test_two_steps_of_one_rule_become_one_with_their_sum() -> None:
    """Several small steps are one that is as large as it must be."""
    assert story(add(20)) == shrunk(Adding, story(add(7), "nothing", add(7), add(7))).program


def total(*amounts: int) -> tuple[str, dict[str, Any]]:
    """A step that adds several amounts: each element of a list begins with a True."""
    choices = [choice for amount in amounts for choice in (True, amount)]
    return ("add_all", {"amounts": Drawn((*choices, False), repr(list(amounts)))})


def test_values_of_any_strategy_are_made_smaller_by_their_choices() -> None:
    """Also what is no plain value: elements of a list go, and those that stay get smaller."""
    assert story(total(20)) == shrunk(Adding, story(total(30, 9, 11))).program


def test_lists_of_two_steps_become_one_list() -> None:
    """Where it takes two elements, they need not be in two steps."""

    class Counting(ChaosMachine):
        def setup(self) -> None:
            self.count = 0

        @rule(amounts=st.lists(st.integers(0, 50), max_size=4))
        def add_all(self, amounts: list[int]) -> None:
            self.count += len(amounts)

        @invariant()
        def few(self) -> None:
            assert self.count < 4

    assert (
        story(total(0, 0, 0, 0)) == shrunk(Counting, story(total(7), total(1, 2), total(5))).program
    )


def test_two_steps_that_need_each_other_go_together() -> None:
    """A pair that cancels out is no part of the story."""

    class Doors(ChaosMachine):
        doors = Bundle("doors")

        def setup(self) -> None:
            self.open = 0

        @rule(target=doors)
        def open_one(self) -> int:
            self.open += 1
            return self.open

        @rule()
        def shut_one(self) -> None:
            assert self.open
            self.open -= 1

        @rule()
        def leave(self) -> None:
            if self.open == 0:
                raise OSError("left")

    found = shrunk(Doors, story("open_one", "shut_one", "open_one", "shut_one", "leave"))

    assert story("leave") == found.program


def test_what_uses_a_value_goes_with_the_step_that_made_it() -> None:
    """A reference never points at nothing."""

    class Chain(ChaosMachine):
        values = Bundle("values")

        @rule(target=values)
        def make(self) -> int:
            return 1

        @rule(value=values, target=values)
        def copy(self, value: int) -> int:
            return value + 1

        @rule(value=values)
        def use(self, value: int) -> None:
            assert value < 2

    program = story(
        "make",
        "make",
        ("copy", {"value": Reference(2)}),
        ("copy", {"value": Reference(1)}),
        ("use", {"value": Reference(4)}),
    )

    assert (
        story("make", ("copy", {"value": Reference(1)}), ("use", {"value": Reference(2)}))
        == shrunk(Chain, program).program
    )


def test_initialize_rules_stay() -> None:
    """The example cannot begin without them."""

    class Prepared(ChaosMachine):
        @initialize(size=st.integers(0, 9))
        def prepare(self, size: int) -> None:
            """The example begins."""

        @rule()
        def fail(self) -> None:
            raise OSError("now")

    found = shrunk(Prepared, story(("prepare", {"size": 7}), "fail"))

    assert story(("prepare", {"size": 0}), "fail") == found.program


class Racing(ChaosMachine):
    """The second overtakes the first, where the first is held long enough."""

    def setup(self) -> None:
        self.order: list[str] = []

    @rule(in_flight=True)
    async def slow(self) -> None:
        for _ in range(2):
            await trio.lowlevel.checkpoint()
        self.order.append("slow")

    @rule(in_flight=True)
    async def fast(self) -> None:
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        self.order.append("fast")

    @invariant(at_rest=True)
    def in_order(self) -> None:
        assert self.order != ["fast", "slow"]


def held(task: str, at: int, until: str, ran: int) -> Hold:
    """One hold."""
    return Hold(task=task, at=at, until=until, ran=ran)


def test_holds_that_do_not_matter_are_left_out_and_the_rest_is_short() -> None:
    """Who waits, where it first matters, and no longer than it takes."""
    holds = [
        held("slow@1", 1, "fast@2", 4),
        held("fast@2", 0, "slow@1", 1),
        held("slow@9", 0, "fast@2", 2),
    ]
    found = shrunk(Racing, story("slow", "fast", "settle", "settle", holds=holds))

    assert (held("slow@2", 0, "fast@1", 2),) == found.program.holds
    assert ["fast", "slow"] == rules(found.program)  # equal stories are told equally


def test_two_holds_of_one_task_become_one() -> None:
    """A task that waits twice in a row waits once, and longer."""
    holds = [
        held("slow@1", 0, "fast@2", 2),
        held("slow@1", 1, "fast@2", 3),
        held("slow@1", 2, "fast@2", 5),
    ]
    found = shrunk(Racing, story("slow", "fast", holds=holds))

    assert 3 == len(found.program)


class Asking(ChaosMachine):
    """Asks a provider that fails by rate, and does not bear it twice in a row."""

    faults: ClassVar[tuple[type[Fault], ...]] = (Status500,)

    def setup(self) -> None:
        self.chaos.serve()
        self.failed = 0

    @rule()
    async def ask(self) -> None:
        import httpx

        async with httpx.AsyncClient(transport=FastTransport()) as client:
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
            reply = await client.post("http://api.test/v1/chat/completions", json=body)
        self.failed = self.failed + 1 if reply.status_code == 500 else 0
        assert self.failed < 2


RATE = ("set_rate", {"fault": Literal(faults.status_500()), "rate": 0.5})


def test_decisions_of_chance_that_do_not_matter_are_left_out() -> None:
    """What came by rate is told as the single faults that it amounts to."""
    decided = [Decision(number, "fault", 0, 1) for number in (2, 4, 5)]
    found = shrunk(Asking, story(RATE, "ask", "ask", "ask", "ask", decisions=decided))

    assert ["ask", "ask", "next_fault", "next_fault"] == sorted(rules(found.program))
    assert () == found.program.decisions


# ---------------------------------------------------------------------- where it stops


def test_a_program_that_does_not_fail_is_not_shrunk() -> None:
    """There is nothing to be told."""
    assert None is shrink(Adding, story(add(1), "nothing"))


def test_what_fails_in_another_way_is_another_bug() -> None:
    """A smaller story of another bug is not taken for this one."""

    class Two(ChaosMachine):
        def setup(self) -> None:
            self.total = 0

        @rule(amount=st.integers(0, 50))
        def add(self, amount: int) -> None:
            self.total += amount
            if self.total == 0:
                raise OSError("another bug")

        @rule()
        def look(self) -> None:
            assert self.total < 20

    found = shrunk(Two, story(add(30), "look"))

    assert isinstance(found.replay.error, AssertionError)
    assert story(add(20), "look") == found.program


LONG = story(*["nothing"] * 20, add(3), add(4), *["nothing"] * 20, add(30))


@pytest.mark.parametrize("replays", [0, 1, 5, 10])
def test_it_never_takes_more_replays_than_it_may(replays: int) -> None:
    """The budget ends it, and the best so far is kept."""
    found = shrunk(Adding, LONG, budget=Budget(replays=replays))

    assert replays >= found.replays
    assert found.interrupted


def test_it_never_takes_more_time_than_it_may() -> None:
    """CPU seconds are limited as well."""
    found = shrunk(Adding, LONG, budget=Budget(seconds=0.0))

    assert found.interrupted
    assert len(found.program) <= len(LONG)


def test_control_c_keeps_the_best_so_far() -> None:
    """I need not wait: what was found is told."""
    sizes: list[int] = []

    def impatient(program: Program, replays: int) -> None:
        sizes.append(len(program))
        if len(sizes) == 2:
            raise KeyboardInterrupt

    found = shrunk(Adding, LONG, progress=impatient)

    assert found.interrupted
    assert sizes[-1] == len(found.program) < len(LONG)


def test_control_c_within_a_replay_keeps_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it comes in the middle of a replay, whose world is closed."""
    calls = 0

    def interrupted(*args: Any, **options: Any) -> Replay:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return replay(*args, **options)

    monkeypatch.setattr(domain_pass, "replay", interrupted)
    found = shrink(Adding, LONG)

    assert found is not None
    assert found.interrupted
    assert isinstance(found.replay.error, AssertionError)


def test_progress_only_ever_gets_better() -> None:
    """Each program it is told about is smaller than the one before."""
    told: list[tuple[int, int]] = []
    shrunk(Adding, LONG, progress=lambda program, replays: told.append((len(program), replays)))

    assert told == sorted(told, key=lambda each: (-each[0], each[1]))
    assert 1 == told[-1][0]


def test_no_proposal_is_tried_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay is too dear to be made again."""
    tried: list[str] = []

    def noted(machine: Any, program: Program, **options: Any) -> Replay:
        tried.append(repr(program))
        return replay(machine, program, **options)

    monkeypatch.setattr(domain_pass, "replay", noted)
    found = shrink(Adding, LONG)

    assert found is not None
    assert len(set(tried[:-1])) == len(tried[:-1])  # the last is the result, numbered anew
