"""Proposals for arguments: shorter lists, greater numbers, both lists in one."""

from __future__ import annotations

from typing import Any

from chaoscheck.plan.program import Drawn, Literal, Reference, Step
from chaoscheck.stateful.shrinking.shrunk_arguments import CHOICES_MAX, merged, raised, shortened


def step(*choices: Any) -> Step:
    """A step with one argument made of these choices."""
    return Step(number=1, rule="add", arguments={"amounts": Drawn(choices, "amounts")})


def test_any_run_of_choices_may_go_the_longest_first() -> None:
    """An element of a list goes with all the choices that it is made of."""
    assert [(3,), (1,), (2, 3), (1, 3), (1, 2)] == list(shortened(Drawn((1, 2, 3))))


def test_numbers_grow_by_one_by_two_and_twofold() -> None:
    """Each proposal makes one number bolder, and leaves what is no number alone."""
    assert [(4, True), (5, True), (6, True)] == list(raised(Literal(3, (3, True))))
    assert [(-2,), (-3,)] == list(raised(Literal(-1, (-1,))))
    assert [(1,), (2,)] == list(raised(Literal(0, (0,))))


def test_two_lists_become_one_before_their_numbers_are_added() -> None:
    """The end of the first list gives way to the elements of the second."""
    kept, gone = step(True, 1, False), step(True, 2, False)

    both, summed = (choices for _, choices in merged(kept, gone))

    assert (True, 1, True, 2, False) == both
    assert (True, 3, False) == summed


def test_what_has_no_choices_or_too_many_is_left_alone() -> None:
    """References stay as they are, and so does what only Hypothesis can shrink."""
    for argument in (Reference(1), Literal("text"), Drawn((1,) * (CHOICES_MAX + 1))):
        assert [] == [*shortened(argument), *raised(argument)]
