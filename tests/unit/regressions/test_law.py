"""Which law broke, in words that are the same on every machine."""

from __future__ import annotations

import os
import re
import sys

import pytest
from hypothesis.errors import InvalidDefinition

from chaoscheck import Bundle, ChaosMachine, rule
from chaoscheck.plan.program import Literal, Program, Step
from chaoscheck.regressions.law import Law, broken_law, broken_laws, neutral
from chaoscheck.stateful.programs.replaying import replay
from tests.unit.regressions.stories import Counter, add


class Background(ChaosMachine):
    """It starts a task that fails while another step runs."""

    links = ("reset",)  # so that time may pass

    @rule()
    def begin(self) -> None:
        """Nothing runs before the world is pumped."""
        self.world.spawn(self._fail)

    async def _fail(self) -> None:
        raise KeyError("lost")


def test_an_invariant_is_named_with_its_message() -> None:
    """I read which law fell before I read any code."""
    error = replay(Counter, add(9)).error

    assert error is not None
    law = broken_law(Counter, error)
    assert ("stays_small", "AssertionError") == (law.name, law.exception)
    assert law.message.startswith("counted 9")


def test_a_rule_that_raises_is_named_and_no_folder_is_told() -> None:
    """A file that is shared names no folder of mine."""
    error = replay(Counter, add(-1)).error

    assert error is not None
    wanted = Law(name="add", exception="ValueError", message="cannot count -1 in …/counter.py")
    assert wanted == broken_law(Counter, error)


def test_an_error_in_which_the_machine_had_no_part_has_no_law() -> None:
    """What the world itself finds belongs to no method; of a group, the first error tells."""
    law = broken_law(Counter, ExceptionGroup("two", [TypeError(""), ValueError("x")]))

    assert ("", "TypeError", "TypeError") == (law.name, law.exception, str(law))


def test_a_failure_of_the_background_is_no_law_of_the_rule_that_met_it() -> None:
    """A ready-made rule lets things happen; what fails then is not its own."""
    program = Program(
        steps=(
            Step(number=1, rule="begin", arguments={}),
            Step(number=2, rule="let_time_pass", arguments={"seconds": Literal(1.0)}),
        )
    )
    error = replay(Background, program).error

    assert error is not None
    assert Law(name="", exception="KeyError", message="'lost'") == broken_law(Background, error)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("no such file: '/etc/secret/key.pem'", "no such file: '…/key.pem'"),
        (f"in {os.path.dirname(sys.executable)}/x.py", "in …/x.py"),
        ("C:\\Users\\me\\x.txt is gone", "…/x.txt is gone"),
        ("GET http://api.test/v1/chat/completions", "GET http://api.test/v1/chat/completions"),
        ("POST /v1/chat/completions", "POST /v1/chat/completions"),
        ("<Lock object at 0x7f00aa11bb22>", "<Lock object at 0x…>"),
        ("3/4 of 0x1F", "3/4 of 0x1F"),
    ],
)
def test_folders_and_addresses_are_left_out(text: str, wanted: str) -> None:
    """What a message says of my machine stays on it; what it says of a server is told."""
    assert wanted == neutral(text)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("VIOLATED\n  lost: 3\n  twice: 4\nassert False", "VIOLATED: lost: 3; twice: 4"),
        ("assert 4 < 4\n +  where 4 = total", "assert 4 < 4; +  where 4 = total"),
        ("one line", "one line"),
        ("\n\n", ""),
    ],
)
def test_the_message_carries_the_witness(said: str, message: str) -> None:
    """Not the first line alone, which may say no more than VIOLATED."""
    assert message == broken_law(Counter, AssertionError(said)).message


def test_a_law_says_where_it_fell() -> None:
    """The bare name of the file, and the line; the same law at another line is the same law."""
    error = replay(Counter, add(9)).error
    assert error is not None

    law = broken_law(Counter, error)

    assert re.fullmatch(r"stories\.py:\d+", law.place)
    assert str(law).endswith(f"({law.place})")
    assert Law(name=law.name, exception=law.exception, message=law.message) == law


def test_each_bug_of_a_run_has_its_law() -> None:
    """A group of several bugs is not told as its first."""
    errors = [replay(Counter, add(9)).error, replay(Counter, add(-1)).error]
    raised = []
    for error in errors:
        assert error is not None
        error.add_note("The shortest story found:")
        raised.append(error)
    try:
        raise BaseExceptionGroup("breaks in 2 ways", raised)
    except BaseExceptionGroup as group:
        laws = broken_laws(Counter, group)

    assert ["stays_small", "add"] == [law.name for law in laws]


def test_a_machine_that_cannot_be_set_up_has_no_laws() -> None:
    """Its own error is what is said, and not another of the same kind."""

    class Misspelt(ChaosMachine):
        @rule(job=Bundle("jobs"))
        def finish(self, job: object) -> None:
            """Never runs."""

    error = InvalidDefinition("finish can never run")

    assert str(broken_law(Misspelt, error)) == "InvalidDefinition: finish can never run"
