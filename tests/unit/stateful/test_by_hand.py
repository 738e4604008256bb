"""A machine can be built and stepped by hand: a printed story is valid Python."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import pytest
import trio
import trio.lowlevel
from hypothesis.stateful import Bundle, multiple

from chaoscheck.errors import WorldError
from chaoscheck.plan.catalogue import status_429
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.program import Program
from chaoscheck.stateful.chaos import LINK_FAULTS
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import initialize, invariant, rule
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.world import escapes
from chaoscheck.world.operation import Operation
from tests.unit.stateful.stories import story

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


class Shop(ChaosMachine):
    """Orders that are packed, questions that are asked, and counters that lose updates."""

    faults: ClassVar[tuple[type[Fault], ...]] = (status_429,)
    links: ClassVar[tuple[str, ...]] = ("cut",)
    orders = Bundle("orders")
    last: ClassVar[Shop]

    def setup(self) -> None:
        type(self).last = self
        self.chaos.serve()
        self.packed: list[int] = []
        self.statuses: list[int] = []
        self.value, self.expected = 0, 0
        self.ready = False

    @initialize()
    def open_shop(self) -> None:
        self.ready = True

    @rule(target=orders)
    def order(self) -> Any:
        return multiple(1, 2)

    @rule(order=orders)
    async def pack(self, order: int) -> None:
        await trio.sleep(1)
        self.packed.append(order)

    @rule()
    async def ask(self) -> None:
        import httpx

        async with httpx.AsyncClient(transport=FastTransport()) as client:
            reply = await client.post("http://api.test/v1/chat/completions", json=QUESTION)
            self.statuses.append(reply.status_code)

    @rule(in_flight=True)
    async def increment(self) -> None:
        seen = self.value
        await trio.sleep(0.1)
        self.value = seen + 1
        self.expected += 1

    @rule()
    def ask_and_pack(self) -> None:
        self.order()
        self.world.run(self.ask)

    @invariant(at_rest=True)
    def none_lost(self) -> None:
        assert self.expected == self.value


def nothing_is_left() -> bool:
    """Whether no world is open in this thread."""
    return not trio.lowlevel.in_trio_run() and escapes.patches_in_place() == 0


def test_a_machine_is_stepped_by_hand() -> None:
    """Sync and async rules, several values, faults and time: all as they are printed."""
    state: Any = Shop()
    state.open_shop()
    orders_0, orders_1 = state.order()
    state.pack(order=orders_1)
    state.pack(orders_0)
    state.chaos.next_fault(status_429(retry_after_s=None))
    state.ask()
    state.ask()
    state.chaos.let_time_pass(5)
    state.teardown()

    assert [2, 1] == state.packed
    assert [429, 200] == state.statuses
    assert 2 + 5 + Shop.recovery_s <= state.world.now
    assert nothing_is_left()


def test_laws_are_checked_after_each_step_by_hand() -> None:
    """The step that breaks a law raises, and its world is closed."""
    state: Any = Shop()
    state.open_shop()
    increment_1 = state.increment()
    increment_2 = state.increment()
    assert isinstance(increment_2, Operation)

    with pytest.raises(AssertionError):
        state.chaos.join(increment_1)
        state.chaos.join(increment_2)

    assert nothing_is_left()
    state.teardown()  # a pasted story has it, and it does nothing more
    with pytest.raises(WorldError, match="this Shop has ended"):
        state.ask()


def test_a_law_that_breaks_at_the_end_is_raised_by_teardown() -> None:
    """teardown() heals, lets recovery pass, checks, and closes the world."""
    state: Any = Shop()
    state.open_shop()
    state.increment()
    state.increment()

    with pytest.raises(AssertionError):
        state.teardown()

    assert nothing_is_left()


def test_code_of_the_machine_calls_rules_as_plain_methods() -> None:
    """A rule that calls another one is one step, as it is under Hypothesis."""
    state: Any = Shop()
    state.open_shop()
    state.ask_and_pack()

    assert [200] == state.statuses
    assert 2 == state._step_number
    state.teardown()


def test_a_printed_story_can_be_pasted_and_run() -> None:
    """Every line of a story is Python, names of operations and of faults included."""
    fault = {"fault": status_429(retry_after_s=None)}
    first = story("open_shop", "order", ("next_fault", fault), "ask", "cut", "heal_link")
    then = story("increment", "increment")
    program = Program(steps=(*first.steps, *(replace(s, number=s.number + 6) for s in then.steps)))
    run = replay(Shop, program, aloud=True)
    printed = "\n".join(run.lines).replace("# to paste it: ", "")

    assert isinstance(run.error, AssertionError)
    assert "increment_7 = state.increment()" in run.lines
    names: dict[str, Any] = {"Shop": Shop}
    with pytest.raises(AssertionError):
        exec(_with_the_imports_first(printed), names)

    assert [429] == Shop.last.statuses
    assert nothing_is_left()


def _with_the_imports_first(printed: str) -> str:
    lines = printed.splitlines()
    return "\n".join(sorted(lines, key=lambda line: not line.startswith("from ")))


def test_a_variable_of_a_story_is_never_two_things() -> None:
    """An operation gives way to the value of a bundle that has its name already."""

    class Named(ChaosMachine):
        work = Bundle("work")

        @rule(target=work)
        def make(self) -> Any:
            return multiple("a", "b", "c")

    async def work(self: Any) -> None:
        """An operation called work@2, beside a value called work_2."""

    make: Any = type(ChaosMachine)
    both = make("Both", (Named,), {"do": rule(in_flight=True)(work)})

    run = replay(both, story("make", "work"), aloud=True)

    assert run.error is None
    assert "work_2_ = state.work()" in run.lines


def test_who_forgets_to_tear_down_is_told_by_the_next_machine() -> None:
    """The error says what to call, and only one test suffers."""
    forgotten: Any = Shop()

    with pytest.raises(WorldError, match=r"a Shop was built by hand.*call state\.teardown\(\)"):
        Shop()

    assert nothing_is_left()
    with pytest.raises(WorldError, match="this Shop has ended"):
        forgotten.ask()
    Shop().teardown()
    assert nothing_is_left()


def test_every_ready_made_rule_is_a_step_by_hand() -> None:
    """A story may name each of them, and what it names is a step of the machine's chaos."""

    class Everything(ChaosMachine):
        faults: ClassVar[tuple[type[Fault], ...]] = (status_429,)
        links: ClassVar[tuple[str, ...]] = LINK_FAULTS
        cancels: ClassVar[bool] = True

        @rule(in_flight=True)
        async def wait(self) -> None:
            await trio.sleep(1)

    state = Everything()
    try:
        for name in Everything._ready_made:
            assert isinstance(getattr(state.chaos, name), partial), name
    finally:
        state.teardown()


def test_an_operation_is_cancelled_by_hand_after_some_slices() -> None:
    """As the story that a search printed says it, with its laws checked."""

    class Counting(ChaosMachine):
        cancels: ClassVar[bool] = True

        def setup(self) -> None:
            self.came = self.went = 0

        @rule(in_flight=True)
        async def visit(self) -> None:
            self.came += 1
            await trio.lowlevel.checkpoint()
            await trio.sleep(1)
            self.went += 1

        @invariant(at_rest=True)
        def all_went(self) -> None:
            assert self.went == self.came

    state = Counting()
    visit_1 = state.visit()
    with pytest.raises(AssertionError):
        state.chaos.cancel_after(visit_1, 1)  # type: ignore[arg-type]
        state.chaos.settle()
    assert nothing_is_left()


def test_a_machine_shows_its_own_bundles() -> None:
    """The failed assert of a law prints the machine; what is in flight has a bundle of ours."""
    state = Shop()
    shown = repr(state)
    state.teardown()

    assert shown == "Shop({})"
    assert repr(Shop.__new__(Shop)) == "Shop({})"  # as in the traceback of a failing __init__
