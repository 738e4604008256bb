"""A failure shows the user's frames and then the story, and none of ours around them."""

from __future__ import annotations

import unittest
from pathlib import Path
from typing import Any

import pytest
import trio

import chaoscheck
from chaoscheck.errors import Deadlock, NotExercised
from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.rules import invariant, rule
from tests.e2e.test_first_machine import run_pytest
from tests.unit.stateful.stories import QUICK

OURS = str(Path(chaoscheck.__file__).parent)


class Falling(ChaosMachine):
    """Its law falls with the second step."""

    steps = 0

    @rule()
    async def step(self) -> None:
        self.steps += 1

    @invariant()
    def few(self) -> None:
        assert self.steps < 2


class Waiting(ChaosMachine):
    """Its rule waits for nothing."""

    @rule()
    async def wait(self) -> None:
        await trio.Event().wait()


class Talkless(ChaosMachine):
    """It declares a fault that nothing meets."""

    links = ("cut",)

    def setup(self) -> None:
        self.chaos.serve()

    @rule()
    def nothing(self) -> None:
        """A step."""


def quick_case(machine: Any) -> unittest.TestCase:
    """The test of a machine, quick."""
    case: unittest.TestCase = machine.TestCase()
    case.settings = QUICK  # type: ignore[attr-defined]
    return case


def test_unittest_prints_the_users_frames_and_the_story() -> None:
    """Under plain unittest no line of ours stands before the story."""
    result = unittest.TestResult()
    quick_case(Falling).run(result)

    ((_, text),) = result.failures
    assert OURS not in text
    assert "in few" in text
    assert "state.step()" in text.partition("in few")[2]


@pytest.mark.parametrize(
    ("machine", "kind"), [(Waiting, Deadlock), (Talkless, NotExercised)], ids=["rule", "guard"]
)
def test_what_no_user_code_raised_has_hardly_a_frame(machine: Any, kind: type[Exception]) -> None:
    """A deadlock or a guard is told by its message, not by our lines."""
    with pytest.raises(kind) as raised:
        quick_case(machine).debug()

    ours = [each for each in raised.traceback if str(each.path).startswith(OURS)]
    assert ["runTest"] == [each.name for each in ours]


@pytest.mark.parametrize("style", ["auto", "short", "long", "native"])
def test_pytest_shows_the_users_frame_and_then_the_story(tmp_path: Path, style: str) -> None:
    """Whatever the style (a pytest process each, ~2 s)."""
    (tmp_path / "test_falling.py").write_text(
        "from chaoscheck import ChaosMachine, invariant, rule\n\n\n"
        "class Falling(ChaosMachine):\n"
        "    steps = 0\n\n"
        "    @rule()\n    def step(self):\n        self.steps += 1\n\n"
        "    @invariant()\n    def few(self):\n        assert self.steps < 2\n\n\n"
        "TestFalling = Falling.TestCase\n"
    )

    printed = run_pytest(tmp_path, "--chaos-no-save", f"--tb={style}").stdout

    before, _, _ = printed.partition("The shortest story found:")
    frames = [line for line in before.splitlines() if OURS in line and "runTest" not in line]
    assert [] == frames
    assert "self.steps < 2" in before
    assert "# broke: law few at test_falling.py:13" in printed
