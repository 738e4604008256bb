"""From a failure that was found to the story that is read."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from chaoscheck.plan.program import Program
from chaoscheck.plan.program_text import from_blob
from chaoscheck.report.story import Story
from chaoscheck.stateful.failures import Failure, Origin, origin_of
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.minimal import Minimal, minimal_of, tell
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import rule
from chaoscheck.stateful.shrinking.domain_pass import Budget
from tests.unit.stateful.stories import story


class Adding(ChaosMachine):
    """Fails once the sum is 20 or more, in another way where it began with 50."""

    def setup(self) -> None:
        self.total = 0

    @rule(amount=st.integers(0, 50))
    def add(self, amount: int) -> None:
        if self.total == 0 and amount == 50:
            raise OSError("another bug")
        self.total += amount
        assert self.total < 20

    @rule()
    def nothing(self) -> None:
        """A step that changes nothing."""


def add(amount: int) -> tuple[str, dict[str, Any]]:
    """A step that adds."""
    return ("add", {"amount": amount})


def failure(first: Program | None, last: Program | None, origin: Origin | None = None) -> Failure:
    """A bug with the program that was found, and the one that Hypothesis made of it."""
    told = []
    for program in (first, last):
        each = Story("Adding")
        each.program = program
        told.append(each)
    return Failure(origin or origin_of_adding(), told[0], told[1], 1)


def origin_of_adding() -> Origin:
    """Where Adding fails."""
    error = replay(Adding, story(add(20))).error
    assert error is not None
    return origin_of(error)


def minimal(found: Failure, **options: Any) -> Minimal:
    """The shortest story; there must be one."""
    made = minimal_of(Adding, found, **options)
    assert made is not None
    return made


def test_the_smaller_of_both_ways_is_told() -> None:
    """From what was found first, or from what Hypothesis made of it."""
    long, short = story(*["nothing"] * 9, add(9), add(30)), story(add(30))

    for found in (failure(long, short), failure(short, long)):
        made = minimal(found, budget=Budget(replays=2))
        assert 1 == len(made.program)
        assert 4 >= made.replays


def test_a_story_that_hypothesis_lost_is_found_in_the_first() -> None:
    """Where the shrunk one does not fail without Hypothesis, the raw one may."""
    made = minimal(failure(story("nothing", add(30)), story("nothing")))

    assert story(add(20)) == made.program


def test_the_story_that_is_told_is_one_that_just_happened() -> None:
    """Its lines, its error and its blob belong together."""
    made = minimal(failure(None, story("nothing", add(33))))

    assert ("state = Adding()", "state.add(amount=20)", "state.teardown()") == made.replay.lines
    assert isinstance(made.replay.error, AssertionError)
    assert made.program == from_blob(made.blob)
    assert made.seconds >= 0


def test_another_bug_is_not_told_for_this_one() -> None:
    """A program that fails elsewhere says nothing about it."""
    assert None is minimal_of(Adding, failure(story(add(50)), story(add(50))))


def test_a_program_that_passes_is_told_without_an_error() -> None:
    """The story stays as Hypothesis told it."""
    assert None is minimal_of(Adding, failure(None, None))
    assert None is tell(Adding, story("nothing")).error
