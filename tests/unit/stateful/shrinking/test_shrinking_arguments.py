"""Proposals for arguments: shorter lists, greater numbers, both lists in one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from chaoscheck.plan.program import Drawn, Literal, Reference, Step
from chaoscheck.stateful.conjecture import nodes_of, unbounded_nodes
from chaoscheck.stateful.shrinking.shrunk_arguments import (
    CHOICES_MAX,
    further,
    merged,
    nearby,
    shortened,
    simpler_values,
)


def step(*choices: Any) -> Step:
    """A step with one argument made of these choices."""
    return Step(number=1, rule="add", arguments={"amounts": Drawn(choices, "amounts")})


def test_any_run_of_choices_may_go_the_longest_first() -> None:
    """An element of a list goes with all the choices that it is made of."""
    assert [(3,), (1,), (2, 3), (1, 3), (1, 2)] == list(shortened(Drawn((1, 2, 3))))


def test_numbers_grow_by_one_by_two_and_twofold_or_shrink_by_one() -> None:
    """Each proposal changes one number, and leaves what is no number alone."""
    assert [(4, True), (5, True), (6, True), (2, True)] == list(nearby(unbounded_nodes((3, True))))
    assert [(-2,), (-3,), (0,)] == list(nearby(unbounded_nodes((-1,))))
    assert [(1,), (2,)] == list(nearby(unbounded_nodes((0,))))


def test_a_number_of_a_small_range_may_be_any_greater_one() -> None:
    """How many slices pass before a cancel is looked for one by one; a sum of money is not."""
    assert [(10,), (11,), (12,)] == list(further(nodes_of(st.integers(1, 12), (9,), None)))
    assert [] == list(further(nodes_of(st.integers(0, 100), (9,), None)))
    assert [] == list(further(unbounded_nodes((9,))))


def test_two_lists_become_one_before_their_numbers_are_added() -> None:
    """The end of the first list gives way to the elements of the second."""
    kept, gone = step(True, 1, False), step(True, 2, False)

    both, summed = (choices for _, choices in merged(kept, gone))

    assert (True, 1, True, 2, False) == both
    assert (True, 3, False) == summed


def test_texts_are_joined_and_fractions_added() -> None:
    """Two steps of one rule become one with both texts, or with the sum."""
    assert [("amounts", ("abcd",))] == list(merged(step("ab"), step("cd")))
    assert [("amounts", (0.75,))] == list(merged(step(0.5), step(0.25)))
    assert [] == list(merged(step(True), step(True)))


def test_what_has_no_choices_or_too_many_is_left_alone() -> None:
    """References stay as they are, and so does what only Hypothesis can shrink."""
    for argument in (Reference(1), Literal("text"), Drawn((1,) * (CHOICES_MAX + 1))):
        assert [] == list(shortened(argument))
    assert [] == list(nearby(unbounded_nodes((1,) * (CHOICES_MAX + 1))))


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        (True, False, False),
        (40, 0, 8),  # 40 % 2**5
        (-3, 0, 3),
        (-3.0, 0.0, 3.0),
        (0.3, 0.0, 1.0),
        (2.5, 0.0, 3.0),
        (float("inf"), 0.0, 1e308),
        ("ab", "", "a0"),
        (b"xy", b"", b"xx"),
    ],
)
def test_a_choice_has_simpler_ones_the_boldest_first(value: Any, first: Any, last: Any) -> None:
    """Every proposal is legal and simpler in Hypothesis's own order."""
    (node,) = unbounded_nodes((value,))
    proposals = list(simpler_values(node))

    assert first == proposals[0]
    assert last in proposals
    for each in proposals:
        assert unbounded_nodes((each,))[0].index < node.index


@pytest.mark.parametrize("value", [False, 0, 0.0, "", b""])
def test_the_simplest_choice_has_none_that_is_simpler(value: Any) -> None:
    """Nothing is proposed for it."""
    assert [] == list(simpler_values(*unbounded_nodes((value,))))


def test_only_what_a_strategy_allows_is_proposed() -> None:
    """A number between 10 and 20 never becomes 0; the simplest is 10."""
    (node,) = nodes_of(st.integers(10, 20), (15,), None)

    assert [10, 11, 12, 13, 14] == sorted(simpler_values(node))
