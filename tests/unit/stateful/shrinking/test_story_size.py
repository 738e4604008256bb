"""What the domain pass goes by: how long a story is, and which arguments are smaller."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Decision, Drawn, Reference
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import rule
from chaoscheck.stateful.shrinking.shrunk_arguments import merged
from chaoscheck.stateful.shrinking.story_size import size_of
from tests.unit.stateful.stories import story


class Adding(ChaosMachine):
    """Two rules that change nothing."""

    @rule(amount=st.integers(0, 50))
    def add(self, amount: int) -> None:
        """A step with a number."""

    @rule(value=st.integers() | st.floats() | st.text() | st.binary())
    def take(self, value: Any) -> None:
        """A step with any value."""

    @rule()
    def nothing(self) -> None:
        """A step without."""


_KINDS = [int, float, str, bytes]  # in the order of the strategies that ``take`` chooses from


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
    assert sizes[3][1] == sizes[4][1] == 2
    assert sizes[4] < sizes[5] < sizes[6]


@pytest.mark.parametrize(
    ("simpler", "larger"),
    [
        (1.0, 0.5),
        (0.0, 0.001),
        (0.5, 0.25),
        (3.0, -3.0),
        (3, -3),
        (10**12, 10**13),
        ("b", "ab"),
        ("0", "z"),
        (b"", b"\0"),
        ("00", "0" * 2_000),
    ],
)
def test_every_argument_weighs_what_makes_it_hard_to_read(simpler: Any, larger: Any) -> None:
    """A fraction is more than nothing; a longer text more than a short one."""
    sizes = [
        size_of(
            Adding,
            replay(Adding, story(("take", {"value": Drawn((_KINDS.index(type(value)), value))}))),
        )
        for value in (simpler, larger)
    ]

    assert sizes[0][:2] == sizes[1][:2]
    assert sizes[0] < sizes[1]


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
    for other in steps[2:]:
        assert [] == list(merged(steps[0], other))
