"""The baseline: the same machine under what Hypothesis and trio do by themselves."""

from __future__ import annotations

import random
import types
from typing import Any

from hypothesis.stateful import RuleStrategy

from chaoscheck.world.schedule import Fifo, Task

__all__ = ["plain"]


class TriosOwnOrder(Fifo):
    """Each batch shuffled by trio's generator, which Hypothesis resets to 0 in every example."""

    def __init__(self) -> None:
        self._random = random.Random(0)

    def order(self, batch: list[Task]) -> None:
        """What trio does: it shuffles, and takes from the end."""
        self._random.shuffle(batch)
        batch.reverse()


class PlainSearch:
    """Stock rule selection, and one schedule a program."""

    def make_scheduler(self) -> TriosOwnOrder:
        """Trio's own."""
        return TriosOwnOrder()

    def make_selection(self: Any) -> RuleStrategy:
        """Hypothesis's own."""
        return RuleStrategy(self)


def plain(machine: type[Any]) -> type[Any]:
    """``machine`` as it is searched without us."""
    made = types.new_class(f"Plain{machine.__name__}", (PlainSearch, machine))
    made.__module__ = machine.__module__
    return made
