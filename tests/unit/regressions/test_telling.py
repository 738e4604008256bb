"""Kept stories in plain words, and as plain tests."""

from __future__ import annotations

import ast

import pytest

from chaoscheck import faults
from chaoscheck.errors import PlanError
from chaoscheck.plan.hold import Hold
from chaoscheck.plan.program import Decision, Drawn, Draws, Literal, Program, Reference, Step
from chaoscheck.plan.program_text import to_json
from chaoscheck.regressions import trial
from chaoscheck.regressions.exporting import exported
from chaoscheck.regressions.law import Law
from chaoscheck.regressions.regression import Regression
from chaoscheck.regressions.telling import printable, told
from tests.unit.regressions.stories import FAULTY, Counter, add, regression

RICH = Program(
    steps=(
        *FAULTY.steps,
        Step(number=4, rule="begin", arguments={}),
        Step(number=5, rule="join", arguments={"operation": Reference(4)}),
        Step(number=6, rule="pair", arguments={"one": Reference(4, 1), "other": Drawn((1,), "x")}),
        Step(
            number=7,
            rule="set_rate",
            arguments={"fault": Literal(faults.status_503()), "rate": Literal(0.5)},
        ),
        Step(
            number=8,
            rule="play",
            arguments={"data": Draws((Drawn((1,), "1"), Drawn((2,), "'b'")))},
        ),
    ),
    decisions=(Decision(4, "latency", 0, 2),),
    holds=(
        Hold(task="begin@4", at=0, until="begin@4.1", ran=2),
        Hold(task="begin@4.1", at=0, until="begin@4", ran=1, late=True),
        Hold(task="begin@4", at=1, until="begin@4.1", ran=2, source="timer"),
    ),
)


def test_a_story_is_told_to_somebody_who_has_never_seen_the_machine() -> None:
    """Each step says what happens, not which method is called."""
    lines = told(regression(RICH))

    assert "1. the next request that would go well meets status_429(retry_after_s=1.0)" in lines
    assert "2. add with by = nan" in lines
    assert "5. the begin of step 4 goes on to its end" in lines
    assert "6. pair with one = the begin of step 4 (its value 1), other = x" in lines
    assert any("each request meets status_503" in line for line in lines)
    assert "- begin@4 does not start until begin@4.1 has passed its 1st checkpoint" in lines
    assert any("1 unusual answer" in line for line in lines)


def test_a_rule_of_ones_own_that_has_a_ready_made_name_is_told_as_it_is() -> None:
    """What cut means in my machine, only my machine knows."""
    step = Step(number=1, rule="cut", arguments={"rope": Literal("{fault}")})

    assert "1. cut with rope = '{fault}'" in told(regression(Program(steps=(step,))))


def test_nothing_in_a_file_can_steer_a_terminal() -> None:
    """Escape sequences and reversed text are shown as what they are."""
    hostile = Law(name="x", exception="Error", message="\x1b[2J\u202egone")

    assert all(line.isprintable() for line in told(regression(add(1), law=hostile)))
    assert "\\x1b[2J" == printable("\x1b[2J")


def run_exported(kept: Regression) -> None:
    """Paste the export below the machine, and run its test."""
    namespace = {"Counter": Counter}
    exec(exported(kept), namespace)
    [test] = [each for name, each in namespace.items() if name.startswith("test_story_")]
    test()


def test_an_exported_story_is_a_test_that_fails_as_the_story_does() -> None:
    """I paste it below the machine, and it stands on its own."""
    with pytest.raises(AssertionError, match="counted 9"):
        run_exported(regression(add(9)))
    run_exported(regression(add(1)))


def test_an_exported_program_is_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds, decisions, references, faults and odd floats survive."""
    made: list[Program] = []
    monkeypatch.setattr(
        trial, "require_passes", lambda machine, program, world: made.append(program)
    )

    run_exported(regression(RICH))

    assert [repr(to_json(RICH))] == [repr(to_json(program)) for program in made]


@pytest.mark.parametrize(
    "text", ['"); boom(); ("', "\\", "\n boom()\n", "\u2028boom()", '"""', "\ud800", "\f\rboom()"]
)
def test_no_text_of_a_file_becomes_code(text: str) -> None:
    """A hostile file makes an ugly test, and nothing more."""
    step = Step(number=1, rule=text, arguments={text: Literal(text)})
    law = Law(name=text, exception=text, message=text)
    kept = regression(Program(steps=(step,)), law=law, file=text + ".py")

    code = ast.parse(exported(kept).encode("utf-8", "replace"))

    assert ["FunctionDef"] == [type(each).__name__ for each in code.body]
    called = {node.func.id for node in ast.walk(code) if isinstance(node, ast.Call)}  # type: ignore[attr-defined]
    assert {"Program", "Step", "Literal", "require_passes"} == called


@pytest.mark.parametrize("name", ["make.<locals>.Counter", "Counter)\nboom(", "a b", "1x"])
def test_a_machine_without_a_name_in_its_module_cannot_be_exported(name: str) -> None:
    """What code cannot name is refused, with the way out."""
    with pytest.raises(PlanError, match="only a machine with a name can be exported"):
        exported(regression(add(9), machine=name))
