"""Replaying a program without Hypothesis: what is done, what is left out, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import trio
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, multiple, precondition

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.status_500 import Status500
from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Decision, Drawn, Literal, Reference
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import initialize, invariant, rule
from chaoscheck.stateful.search import find_counterexample
from chaoscheck.wire.fast_transport import FastTransport
from tests.unit.stateful.stories import story


@dataclass(frozen=True)
class Box:
    """A value that is not plain."""

    sides: list[int]


class Shop(ChaosMachine):
    """Rules of every kind; ``seen`` of the last machine tells what was really done."""

    items = Bundle("items")
    seen: ClassVar[list[Any]] = []

    def setup(self) -> None:
        type(self).seen = []
        self.open = False

    @rule(target=items, size=st.integers(0, 9))
    def make(self, size: int) -> int:
        self.seen.append(("make", size))
        return size

    @rule(target=items)
    def make_three(self) -> Any:
        return multiple(1, 2, 3)

    @rule(target=items)
    def make_none(self) -> Any:
        return multiple()

    @rule(item=items)
    def use(self, item: int) -> None:
        self.seen.append(("use", item))

    @rule(item=items.filter(lambda item: item > 1))
    def use_large(self, item: int) -> None:
        self.seen.append(("use_large", item))

    @rule(item=consumes(items))
    def sell(self, item: int) -> None:
        self.seen.append(("sell", item))

    @rule(box=st.builds(Box, st.lists(st.integers(0, 9), max_size=4)))
    def pack(self, box: Box) -> None:
        self.seen.append(("pack", box))

    @precondition(lambda self: self.open)
    @rule()
    def serve(self) -> None:
        self.seen.append("serve")

    @rule()
    def open_up(self) -> None:
        self.open = True

    @rule(seconds=st.integers(1, 9))
    async def wait(self, seconds: int) -> None:
        await trio.sleep(seconds)
        self.seen.append(("waited until", trio.current_time()))


def item(step: int, number: int = 0) -> dict[str, Any]:
    """The value that a step gave to the bundle."""
    return {"item": Reference(step, number)}


def test_steps_are_done_one_after_the_other_with_their_arguments() -> None:
    """Values, bundles, preconditions and async rules: as they were written."""
    program = story(
        ("make", {"size": 4}),
        ("use", item(1)),
        "open_up",
        "serve",
        ("wait", {"seconds": 3}),
        ("wait", {"seconds": 2}),
    )
    run = replay(Shop, program)

    assert (None, {}, program) == (run.error, run.skipped, run.program)
    assert [
        ("make", 4),
        ("use", 4),
        "serve",
        ("waited until", 3),
        ("waited until", 5),
    ] == Shop.seen


def test_the_second_of_several_values_is_the_second_again() -> None:
    """A rule that gives many values, or none, is told apart by number."""
    run = replay(Shop, story("make_three", "make_none", ("use", item(1, 1)), ("use", item(2))))

    assert [("use", 2)] == Shop.seen
    assert {4: "step 2 made no such value"} == run.skipped


SKIPPED = {
    "its rule is gone": (story("dance"), 1, "there is no rule 'dance' now"),
    "its arguments changed": (
        story(("make", {"colour": 1})),
        1,
        "make has other arguments now: colour, size",
    ),
    "its precondition is false": (story("serve"), 1, "the precondition of serve does not hold"),
    "what it uses was never made": (story(("use", item(9))), 1, "step 9 made no such value"),
    "what it uses was consumed": (
        story("make_three", ("sell", item(1, 2)), ("use", item(1, 2))),
        3,
        "items_2 is no longer in the bundle items",
    ),
    "what it uses is not taken": (
        story("make_three", ("use_large", item(1, 0))),
        2,
        "items_0 is not one that this rule takes",
    ),
    "its argument cannot be made": (
        story(("pack", {"box": Drawn((), "Box([1])")})),
        1,
        r"Box([1]) cannot be made again: ",
    ),
}


@pytest.mark.parametrize("why", SKIPPED)
def test_a_step_that_cannot_be_taken_is_left_out_with_its_reason(why: str) -> None:
    """An old story says what it can no longer do, and does the rest."""
    program, number, reason = SKIPPED[why]
    longer = story(*[(step.rule, dict(step.arguments)) for step in program.steps], "open_up")

    run = replay(Shop, longer)

    assert [number] == list(run.skipped)
    assert run.skipped[number].startswith(reason)
    assert longer.without([number]) == run.program
    assert run.error is None


def test_what_a_consumed_value_was_used_for_before_stays() -> None:
    """Consuming takes a value out of the bundle, once."""
    replay(Shop, story("make_three", ("use", item(1, 2)), ("sell", item(1, 2)), ("use", item(1))))

    assert [("use", 3), ("sell", 3), ("use", 1)] == Shop.seen


def test_values_that_are_not_plain_are_made_of_their_choices_again() -> None:
    """A list or an object of mine is the same as when the story was found."""

    class Packing(ChaosMachine):
        @rule(box=st.builds(Box, st.lists(st.integers(0, 9), min_size=2, max_size=4)))
        def pack(self, box: Box) -> None:
            assert sum(box.sides) < 5, str(box)

    found = find_counterexample(Packing, max_examples=50, shrink=False)

    assert found is not None
    assert found.program is not None
    assert any(isinstance(step.arguments["box"], Drawn) for step in found.program.steps)
    run = replay(Packing, found.program)
    assert str(found.error) == str(run.error)


def test_initialize_rules_are_taken_once_and_before_all_others() -> None:
    """A story that begins elsewhere leaves out what cannot be yet."""
    seen: list[str] = []

    class Prepared(ChaosMachine):
        @initialize(size=st.integers(1, 3))
        async def prepare(self, size: int) -> None:
            await trio.sleep(size)
            seen.append(f"prepare {size}")

        @rule()
        def turn(self) -> None:
            seen.append("turn")

        @invariant()
        def prepared(self) -> None:
            assert seen

    run = replay(
        Prepared, story("turn", ("prepare", {"size": 2}), "turn", ("prepare", {"size": 1}))
    )

    assert ["prepare 2", "turn"] == seen
    assert None is run.error
    assert {
        1: "there is no rule 'turn' now",
        4: "there is no rule 'prepare' now",
    } == run.skipped


class Asking(ChaosMachine):
    """Asks a provider that fails by rate."""

    faults: ClassVar[tuple[type[Fault], ...]] = (Status500,)
    statuses: ClassVar[list[int]] = []

    def setup(self) -> None:
        type(self).statuses = []
        self.chaos.serve()

    @rule()
    async def ask(self) -> None:
        import httpx

        async with httpx.AsyncClient(transport=FastTransport()) as client:
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
            reply = await client.post("http://api.test/v1/chat/completions", json=body)
        self.statuses.append(reply.status_code)


RATE = ("set_rate", {"fault": Literal(faults.status_500()), "rate": 0.5})


def test_faults_that_come_by_rate_come_where_they_came() -> None:
    """What chance decided is part of the program, request by request."""
    run = replay(Asking, story(RATE, "ask", "ask", "ask", decisions=[Decision(3, "fault", 0, 1)]))

    assert [200, 500, 200] == Asking.statuses
    assert (faults.status_500(),) == run.by_rate[3]
    assert {3} == {number for number, met in run.by_rate.items() if met}


def test_what_chance_is_not_on_record_to_have_decided_is_nothing_odd() -> None:
    """A decision that is left out means no fault."""
    replay(Asking, story(RATE, "ask", "ask"))

    assert [200, 200] == Asking.statuses


def test_one_fault_for_one_request_is_a_step_on_any_machine() -> None:
    """The pass may put it where a rate was, also where the machine has no such rule."""
    fault = ("next_fault", {"fault": Literal(faults.status_500())})
    without: Any = type("Without", (Asking,), {"next_fault": None})

    run = replay(without, story("ask", fault, "ask", "ask"))

    assert ({}, None) == (run.skipped, run.error)
    assert [200, 500, 200] == without.statuses


class Racing(ChaosMachine):
    """Two updates, lost where one reads what the other is about to write."""

    def setup(self) -> None:
        self.value = self.expected = 0

    @rule(in_flight=True)
    async def add(self) -> None:
        self.expected += 1
        await trio.lowlevel.checkpoint()
        seen = self.value
        await trio.lowlevel.checkpoint()
        self.value = seen + 1

    @invariant(at_rest=True)
    def none_lost(self) -> None:
        assert self.expected == self.value


HELD = Hold(task="add@2", at=1, until="add@1", ran=3)


def test_a_schedule_is_fifo_but_for_the_holds_of_the_program() -> None:
    """Who waits for whom decides whether it fails."""
    assert isinstance(replay(Racing, story("add", "add")).error, AssertionError)
    assert None is replay(Racing, story("add", "add", holds=[HELD])).error


def test_the_story_aloud_has_a_line_for_each_step_and_each_hold() -> None:
    """I read what happened, and who waited, below the later of the two."""
    run = replay(Racing, story("add", "add", "settle", holds=[HELD]), aloud=True)

    assert (
        "state = Racing()",
        "add_1 = state.add()",
        "add_2 = state.add()",
        "    # add@2 waits at its 1st checkpoint until add@1 has passed its 2nd checkpoint",
    ) == run.lines[:4]
    assert "state.teardown()" == run.lines[-1]


def test_a_failing_story_says_what_was_still_in_flight() -> None:
    """I see which operations had not ended, and where they stood."""

    class Failing(ChaosMachine):
        @rule(in_flight=True)
        async def nap(self) -> None:
            await trio.sleep(60)

        @rule()
        def fail(self) -> None:
            self.world.settle()
            raise OSError("now")

    run = replay(Failing, story("nap", "fail"))

    assert 1 == len(run.in_flight)
    assert run.in_flight[0].startswith("nap@1 is still in flight: ")
    assert "test_replaying.py" in run.in_flight[0]


def test_a_machine_that_cannot_be_made_fails_with_its_own_error() -> None:
    """A broken setup is an ordinary failure of the story."""

    class Broken(ChaosMachine):
        def setup(self) -> None:
            raise OSError("no luck")

        @rule()
        def nothing(self) -> None:
            """A step."""

    run = replay(Broken, story("nothing"))

    assert isinstance(run.error, OSError)
    assert run.origin is not None
    assert not trio.lowlevel.in_trio_run()


def test_equal_replays_have_equal_digests_and_others_do_not() -> None:
    """The digest is that of all that went over the network, and of what was returned."""
    program = story(RATE, "ask", "ask", decisions=[Decision(3, "fault", 0, 1)])

    assert replay(Asking, program).digest == replay(Asking, program).digest
    assert replay(Asking, program).digest != replay(Asking, story(RATE, "ask", "ask")).digest


class Gate(ChaosMachine):
    """Whoever waits for the gate passes once it is open, unless cancelled on the way."""

    cancels: ClassVar[bool] = True

    def setup(self) -> None:
        self.gate = trio.Event()
        self.waited = self.passed = 0

    @rule(in_flight=True)
    async def wait(self) -> None:
        self.waited += 1
        await self.gate.wait()
        self.passed += 1
        await trio.lowlevel.checkpoint()

    @rule(in_flight=True)
    async def open(self) -> None:
        self.gate.set()

    @invariant(at_rest=True)
    def all_passed(self) -> None:
        assert not self.gate.is_set() or self.passed == self.waited


def test_a_pending_cancel_strikes_between_two_tasks_without_holds_as_well() -> None:
    """A story without holds replays in the order of the search: one task at a time."""
    cancelled = {"operation": Reference(1), "checkpoint": 1}

    run = replay(Gate, story("wait", ("cancel", cancelled), "open", "settle"))

    assert isinstance(run.error, AssertionError)
