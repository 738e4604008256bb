"""An escape fails the step in which it happened, whatever the code around it does with it."""

from __future__ import annotations

import time  # noqa: TID251  # the escape under test

import pytest

from chaoscheck.errors import Escape, Livelock
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.rules import invariant, rule
from chaoscheck.stateful.search import find_counterexample


def _sleep_and_swallow() -> None:
    try:
        time.sleep(60)
    except Exception as error:
        del error


class SwallowsInARule(ChaosMachine):
    """A sync rule whose subject catches everything."""

    @rule()
    def other(self) -> None:
        """A step that has nothing to do with it."""

    @rule()
    def swallow(self) -> None:
        """The step that is to be blamed."""
        _sleep_and_swallow()


class Wraps(ChaosMachine):
    """A sync rule whose subject raises its own error instead."""

    @rule()
    def wrap(self) -> None:
        """It ends with another error."""
        try:
            time.sleep(60)
        except Exception as error:
            raise ConnectionError("it did not work") from error


class SwallowsInALaw(ChaosMachine):
    """A law that asks the subject, which swallows."""

    @rule()
    def nothing(self) -> None:
        """A step."""

    @invariant()
    def holds(self) -> None:
        """It seems to."""
        _sleep_and_swallow()


class SwallowsInSetup(ChaosMachine):
    """A subject that blocks while it is built."""

    def setup(self) -> None:
        """Before the first step."""
        _sleep_and_swallow()

    @rule()
    def nothing(self) -> None:
        """A step."""


@pytest.mark.parametrize("machine", [SwallowsInARule, Wraps, SwallowsInALaw, SwallowsInSetup])
def test_a_swallowed_escape_is_found(machine: type[ChaosMachine]) -> None:
    """It is never a green run."""
    with pytest.raises(Escape, match=r"test_swallowed_escapes\.py:\d+"):
        find_counterexample(machine, max_examples=20)


def test_it_fails_the_step_in_which_it_happened() -> None:
    """No other step comes after it."""
    steps: list[str] = []

    class Noted(SwallowsInARule):
        @rule()
        def other(self) -> None:
            steps.append("other")

        @rule()
        def swallow(self) -> None:
            steps.append("swallow")
            _sleep_and_swallow()

    with pytest.raises(Escape):
        find_counterexample(Noted, max_examples=20, shrink=False)

    assert 1 == steps.count("swallow")
    assert "swallow" == steps[-1]


def test_a_rule_that_polls_the_clock_is_a_livelock_that_shrinks() -> None:
    """It is told as a story, and its search does not hang."""

    class Polls(ChaosMachine):
        @rule()
        def wait_a_second(self) -> None:
            until = time.monotonic() + 1
            while time.monotonic() < until:
                pass

    found = find_counterexample(Polls, max_examples=3)

    assert found is not None
    assert isinstance(found.error, Livelock)
    assert "test_swallowed_escapes.py" in str(found.error)
