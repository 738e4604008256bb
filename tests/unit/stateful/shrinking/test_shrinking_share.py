"""How many examples Hypothesis may spend on shrinking before the domain pass takes over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import find
from hypothesis import strategies as st

from chaoscheck.plan.program import Drawn, Program
from chaoscheck.report.story import Story
from chaoscheck.stateful import failures
from chaoscheck.stateful.failures import Failures
from tests.unit.stateful.stories import story


def failing(program: Program | None) -> Story:
    """A story that failed."""
    told = Story("Machine")
    told.error, told.program = AssertionError("wrong"), program
    return told


def share(program: Program | None) -> int:
    """How many examples run after a failure before it is enough."""
    seen = Failures()
    seen.add(failing(program), 1)
    return next(count for count in range(10_000) if seen.enough())


DRAWING: tuple[str, dict[str, Any]] = ("play", {"data": Drawn((), "data(...)")})


@pytest.mark.parametrize(
    ("program", "examples"),
    [
        (story("play"), failures.SHRINKING_EXAMPLES_MAX),
        (story("play", DRAWING), failures.SHRINKING_EXAMPLES_ALONE_MAX),
        (None, failures.SHRINKING_EXAMPLES_ALONE_MAX),
    ],
    ids=["replays", "draws on", "no program"],
)
def test_hypothesis_has_its_share_and_more_where_it_is_alone(
    program: Program | None, examples: int
) -> None:
    """Shrinking is quick, and thorough also where a program does not replay."""
    assert examples == share(program)


def test_before_a_failure_there_is_never_enough() -> None:
    """A search without a failure runs to its end."""
    seen = Failures()

    assert not any(seen.enough() for _ in range(1_000))


def test_hypothesis_still_shows_what_draws_on_in_the_same_way() -> None:
    """The name by which it is known is Hypothesis's own."""
    drawing = find(st.data(), lambda data: True)

    assert failures._DRAWS_ON == repr(drawing)
