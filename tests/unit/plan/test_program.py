"""Programs: steps can be taken away and numbered anew, and the rest means what it meant."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import (
    Decision,
    Drawn,
    Literal,
    Program,
    Reference,
    Step,
    steps_named,
)
from tests.unit.plan.programs import programs

QUICK = settings(max_examples=20, deadline=None, database=None, derandomize=True)

PROGRAM = Program(
    steps=(
        Step(number=3, rule="open", arguments={}),
        Step(number=9, rule="fetch", arguments={"file": Reference(3), "size": Literal(5)}),
        Step(number=4, rule="drop", arguments={"file": Reference(3, 1), "odd": Drawn((1,), "[1]")}),
    ),
    decisions=(Decision(0, "latency", 0, 2), Decision(9, "fault", 1, 1)),
    holds=(
        Hold(task="fetch@9", at=0, until="drop@4/child.1", ran=2),
        Hold(task="serve", at=4, until="open@3", ran=1),
    ),
)


def test_numbers_become_plain_everywhere_at_once() -> None:
    """Steps, references, decisions and holds speak of the same steps as before."""
    assert (
        Program(
            steps=(
                Step(number=1, rule="open", arguments={}),
                Step(number=2, rule="fetch", arguments={"file": Reference(1), "size": Literal(5)}),
                Step(
                    number=3,
                    rule="drop",
                    arguments={"file": Reference(1, 1), "odd": Drawn((1,), "[1]")},
                ),
            ),
            decisions=(Decision(0, "latency", 0, 2), Decision(2, "fault", 1, 1)),
            holds=(
                Hold(task="fetch@2", at=0, until="drop@3/child.1", ran=2),
                Hold(task="serve", at=4, until="open@1", ran=1),
            ),
        )
        == PROGRAM.renumbered()
    )


@QUICK
@given(programs())
def test_numbering_anew_loses_nothing(program: Program) -> None:
    """As many of everything, and a second time changes nothing."""
    again = program.renumbered()

    assert list(range(1, len(program.steps) + 1)) == [step.number for step in again.steps]
    assert [step.rule for step in program.steps] == [step.rule for step in again.steps]
    assert len(program.decisions) == len(again.decisions)
    assert len(program.holds) == len(again.holds)
    assert again == again.renumbered()


@QUICK
@given(programs())
def test_what_is_numbered_anew_speaks_of_the_same_steps(program: Program) -> None:
    """A hold, a decision, a reference: the place of the step it names stays."""
    again = program.renumbered()
    place = {step.number: at for at, step in enumerate(program.steps)}

    assert [{place[number] for number in steps_named(hold)} for hold in program.holds] == [
        {number - 1 for number in steps_named(hold)} for hold in again.holds
    ]
    assert [place.get(each.step, -1) for each in program.decisions] == [
        each.step - 1 for each in again.decisions
    ]


@QUICK
@given(programs(), st.data())
def test_taking_steps_away_takes_what_speaks_of_them(program: Program, data: st.DataObject) -> None:
    """No decision or hold of a step that is gone is left behind, and no other is touched."""
    numbers = [step.number for step in program.steps]
    gone = set(data.draw(st.lists(st.sampled_from(numbers), unique=True))) if numbers else set()

    left = program.without(gone)

    assert [step for step in program.steps if step.number not in gone] == list(left.steps)
    assert [each for each in program.decisions if each.step not in gone] == list(left.decisions)
    assert [hold for hold in program.holds if not steps_named(hold) & gone] == list(left.holds)


def test_its_length_is_what_a_reader_reads() -> None:
    """Steps and holds are lines; what chance decided is told within them."""
    assert 5 == len(PROGRAM)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("fetch@12", 12),
        ("fetch@12.1", 12),
        ("fetch@12/child.3", 12),
        ("mail@5@12", 12),
        ("fetch@12/mail@5", 12),
        ("mail@home@12", 12),
    ],
)
def test_the_step_of_a_task_is_found_whatever_its_author_called_it(name: str, step: int) -> None:
    """An operation that I named ``mail@5`` is not one of step 5."""
    hold = Hold(task=name, at=0, until="serve", ran=1)
    other = Step(number=5, rule="other", arguments={})
    program = Program(steps=(other, Step(number=step, rule="fetch", arguments={})), holds=(hold,))

    assert {step} == steps_named(hold)
    assert (hold,) == program.without([5]).holds
    assert name.replace(str(step), "2") == program.renumbered().holds[0].task


def test_a_task_of_no_step_belongs_to_none() -> None:
    """A service is there from the beginning."""
    assert set() == steps_named(Hold(task="serve", at=0, until="mail@home", ran=1))


def test_a_program_is_told_line_by_line() -> None:
    """Its text names steps with their arguments, and who waits for whom."""
    told = str(PROGRAM)

    assert "9. fetch(file=<0 of step 3>, size=5)" in told
    assert "fetch@9 does not start until drop@4/child.1 has passed its 1st checkpoint" in told
