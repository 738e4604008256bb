"""``--chaos-replay FILE``: which of the collected tests replays the story."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaoscheck.pytest_plugin import _item_of
from tests.unit.regressions.stories import Counter, Mended, WithoutAdd, add, regression


class Stranger(Counter):
    """A machine with another key."""


def item(machine: Any, file: str = "test_counter.py") -> Any:
    """What pytest collects from a machine, or, for None, from a plain function."""
    run = SimpleNamespace(_hypothesis_state_machine_class=machine)
    return SimpleNamespace(obj=run if machine else None, path=Path("tests") / file)


HERE = item(Counter)
RENAMED = item(Mended, "test_renamed.py")
OTHER = item(Stranger)
PLAIN = item(None)


@pytest.mark.parametrize(
    ("items", "chosen"),
    [
        ([PLAIN, OTHER, RENAMED, HERE], HERE),
        ([PLAIN, OTHER, RENAMED], RENAMED),
        ([PLAIN, OTHER], OTHER),
        ([OTHER, item(Stranger)], None),
        ([PLAIN], None),
    ],
)
def test_a_story_goes_to_the_machine_with_its_key(items: list[Any], chosen: Any) -> None:
    """By its file where several have the key; else to the only machine that I selected."""
    assert chosen is _item_of(regression(add(9)), items)


def test_a_machine_whose_rules_are_gone_still_has_its_stories() -> None:
    """The key decides, not what the class can do."""
    gone = item(WithoutAdd)

    assert gone is _item_of(regression(add(9)), [OTHER, gone])
