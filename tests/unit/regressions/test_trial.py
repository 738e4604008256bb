"""What a kept story does today."""

from __future__ import annotations

import unittest

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.regressions.trial import gone_steps, require_passes, running_in, tried, world_name
from tests.unit.regressions.stories import FAULTY, Counter, Mended, WithoutAdd, add, regression


def test_a_story_fails_while_its_bug_is_there() -> None:
    """The bug is reported as often as I run."""
    trial = tried(Counter, regression(add(9)))

    assert ("fails", ()) == (trial.status, trial.reasons)


def test_a_story_passes_once_its_bug_is_mended() -> None:
    """What I mended is guarded from now on."""
    assert "passes" == tried(Mended, regression(add(9))).status


def test_a_story_whose_rule_is_gone_is_stale_with_its_reason() -> None:
    """I am told that a story cannot be told any more, and why."""
    trial = tried(WithoutAdd, regression(add(9)))

    assert "stale" == trial.status
    assert ("step 1: there is no rule 'add' now",) == trial.reasons


def test_a_story_that_fails_without_a_gone_step_still_fails() -> None:
    """A law that breaks is never hidden by a step that is left out."""
    program = add(1, 9)
    gone = program.steps[0]
    renamed = type(program)(
        steps=(type(gone)(number=1, rule="gone", arguments={}), program.steps[1])
    )

    trial = tried(Counter, regression(renamed))

    assert ("fails", ("step 1: there is no rule 'gone' now",)) == (trial.status, trial.reasons)


def test_steps_that_can_never_be_taken_again_are_told_from_those_that_could() -> None:
    """Only what is gone for good may be pruned; a single fault needs no rule of the machine."""
    assert {} == gone_steps(Counter, add(1))
    assert [1] == list(gone_steps(WithoutAdd, add(1)))
    assert [] == list(gone_steps(Counter, FAULTY))
    renamed = add(1, of="double")
    assert {1: "double has other arguments now"} == gone_steps(Counter, renamed)


def test_a_story_runs_in_the_world_in_which_it_was_found() -> None:
    """A story of real TCP stays one; afterwards machines run where they ran before."""
    assert "virtual" == world_name()

    with running_in("loopback"):
        assert "loopback" == world_name()

    assert "virtual" == world_name()
    with pytest.raises(PlanError, match="unknown world 'lunar'"):
        tried(Counter, regression(add(9), world="lunar"))


def test_an_exported_story_raises_what_breaks_with_the_story_told() -> None:
    """An exported test fails as the machine itself does, and passes once it is mended."""
    with pytest.raises(AssertionError) as failed:
        require_passes(Counter, add(9))

    assert "state.add(by=9)" in failed.value.__notes__
    require_passes(Mended, add(9))


class Skipping(Counter):
    """It cannot run here."""

    chaos_key = "Counter"

    def setup(self) -> None:
        """Say so."""
        raise unittest.SkipTest("no server here")


def test_a_story_whose_test_skips_is_stale_and_says_why() -> None:
    """It was not told, so it does not pass."""
    trial = tried(Skipping, regression(add(9)))

    assert ("stale", ("the test skips: no server here",)) == (trial.status, trial.reasons)
