"""What a rule draws from ``st.data()`` is part of the program: it replays, shrinks and is kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from chaoscheck.errors import PlanError
from chaoscheck.plan.program import Drawn, Draws, Program
from chaoscheck.plan.program_text import from_blob, from_json, to_blob, to_json
from chaoscheck.stateful.exploring.exploring import explore
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.minimal import tell
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import initialize, rule
from chaoscheck.stateful.search import find_counterexample
from chaoscheck.stateful.shrinking.domain_pass import shrink
from tests.unit.stateful.stories import story


class Paying(ChaosMachine):
    """Draws how much it pays, and to whom, while it runs."""

    def setup(self) -> None:
        """Nothing is paid."""
        self.paid = {"ann": 0, "bob": 0}

    @rule(data=st.data())
    async def pay(self, data: DataObject) -> None:
        """Pay one of the two; too much to bob is the bug."""
        who = data.draw(st.sampled_from(sorted(self.paid)), label="who")
        self.paid[who] += data.draw(st.integers(0, 100))
        assert self.paid["bob"] < 30, "bob has too much"


class Keeping(ChaosMachine):
    """Keeps its data for later steps, as many machines do."""

    @initialize(data=st.data())
    def begin(self, data: DataObject) -> None:
        """Keep it."""
        self.data = data
        self.items: list[int] = []

    @rule(item=st.integers(0, 3))
    def put(self, item: int) -> None:
        """One more to choose from."""
        self.items.append(item)

    @rule()
    def take(self) -> None:
        """Take one of those that are there; the last one must not be a 2."""
        assume(self.items)
        taken = self.data.draw(st.sampled_from(self.items))
        self.items.remove(taken)
        assert self.items or taken != 2


def draws(*choices: tuple[Any, ...]) -> Draws:
    """Draws of these choices."""
    return Draws(tuple(Drawn(each) for each in choices))


def test_a_rule_that_draws_has_the_shortest_story_and_its_draws_are_in_it() -> None:
    """One payment of 30 to bob; the lines are Hypothesis's own."""
    found = find_counterexample(Paying, max_examples=100)

    assert found is not None
    assert found.program is not None
    assert ("state.pay(data=data(...))",) == found.steps
    told = tell(Paying, found.program)
    lines = ("Draw 1 (who): 'bob'", "Draw 2: 30", "state.pay(data=data(...))")
    assert lines == told.lines[1:4]


def test_its_program_says_what_was_drawn_and_survives_as_text() -> None:
    """Readable JSON, a blob, and back."""
    found = find_counterexample(Paying, max_examples=100)
    assert found is not None
    assert found.program is not None

    argument = to_json(found.program)["steps"][0]["arguments"]["data"]
    read = [from_json(to_json(found.program)), from_blob(to_blob(found.program))]

    shown = [{"choices": [1], "shown": "'bob'"}, {"choices": [30], "shown": "30"}]
    assert {"draws": shown} == argument
    assert [found.program] * 2 == read
    assert {replay(Paying, each).origin for each in read} == {replay(Paying, read[0]).origin}
    assert isinstance(replay(Paying, read[0]).error, AssertionError)


def test_data_that_is_kept_for_later_steps_replays_too() -> None:
    """The draws stand with the step that was given the data."""
    found = find_counterexample(Keeping, max_examples=200)

    assert found is not None
    assert 3 == len(found.steps)
    assert found.program is not None
    assert isinstance(replay(Keeping, found.program).error, AssertionError)


def test_what_is_not_on_record_is_the_simplest() -> None:
    """A step that draws more than it did then goes on."""
    run = replay(Paying, story(("pay", {"data": draws()}), ("pay", {"data": draws((1,))})))

    assert run.error is None
    assert [((0,), (0,)), ((1,), (0,))] == [
        tuple(each.choices for each in step.arguments["data"].draws)  # type: ignore[union-attr]
        for step in run.program.steps
    ]


def test_what_is_left_over_is_dropped() -> None:
    """The program of a replay is what was really done."""
    run = replay(Paying, story(("pay", {"data": draws((1,), (7,), (8,), (9,))})))

    assert draws((1,), (7,)).draws[0].choices == _drawn(run.program)[0].choices
    assert 2 == len(_drawn(run.program))


def _drawn(program: Program) -> tuple[Drawn, ...]:
    argument = program.steps[0].arguments["data"]
    assert isinstance(argument, Draws)
    return argument.draws


def test_the_domain_pass_makes_draws_smaller() -> None:
    """Three payments become one, and 77 becomes 30."""
    long = story(
        ("pay", {"data": draws((0,), (50,))}),
        ("pay", {"data": draws((1,), (9,))}),
        ("pay", {"data": draws((1,), (77,))}),
    )

    shrunk = shrink(Paying, long)

    assert shrunk is not None
    assert ["'bob'", "30"] == [each.shown for each in _drawn(shrunk.program)]
    assert 1 == len(shrunk.program)


def test_a_draw_whose_strategy_raises_is_on_record_with_its_choices() -> None:
    """The replay raises the same, with Hypothesis's note."""

    class Dividing(ChaosMachine):
        @rule(data=st.data())
        def split(self, data: DataObject) -> None:
            data.draw(st.booleans())
            data.draw(st.integers(0, 9).map(lambda count: 12 // (count % 3)))

    found = find_counterexample(Dividing, max_examples=50)

    assert found is not None
    assert isinstance(found.error, ZeroDivisionError)
    assert any(line.startswith("while generating 'Draw 2'") for line in found.error.__notes__)
    assert found.program is not None
    assert ["False", "raises ZeroDivisionError"] == [e.shown for e in _drawn(found.program)]


def test_the_explorer_draws_too() -> None:
    """Its find is a program like any other."""
    explored = explore(Paying, seconds=20, examples_max=500)

    assert explored.failure is not None
    program = explored.failure.first.program
    assert program is not None
    assert explored.failure.origin == replay(Paying, program).origin


@pytest.mark.parametrize(
    "wrong", [{"draws": [3]}, {"draws": {}}, {"draws": [{"shown": "3"}]}, {"draws": [], "more": 1}]
)
def test_draws_that_are_none_are_refused(wrong: Any) -> None:
    """The message names the step."""
    made = {"steps": [{"number": 1, "rule": "pay", "arguments": {"data": wrong}}]}

    with pytest.raises(PlanError, match="argument 'data' of step 1"):
        from_json(made)
