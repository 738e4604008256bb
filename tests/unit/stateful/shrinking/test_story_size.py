"""What the domain pass goes by: how long a story is, and which arguments are smaller."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Decision, Drawn, Literal, Reference
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import rule
from chaoscheck.stateful.shrinking.shrunk_arguments import CHOICES_MAX, lowered, merged
from chaoscheck.stateful.shrinking.story_size import size_of
from tests.unit.stateful.stories import story


class Adding(ChaosMachine):
    """Two rules that change nothing."""

    @rule(amount=st.integers(0, 50))
    def add(self, amount: int) -> None:
        """A step with a number."""

    @rule()
    def nothing(self) -> None:
        """A step without."""


def add(amount: int) -> tuple[str, dict[str, Any]]:
    """A step that adds."""
    return ("add", {"amount": amount})


def held(at: int) -> Hold:
    """One hold."""
    return Hold(task="a@1", at=at, until="b@1", ran=2)


ORDERED = [
    story(add(1)),
    story(add(2)),
    story(add(1), decisions=[Decision(1, "x", 0, 1)]),
    story(add(0), add(0)),
    story("nothing", holds=[held(0)]),
    story("nothing", holds=[held(1)]),
    story("nothing", "nothing", "nothing"),
]


def test_sizes_are_in_the_order_in_which_a_reader_minds() -> None:
    """Lines first; then what chance decided, the numbers, and the length of holds."""
    sizes = [size_of(Adding, replay(Adding, program)) for program in ORDERED]

    assert sizes[0] < sizes[1] < sizes[2] < sizes[3]
    assert sizes[3][0] == sizes[4][0] == 2
    assert sizes[4] < sizes[5] < sizes[6]


def test_arguments_come_nearer_to_nothing() -> None:
    """Each proposal changes one choice, and none makes it larger."""
    proposals = list(lowered(Drawn((40, True, -7, 2.5, "text", b"x"))))

    assert (0, True, -7, 2.5, "text", b"x") == proposals[0]
    for proposal in proposals:
        changed = [
            (old, new)
            for old, new in zip((40, True, -7, 2.5, "text", b"x"), proposal, strict=True)
            if old != new
        ]
        assert 1 == len(changed)
        assert abs(changed[0][1]) < abs(changed[0][0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "argument",
    [Reference(1), Literal(5), Drawn(()), Drawn((1,) * (CHOICES_MAX + 1)), Drawn((float("nan"),))],
    ids=["reference", "no choices", "empty", "too many", "not a number"],
)
def test_what_cannot_come_nearer_stays(argument: Any) -> None:
    """A reference, a value of unknown choices, too many choices: Hypothesis's business."""
    assert [] == list(lowered(argument))


def test_only_steps_of_equal_shape_are_merged() -> None:
    """A sum needs two numbers at the same place."""
    steps = story(
        ("add", {"n": Drawn((True, 2))}),
        ("add", {"n": Drawn((False, 3))}),
        ("add", {"n": Drawn((1,))}),
        ("add", {"n": Reference(1)}),
        ("add", {"m": Drawn((True, 2))}),
        ("add", {"n": Drawn((True, "x"))}),
    ).steps

    assert [("n", (True, 5))] == list(merged(steps[0], steps[1]))
    for other in steps[2:5]:
        assert [] == list(merged(steps[0], other))
    assert [("n", (True, 2))] == list(merged(steps[0], steps[5]))
