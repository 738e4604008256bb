"""The story says which law fell, and where."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import strategies as st

from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import invariant, rule
from chaoscheck.stateful.running import report_of
from tests.unit.stateful.stories import story


class Falling(ChaosMachine):
    """Each value breaks something else."""

    value = 0

    @rule(value=st.integers())
    def take(self, value: int) -> None:
        self.value = value
        if value == 1:
            raise OSError("no luck")

    @rule()
    async def wait_for_nothing(self) -> None:
        await trio.Event().wait()

    @rule(in_flight=True)
    async def fail(self) -> None:
        raise ZeroDivisionError

    @rule()
    def nothing(self) -> None:
        """A step that settles."""
        self.world.settle()

    @invariant()
    def is_no_two(self) -> None:
        self.require(2)

    @invariant(healed=True)
    def is_no_three_in_the_end(self) -> None:
        self.require(3)

    def require(self, value: int) -> None:
        assert self.value != value


@pytest.mark.parametrize(
    ("steps", "broke"),
    [
        ([("take", {"value": 1})], "rule take at test_broken.py:"),
        ([("take", {"value": 2})], "law is_no_two at test_broken.py:"),
        ([("take", {"value": 3})], "law is_no_three_in_the_end at test_broken.py:"),
        (["wait_for_nothing"], "no law: Deadlock"),
        (["fail", "nothing"], "rule fail at test_broken.py:"),
    ],
    ids=["rule", "law", "healed", "deadlock", "operation"],
)
def test_the_story_names_what_broke(steps: list[Any], broke: str) -> None:
    """One line after the steps: the law or rule, the file and the line."""
    run = replay(Falling, story(*steps), aloud=True)
    lines = report_of(run)

    (line,) = [each for each in lines if each.startswith("# broke: ")]
    assert line.startswith(f"# broke: {broke}")
    assert lines.index(line) == 1 + len(run.lines)


def test_a_story_that_passes_names_nothing() -> None:
    """Nothing broke."""
    lines = report_of(replay(Falling, story("nothing"), aloud=True))

    assert [] == [each for each in lines if "broke" in each]
