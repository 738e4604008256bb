"""How many examples Hypothesis may spend on shrinking before the domain pass takes over."""

from __future__ import annotations

from chaoscheck.report.story import Story
from chaoscheck.stateful import failures
from chaoscheck.stateful.failures import Failures
from tests.unit.stateful.stories import story


def test_hypothesis_has_its_share_of_examples_once_something_failed() -> None:
    """Then the domain pass takes over, also for a rule that draws while it runs."""
    seen = Failures()
    failing = Story("Machine")
    failing.error, failing.program = AssertionError("wrong"), story("play")
    seen.add(failing, 1)

    examples = next(count for count in range(10_000) if seen.enough())

    assert failures.SHRINKING_EXAMPLES_MAX == examples


def test_before_a_failure_there_is_never_enough() -> None:
    """A search without a failure runs to its end."""
    seen = Failures()

    assert not any(seen.enough() for _ in range(1_000))
