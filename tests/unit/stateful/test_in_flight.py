"""Operations in flight: handles, histories, cancels, and failures that nobody may overlook."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle

from chaoscheck.errors import Deadlock, NotExercised, PlanError, SubjectError
from chaoscheck.plan.program import Program, Reference
from chaoscheck.stateful.in_flight import CHECKPOINTS_MAX
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import Replay, replay
from chaoscheck.stateful.rules import initialize, invariant, rule
from chaoscheck.stateful.running import run_machine
from chaoscheck.stateful.search import find_counterexample
from chaoscheck.world.operation import Operation
from tests.unit.stateful.stories import QUICK, story


class Refused(Exception):
    """It had no effect."""


class Doubtful(Exception):
    """Nobody knows."""


class Office(ChaosMachine):
    """Requests of every fate; what became of them is noted at each rest."""

    cancels: ClassVar[bool] = True
    refusals: ClassVar[tuple[type[Exception], ...]] = (Refused,)
    doubts: ClassVar[tuple[type[Exception], ...]] = (Doubtful,)
    mine = Bundle("mine")
    last: ClassVar[Office]

    def setup(self) -> None:
        type(self).last = self
        self.door = trio.Event()

    @rule(target=mine, in_flight=True, fate=st.sampled_from(["ok", "refused", "doubtful", "bug"]))
    async def ask(self, fate: str) -> str:
        await trio.sleep(1)
        if fate == "ok":
            return "answer"
        raise {"refused": Refused, "doubtful": Doubtful, "bug": KeyError}[fate](fate)

    @rule(in_flight=True)
    async def wait(self) -> None:
        await self.door.wait()

    @rule()
    def open_door(self) -> None:
        self.door.set()

    @rule(operation=mine)
    def look(self, operation: Operation[str]) -> None:
        assert isinstance(operation, Operation)

    @rule(operation=mine)
    async def insist(self, operation: Operation[str]) -> None:
        await operation.wait()

    @rule()
    async def wait_myself(self) -> None:
        await self.door.wait()


def told(program: Program) -> tuple[Replay, list[tuple[str, str, str]]]:
    """Replay on the office; who asked for what, and how it ended."""
    run = replay(Office, program)
    return run, [(each.client, each.name, each.status) for each in Office.last.history]


def ask(fate: str) -> tuple[str, dict[str, Any]]:
    """A request that will end like this."""
    return ("ask", {"fate": fate})


FIRST = {"operation": Reference(1)}
# A rule with a bundle of its own gives its handle to that one first.
ASKED = {"operation": Reference(1, 1)}


def test_a_history_says_how_each_operation_ended() -> None:
    """Returned is ok, refused is failed, in doubt is unknown."""
    run, history = told(story(ask("ok"), ask("refused"), ask("doubtful"), "settle"))

    assert run.error is None
    assert [
        ("ask@1", "ask", "ok"),
        ("ask@2", "ask", "failed"),
        ("ask@3", "ask", "unknown"),
    ] == history
    results = [(each.argument, each.result) for each in Office.last.history]
    assert ({"fate": "ok"}, "answer") == results[0]


def test_what_was_cancelled_is_unknown() -> None:
    """Nobody knows whether a cancelled request had its effect."""
    run, history = told(story("wait", "settle", ("cancel", {**FIRST, "checkpoint": 0}), "settle"))

    assert run.error is None
    assert [("wait@1", "wait", "unknown")] == history


def test_an_operation_that_never_ends_is_in_flight_until_the_world_closes() -> None:
    """At the end of the story the history still says so."""
    statuses: list[str] = []

    class Waiting(ChaosMachine):
        @rule(in_flight=True, may_stay=True)
        async def wait(self) -> None:
            await trio.sleep_forever()

        @invariant(healed=True)
        def look(self) -> None:
            statuses.extend(each.status for each in self.history)

    assert replay(Waiting, story("wait")).error is None
    assert ["in flight"] == statuses


def test_any_other_exception_fails_the_example_with_that_exception() -> None:
    """A bug of the subject is not swallowed because nobody awaited it."""
    run, history = told(story(ask("bug"), ("join", ASKED)))

    assert {} == run.skipped
    assert isinstance(run.error, KeyError)
    assert [("ask@1", "ask", "unknown")] == history


def test_a_bug_that_shows_at_the_end_of_the_story_fails_it_as_well() -> None:
    """Time goes on after the last step."""
    run, _ = told(story(ask("bug")))

    assert isinstance(run.error, KeyError)


def test_one_child_that_fails_while_others_are_cancelled_fails_the_example() -> None:
    """An error in a nursery is not hidden by the cancellations beside it."""

    class Family(ChaosMachine):
        cancels: ClassVar[bool] = True

        async def _clean_up_badly(self) -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("clean-up")

        @rule(in_flight=True)
        async def work(self) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._clean_up_badly)
                nursery.start_soon(trio.sleep_forever)

    run = replay(Family, story("work", "settle", ("cancel", {**FIRST, "checkpoint": 0}), "settle"))

    assert isinstance(run.error, KeyError)


def test_the_handle_goes_to_the_bundles_of_its_rule() -> None:
    """I can meet my operation again in rules of my own."""
    run, history = told(story(ask("ok"), ("look", FIRST), ("insist", FIRST), ("look", FIRST)))

    assert (None, {}) == (run.error, run.skipped)
    assert "ok" == history[0][2]


def test_joining_what_waits_for_another_step_is_no_deadlock() -> None:
    """A later step may be what it waits for: join goes on, and the story with it."""
    run, history = told(story("wait", ("join", FIRST), "open_door", ("join", FIRST)))

    assert (None, {}) == (run.error, run.skipped)
    assert [("wait@1", "wait", "ok")] == history


def test_awaiting_it_in_an_async_rule_is_a_deadlock() -> None:
    """A rule that must go on and cannot is named, with who waits where."""
    run, _ = told(story("wait", "wait_myself"))

    assert isinstance(run.error, Deadlock)
    assert "wait_myself" in str(run.error)


def test_the_ready_made_rules_leave_out_who_has_ended_or_is_cancelled() -> None:
    """Neither a second end nor a second cancel is ever a step of a story."""
    run, _ = told(
        story(
            ask("ok"),
            ("join", ASKED),
            ("join", ASKED),
            ("cancel", {**ASKED, "checkpoint": 0}),
            ask("ok"),
            ("cancel", {"operation": Reference(5, 1), "checkpoint": CHECKPOINTS_MAX}),
            ("cancel", {"operation": Reference(5, 1), "checkpoint": 0}),
        )
    )

    assert [3, 4, 7] == sorted(run.skipped)


def test_a_cancelled_operation_is_a_fault_that_must_have_had_its_effect() -> None:
    """A machine whose operations end before anybody can cancel them is told."""

    class Brief(ChaosMachine):
        cancels: ClassVar[bool] = True

        @rule(in_flight=True)
        async def be_brief(self) -> None:
            """Ends without a checkpoint."""

    with pytest.raises(NotExercised, match="cancel"):
        run_machine(Brief, settings(QUICK, max_examples=3))


def test_cancels_are_drawn_and_have_their_effect() -> None:
    """The ready-made rule finds what a cancelled holder leaves behind."""

    class Holding(ChaosMachine):
        cancels: ClassVar[bool] = True

        def setup(self) -> None:
            self.held = 0

        @rule(in_flight=True)
        async def hold(self) -> None:
            self.held += 1
            await trio.sleep(1)
            self.held -= 1

        @invariant(at_rest=True)
        def nothing_is_held(self) -> None:
            assert 0 == self.held

    found = find_counterexample(Holding, max_examples=20, shrink=False)

    assert found is not None
    assert found.program is not None
    assert isinstance(found.error, AssertionError)
    assert {"hold", "cancel"} <= {step.rule for step in found.program.steps}


def test_a_rule_in_flight_must_be_async() -> None:
    """A sync rule has nothing that could stay in flight."""
    with pytest.raises(PlanError, match=r"a rule in flight must be async, got .*begin"):

        class Sync(ChaosMachine):
            @rule(in_flight=True)
            def begin(self) -> None:
                """Starts nothing."""


@pytest.mark.parametrize("value", [1, None, "yes", st.booleans()], ids=str)
def test_in_flight_is_not_the_name_of_an_argument(value: Any) -> None:
    """A strategy of that name is refused, not silently taken for True."""
    with pytest.raises(PlanError, match="in_flight must be True or False, got"):
        rule(in_flight=value)


def test_a_machine_that_cancels_needs_operations_in_flight() -> None:
    """Declaring what cannot happen is an error where it is declared."""
    with pytest.raises(PlanError, match=r"Idle cancels operations but has no rule\(in_flight"):

        class Idle(ChaosMachine):
            cancels: ClassVar[bool] = True

            @rule()
            def nothing(self) -> None:
                """A step."""


# ---------------------------------------------------------------------- world.start


class Plain(ChaosMachine):
    """Operations that are started by hand, some of which fail."""

    def setup(self) -> None:
        self.operation: Operation[None] | None = None
        self.healed = 0

    async def fetch(self) -> None:
        await trio.sleep(1)
        raise LookupError("no such page")

    @rule()
    def begin(self) -> None:
        self.operation = self.world.start(self.fetch, name="fetch")

    @rule()
    async def expect(self) -> None:
        operation = self.world.start(self.fetch, name="fetch")
        await operation.wait()

    @rule()
    def look(self) -> None:
        self.world.advance(2)
        assert self.operation is not None
        assert isinstance(self.operation.error, LookupError)

    @rule()
    def break_down(self) -> None:
        raise OSError("first")

    @invariant(healed=True)
    def count(self) -> None:
        self.healed += 1
        assert self.healed == 1


def test_an_operation_that_failed_and_that_nobody_joined_is_named() -> None:
    """A failure never goes unseen: the example fails, and the error is chained."""
    run = replay(Plain, story("expect", "begin"))

    assert isinstance(run.error, SubjectError)
    assert "operation fetch@2 failed and nobody joined it: LookupError: no such page" == str(
        run.error
    )
    assert isinstance(run.error.__cause__, LookupError)


def test_the_bug_is_known_by_the_line_that_failed() -> None:
    """Two operations that fail at two lines are two bugs, not one of ours."""
    run = replay(Plain, story("begin"))

    assert run.origin is not None
    assert "test_in_flight.py" in run.origin.file
    assert "SubjectError" == run.origin.kind


@pytest.mark.parametrize("steps", [("expect",), ("begin", "look")], ids=["awaited", "looked at"])
def test_who_looked_at_a_failure_has_dealt_with_it(steps: tuple[str, ...]) -> None:
    """Awaiting an operation, or asking for its error, is enough."""
    assert replay(Plain, story(*steps)).error is None


def test_a_failure_under_way_is_not_covered_by_one_that_nobody_joined() -> None:
    """The first error is the one I read."""
    assert isinstance(replay(Plain, story("begin", "break_down")).error, OSError)


def test_an_operation_of_setup_that_nobody_joined_is_named_as_well() -> None:
    """What was started before the first step is no exception."""

    class Prepared(ChaosMachine):
        def setup(self) -> None:
            self.world.start(self.warm_up, name="warm_up")

        async def warm_up(self) -> None:
            raise LookupError("cold")

        @initialize()
        def begin(self) -> None:
            """The example begins."""

        @rule()
        def nothing(self) -> None:
            """A step."""

    run = replay(Prepared, story("begin"))

    assert "operation warm_up failed and nobody joined it: LookupError: cold" == str(run.error)
