"""The bold moves of the domain pass: each makes a story shorter that nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Program, Reference
from chaoscheck.stateful.shrinking import domain_pass
from chaoscheck.stateful.shrinking.domain_pass import Budget, shrink
from tests.unit.stateful.bold_machines import (
    AllOrTwo,
    AWaitsForC,
    Either,
    Even,
    Following,
    Hurried,
    InPlaceOfAHold,
    LateStart,
    Looking,
    Marked,
    MarkedLast,
    OneWaits,
    Saving,
    Slowing,
    Stopped,
    TwoWait,
    Using,
)
from tests.unit.stateful.stories import story


def held(task: str, at: int, until: str, ran: int) -> Hold:
    """One hold."""
    return Hold(task=task, at=at, until=until, ran=ran)


def ref(number: int) -> dict[str, Any]:
    """An argument ``value`` that a step made."""
    return {"value": Reference(number)}


BUYS = [("buy", {"amount": 1})] * 4
# What is tried, the machine, the program, and the lines that are enough.
MOVES: dict[str, tuple[str, Any, Program, int]] = {
    "who waited for a step that goes waits for another": (
        "without_a_step",
        OneWaits,
        story("a", "b", "c", holds=[held("a@1", 1, "c@3", 2)]),
        3,
    ),
    "two that waited for it wait for another": (
        "without_a_step",
        TwoWait,
        story("a", "b", "c", "d", holds=[held("a@1", 1, "d@4", 2), held("b@2", 1, "d@4", 2)]),
        5,
    ),
    "a step goes and somebody waits longer": (
        "without_a_step",
        Hurried,
        story("hurry", "a", "b", holds=[held("a@2", 1, "b@3", 3)]),
        3,
    ),
    "one hold does for two": (
        "one_hold_for_two",
        AWaitsForC,
        story("a", "b", "c", holds=[held("a@1", 1, "b@2", 2), held("b@2", 1, "c@3", 2)]),
        4,
    ),
    "two steps change places in place of a hold": (
        "reordered",
        Marked,
        story("a", "mark", "b", holds=[held("a@1", 0, "b@3", 1)]),
        3,
    ),
    "who does not start comes later": (
        "started_later",
        LateStart,
        story("a", "b", "c", "d", holds=[held("a@1", 0, "d@4", 1)]),
        4,
    ),
    "another reference in place of a hold": (
        "with_another_reference",
        Using,
        story("first", "second", ("use", ref(1)), "a", holds=[held("use@3", 1, "a@4", 2)]),
        3,
    ),
    "what followed a step follows another": (
        "with_other_followers",
        Following,
        story("first", "second", ("use", ref(1))),
        2,
    ),
    "a plain step in place of one that follows another": (
        "with_plain_steps",
        Looking,
        story("make", "a", ("use", ref(1)), "look"),
        3,
    ),
    "a greater number in place of a step": (
        "by_another_number",
        Saving,
        story("more", ("add", {"amount": 15})),
        1,
    ),
    "a later checkpoint in place of a step of time": (
        "by_another_number",
        Stopped,
        story("work", "settle", ("cancel", {"operation": Reference(1), "checkpoint": 0})),
        2,
    ),
    "a greater number and another hold in place of a step": (
        "by_another_number",
        Slowing,
        story("a", ("slow", {"stretches": 2}), "c", holds=[held("a@1", 1, "c@3", 3)]),
        3,
    ),
    "two merges at once": ("by_two_merges", Even, story(*BUYS), 2),
    "one hold for two, and the steps in another order": (
        "with_one_hold",
        TwoWait,
        story("a", "b", "c", holds=[held("a@1", 1, "c@3", 2), held("b@2", 1, "c@3", 2)]),
        4,
    ),
    "a merge once a step is the last": (
        "by_two_merges",
        MarkedLast,
        story("another_mark", *BUYS[:2]),
        2,
    ),
    "a call of the first program in place of two": (
        "one_step_for_two_lines",
        Either,
        story("left", "right", "both"),
        1,
    ),
    "a call of the first program in place of a step and a hold": (
        "one_step_for_two_lines",
        InPlaceOfAHold,
        story("a", "b", "c", holds=[held("a@1", 1, "b@2", 2)]),
        2,
    ),
}


def lines(machine: Any, program: Program) -> int:
    """How many lines the shortest story has."""
    found = shrink(machine, program)
    assert found is not None
    assert not found.interrupted
    return len(found.program)


def nothing(*arguments: Any) -> Iterator[Program]:
    """No proposals."""
    yield from ()


@pytest.mark.parametrize("what", MOVES)
def test_a_bold_move_makes_the_story_shorter(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """I am told the shortest story, where leaving things out alone would not get there."""
    move, machine, program, shortest = MOVES[what]

    assert shortest >= lines(machine, program)
    # These two find most tiny stories as well.
    for skipped in {"repeated_calls", "with_one_hold"} - {move}:
        monkeypatch.setattr(domain_pass, skipped, nothing)
    assert shortest == lines(machine, program)
    monkeypatch.setattr(domain_pass, move, nothing)
    assert shortest < lines(machine, program)


def test_a_long_program_is_told_by_two_of_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong between many goes wrong between two of them, and that is my story.

    Here no step can be left out of the long program, since only all 14 are wrong, or two.
    """
    program = story(*["a", "b", "c", "d", "a", "b", "c"] * 2)

    assert 3 == lines(AllOrTwo, program)
    monkeypatch.setattr(domain_pass, "small_stories", nothing)
    without = shrink(AllOrTwo, program, budget=Budget(replays=150))
    assert without is not None
    assert 14 == len(without.program)


def test_what_one_search_tried_is_not_tried_by_another() -> None:
    """The stories of one failure are shrunk for little more than the price of one."""
    program = story("hurry", "a", "b", holds=[held("a@2", 1, "b@3", 3)])
    tried: set[object] = set()
    first = shrink(Hurried, program, tried=tried)
    assert first is not None
    again = shrink(Hurried, first.program, tried=tried)
    assert again is not None

    assert first.program == again.program
    assert 0 == again.replays
