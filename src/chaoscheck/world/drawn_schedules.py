"""Schedules that are drawn: which strategy, and each of its decisions, is a choice.

No strategy wins alone: what one never finds another finds in a few examples. So the strategy
itself is drawn, once a world; choice 0 is FIFO, and so is 0 in every decision.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import trio

from chaoscheck.world.choices import Choices
from chaoscheck.world.scheduler import HoldingLine, Line

__all__ = ["SCHEDULES", "Delay", "Pct", "Shuffle", "Starve", "Walk", "drawn_schedule"]

Task = trio.lowlevel.Task

# An example has room for about 4096 small draws, and the program needs its share of them.
STEP_DRAWS_MAX = 60
EXAMPLE_DRAWS_MAX = 1_500
# Change points are drawn as small gaps from the beginning of a step: races happen early in one.
GAPS = 13
HELD_DECISIONS = 8
RANKS = 64


class DrawnLine(Line):
    """A line whose decisions are drawn, up to a limit a step and an example; then FIFO."""

    def __init__(self, choices: Choices) -> None:
        super().__init__()
        self._choices = choices
        self._step_left = STEP_DRAWS_MAX
        self._left = EXAMPLE_DRAWS_MAX

    def begin_step(self) -> None:
        """The draws of a step are counted anew."""
        self._step_left = min(STEP_DRAWS_MAX, self._left)

    @property
    def spent(self) -> bool:
        """Whether the limit is reached; a schedule that is no draw by draw ends then as well."""
        return self._step_left <= 0

    def draw(self, what: str, options: int) -> int:
        """One decision; 0 where there is nothing to decide, or when the limit is reached."""
        if options <= 1 or self._step_left <= 0:
            return 0
        self._step_left -= 1
        self._left -= 1
        return self._choices.pick(what, options)


class Shuffle(DrawnLine):
    """Each generation runs in a drawn order."""

    def choose(self, now: Sequence[Task], later: Sequence[Task]) -> int:
        """Anybody of this generation."""
        return self.draw("schedule: shuffle", len(now))


class Walk(DrawnLine):
    """A random walk: anybody who can run may be next."""

    def choose(self, now: Sequence[Task], later: Sequence[Task]) -> int:
        """Anybody."""
        return self.draw("schedule: walk", len(now) + len(later))


class Pct(DrawnLine):
    """Probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010) of a given depth.

    Each task has a drawn rank and the lowest rank runs; at ``depth - 1`` drawn points of a step
    whoever would run next gets the highest rank of all.
    """

    def __init__(self, choices: Choices, depth: int) -> None:
        super().__init__(choices)
        self._depth = depth
        self._ranks: dict[Task, int] = {}
        self._highest = RANKS
        self._points: list[int] | None = None
        self._decisions = 0

    def begin_step(self) -> None:
        """The change points of a step are its own."""
        super().begin_step()
        self._points = None

    def choose(self, now: Sequence[Task], later: Sequence[Task]) -> int:
        """The lowest rank; first in line among equals."""
        if self.spent:
            return 0
        line = (*now, *later)
        for task in line:
            if task not in self._ranks:
                self._ranks[task] = self.draw("schedule: rank", RANKS)
        if self._points is None:
            self._points = self._draw_points()
            self._decisions = 0
        self._decisions += 1
        if self._decisions in self._points:
            self._highest += 1
            self._ranks[line[self._lowest(line)]] = self._highest
        return self._lowest(line)

    def _draw_points(self) -> list[int]:
        points: list[int] = []
        for _ in range(self._depth - 1):
            gap = self.draw("schedule: change point", GAPS)
            if gap:
                points.append(gap + (points[-1] if points else 0))
        return points

    def _lowest(self, line: Sequence[Task]) -> int:
        return min(range(len(line)), key=lambda index: self._ranks[line[index]])


class _Held(DrawnLine):
    """FIFO, but at drawn points somebody is held."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        self._held: dict[Task, int] = {}
        self._to_go: int | None = None  # decisions until somebody is held; 0: not in this step

    def begin_step(self) -> None:
        """The gaps of a step are its own."""
        super().begin_step()
        self._to_go = None

    def choose(self, now: Sequence[Task], later: Sequence[Task]) -> int:
        """The first who is not held; holds end when nobody else can run."""
        if self.spent:
            self._held.clear()
            return 0
        line = (*now, *later)
        if self._to_go is None:
            self._to_go = self.draw("schedule: gap", GAPS)
        elif self._to_go > 1:
            self._to_go -= 1
        if self._to_go == 1:
            self.hold(line)
            self._to_go = self.draw("schedule: gap", GAPS)
        index = next((i for i, task in enumerate(line) if task not in self._held), None)
        if index is None:
            self._held.clear()
            return 0
        self.one_decision_later()
        return index

    @abstractmethod
    def hold(self, line: Sequence[Task]) -> None:
        """Hold somebody of those who can run."""

    def one_decision_later(self) -> None:
        """Holds may end with time."""


class Delay(_Held):
    """Somebody is held for a few decisions."""

    def hold(self, line: Sequence[Task]) -> None:
        """Whoever would run next."""
        free = [task for task in line if task not in self._held]
        if free:
            self._held[free[0]] = 1 + self.draw("schedule: delay", HELD_DECISIONS)

    def one_decision_later(self) -> None:
        """One less to wait."""
        self._held = {task: left - 1 for task, left in self._held.items() if left > 1}


class Starve(_Held):
    """Somebody is held until nobody else can run."""

    def hold(self, line: Sequence[Task]) -> None:
        """Anybody."""
        free = [task for task in line if task not in self._held]
        if free:
            self._held[free[self.draw("schedule: starve", len(free))]] = 0


Schedule = Callable[[Choices], Line]

# What may be drawn, by name. FIFO first: it is what examples shrink to.
SCHEDULES: dict[str, Schedule] = {
    "fifo": lambda choices: HoldingLine(),
    "shuffle": Shuffle,
    "walk": Walk,
    "pct2": lambda choices: Pct(choices, 2),
    "pct3": lambda choices: Pct(choices, 3),
    "delay": Delay,
    "starve": Starve,
}
# How often each is drawn, out of 16: the walk, deep PCT and holding somebody find the most.
_WEIGHTS = {"fifo": 2, "shuffle": 2, "walk": 4, "pct2": 1, "pct3": 3, "delay": 2, "starve": 2}
_DRAWN = tuple(name for name, weight in _WEIGHTS.items() for _ in range(weight))


def drawn_schedule(choices: Choices) -> Line:
    """The schedule of one world: a drawn strategy that draws its decisions."""
    return SCHEDULES[_DRAWN[choices.pick("schedule", len(_DRAWN))]](choices)
