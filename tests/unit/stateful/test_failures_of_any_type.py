"""A failure is shrunk and told whatever its type; mistakes, skips and stops are not."""

from __future__ import annotations

import inspect
import sys
import unittest
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st

from chaoscheck.errors import NotExercised, PlanError, WorldError
from chaoscheck.stateful.exploring.exploring import explore
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.rules import initialize, invariant, rule
from chaoscheck.stateful.running import run_machine
from chaoscheck.stateful.search import find_counterexample

SEARCHING = settings(
    max_examples=60,
    stateful_step_count=20,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=True,
    suppress_health_check=list(HealthCheck),
)


class OwnBase(BaseException):
    """An error of a library that is no Exception."""


def did_not_raise() -> None:
    """The commonest of them."""
    with pytest.raises(ValueError, match="wrong"):
        pass


def grouped() -> None:
    """What a nursery makes of two of them."""
    raise BaseExceptionGroup("tasks failed", [OwnBase("one"), SystemExit(2)])


def own() -> None:
    """A BaseException of one's own."""
    raise OwnBase("wrong")


class Counting(ChaosMachine):
    """Counts up; what its children do at three is wrong."""

    def setup(self) -> None:
        """Nothing is counted."""
        self.count = 0

    @rule()
    def add(self) -> None:
        """Count."""
        self.count += 1


def failing_at_three(failure: Callable[[], object], *, in_flight: bool = False) -> Any:
    """A machine whose rule ``refuse`` fails once three were counted."""
    if in_flight:

        class InFlight(Counting):
            @rule(in_flight=True)
            async def refuse(self) -> None:
                """Fail later."""
                if self.count >= 3:
                    failure()

        return InFlight

    class Direct(Counting):
        @rule()
        def refuse(self) -> None:
            """Fail now."""
            if self.count >= 3:
                failure()

    return Direct


def error_of(machine: Any) -> BaseException:
    """What the run of a machine raises."""
    try:
        run_machine(machine, SEARCHING)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


FAILURES = [did_not_raise, lambda: sys.exit("bye"), own, grouped]
IDS = ["pytest.raises", "sys.exit", "BaseException", "BaseExceptionGroup"]
STORY = ["state.add()", "state.add()", "state.add()", "state.refuse()"]


@pytest.mark.parametrize("failure", FAILURES, ids=IDS)
def test_a_failure_that_is_no_exception_has_its_shortest_story(
    failure: Callable[[], object],
) -> None:
    """Four steps, a replay command, and the error itself."""
    error = error_of(failing_at_three(failure))

    notes = error.__notes__
    assert "The shortest story found:" in notes
    assert STORY == [line for line in notes if line.startswith("state.")][:4]
    assert any("--chaos-replay P." in line for line in notes)


@pytest.mark.parametrize("failure", FAILURES[:3], ids=IDS[:3])
def test_so_it_has_when_it_fails_in_flight(failure: Callable[[], object]) -> None:
    """The operation ends trio's run; its story is found all the same."""
    found = find_counterexample(failing_at_three(failure, in_flight=True), max_examples=60)

    assert found is not None
    assert [*STORY[:3], "refuse_4 = state.refuse()"] == list(found.steps)


def test_the_second_bug_of_a_run_is_told_beside_it() -> None:
    """Neither takes the other's place, where one run meets both: this seed does."""

    @seed(1)
    class Two(Counting):
        @rule()
        def refuse(self) -> None:
            if self.count >= 2:
                did_not_raise()

        @rule()
        def other(self) -> None:
            assert self.count < 2

    error = error_of(Two)

    assert isinstance(error, BaseExceptionGroup)
    assert {"Failed", "AssertionError"} == {type(each).__name__ for each in error.exceptions}
    assert all("The shortest story found:" in each.__notes__ for each in error.exceptions)


def test_a_setup_that_fails_has_a_story_of_no_steps() -> None:
    """It is the subject's failure as well."""

    class Broken(ChaosMachine):
        async def setup(self) -> None:
            own()

        @rule()
        def nothing(self) -> None:
            """Never taken."""

    error = error_of(Broken)

    assert isinstance(error, OwnBase)
    assert "state = Broken()" in error.__notes__
    assert explore(Broken, seconds=5).failure is not None


@pytest.mark.parametrize(
    "skip", [unittest.SkipTest, pytest.skip.Exception], ids=["unittest", "pytest"]
)
@pytest.mark.parametrize("where", ["rule", "setup"])
def test_a_skip_skips_the_test(skip: type[BaseException], where: str) -> None:
    """Nothing is shrunk, told or kept."""

    class Skipping(Counting):
        def setup(self) -> None:
            super().setup()
            if where == "setup":
                raise skip("not here")

        @rule()
        async def leave(self) -> None:
            if self.count >= 2:
                raise skip("not here")

    error = error_of(Skipping)

    assert skip is type(error)
    assert [] == getattr(error, "__notes__", [])


def test_a_skip_hides_no_failure_that_was_met_before() -> None:
    """Else a rare skip would make a red test green."""

    class Both(ChaosMachine):
        failed = False

        @rule()
        def fail(self) -> None:
            Both.failed = True
            raise KeyError("met first")

        @rule()
        def leave(self) -> None:
            if Both.failed:
                raise unittest.SkipTest("later")

    error = error_of(Both)

    assert isinstance(error, KeyError)
    assert "state.fail()" in error.__notes__


@pytest.mark.parametrize("stop", [KeyboardInterrupt, pytest.exit.Exception])
def test_a_stop_ends_the_run_at_once(stop: Any) -> None:
    """The first example is the last."""
    seen = []

    class Stopping(ChaosMachine):
        def setup(self) -> None:
            seen.append(1)

        @rule()
        def stop(self) -> None:
            raise stop("enough")

    error = error_of(Stopping)

    assert stop is type(error)
    assert [1] == seen
    assert [] == getattr(error, "__notes__", [])


# ---------------------------------------------------------------------- mistakes


class Wrong(Counting):
    """Its author wrote a negative time."""

    @rule()
    def wait(self) -> None:
        """Wait for less than nothing."""
        if self.count >= 2:
            self.world.advance(-1)


def test_a_mistake_in_the_test_is_told_with_its_line_and_a_short_way_to_it() -> None:
    """Not as a failure of the subject, and with nothing to commit."""
    error = error_of(Wrong)

    line = Wrong.wait.__wrapped__ if hasattr(Wrong.wait, "__wrapped__") else Wrong.wait
    place = f"{__file__}:{line.__code__.co_firstlineno + 4}: a mistake in the test"
    assert isinstance(error, PlanError)
    assert error.__notes__[0].startswith(place)
    assert ["state.add()", "state.add()", "state.wait()"] == error.__notes__[3:6]
    assert not any("commit" in line for line in error.__notes__)
    assert not any("--chaos-replay" in line for line in error.__notes__)


def test_a_mistake_ends_the_search_and_takes_no_failure_with_it() -> None:
    """A failure that was met before is told beside it."""

    class Both(ChaosMachine):
        failed = False

        @rule()
        def fail(self) -> None:
            Both.failed = True
            raise KeyError("met first")

        @rule()
        def misuse(self) -> None:
            if Both.failed:
                raise WorldError("misused")

    error = error_of(Both)

    assert isinstance(error, BaseExceptionGroup)
    assert [WorldError, KeyError] == [type(each) for each in error.exceptions]
    assert "state.fail()" in error.exceptions[1].__notes__


def test_a_mistake_is_no_counterexample() -> None:
    """A test that expects one must not be content with a typo."""
    with pytest.raises(PlanError, match="seconds must be in"):
        find_counterexample(Wrong, max_examples=50)


@pytest.mark.parametrize("declare", [rule, initialize])
def test_a_rule_that_cannot_take_its_arguments_is_refused_by_name_and_line(declare: Any) -> None:
    """Before anything is searched: no example can be right."""

    class Odd(ChaosMachine):
        @declare(amount=st.integers())  # type: ignore[untyped-decorator]
        def pay(self, ammount: int) -> None:
            """Misspelt."""

        @rule()
        def nothing(self) -> None:
            """A step."""

    with pytest.raises(PlanError, match=rf"{__file__}:\d+: rule .*pay.*\(amount\)"):
        run_machine(Odd, SEARCHING)


def test_a_rule_of_any_arguments_is_taken_at_its_word() -> None:
    """A wrapped rule hides what it takes."""

    class Loose(ChaosMachine):
        @rule(amount=st.integers())
        def pay(self, **anything: object) -> None:
            assert {"amount"} == set(anything)

    run_machine(Loose, SEARCHING)


# ---------------------------------------------------------------------- strategies


@pytest.mark.parametrize("declare", [rule, initialize])
def test_an_error_in_a_strategy_keeps_its_note_and_has_a_story(declare: Any) -> None:
    """The note says which argument of which strategy; the story says what came before."""

    class Dividing(ChaosMachine):
        @declare(  # type: ignore[untyped-decorator]
            share=st.integers(0, 9).map(lambda count: 12 // (count % 3)), other=st.text()
        )
        def split(self, share: int, other: str) -> None:
            """Never reached with a share of 0."""

        @rule()
        def nothing(self) -> None:
            """A step."""

    error = error_of(Dividing)

    assert isinstance(error, ZeroDivisionError)
    assert any(
        line.startswith("while generating 'share' from integers") for line in error.__notes__
    )
    assert "# split: its argument share cannot be drawn" in error.__notes__
    assert any("--chaos-replay P." in line for line in error.__notes__)


def test_a_law_may_note_assume_and_fail() -> None:
    """What Hypothesis offers to a test works in the replay that tells the story."""
    from hypothesis import assume, event, note, target

    class Noting(ChaosMachine):
        count = 0

        @rule(amount=st.integers(0, 9))
        def pay(self, amount: int) -> None:
            assume(amount != 3)
            event("paid")
            note(f"pays {amount}")
            self.count += amount

        @invariant(healed=True)
        def law(self) -> None:
            target(float(self.count))
            assert self.count < 5, "too much"

    error = error_of(Noting)

    assert isinstance(error, AssertionError)
    assert ["pays 5", "state.pay(amount=5)"] == error.__notes__[2:4]


class Unhit(ChaosMachine):
    """Declares what it never meets."""

    links = ("cut",)

    @rule()
    def nothing(self) -> None:
        """A step that never talks."""


def test_a_run_that_tested_less_than_it_claims_names_the_machine_s_line() -> None:
    """NotExercised is a mistake in the test: its author finds the class at once."""
    error = error_of(Unhit)

    assert isinstance(error, NotExercised)
    place = f"{__file__}:{inspect.getsourcelines(Unhit)[1]}: a mistake in the test"
    assert any(note.startswith(place) for note in error.__notes__)
