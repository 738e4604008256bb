"""Which schedules machines are searched with, unless they say otherwise: a setting of the process.

``fair``: every order of tasks that a present trio can show. ``any``: also orders in which a
checkpoint outlasts a batch, which trio's documentation allows and no present version does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chaoscheck.errors import PlanError
from chaoscheck.world.choices import Choices
from chaoscheck.world.drawn_schedules import drawn_schedule
from chaoscheck.world.fair_schedules import drawn_fair_schedule
from chaoscheck.world.scheduler import Line

__all__ = ["SCHEDULE_MODES", "require_schedules", "schedule_of", "searching_with"]

SCHEDULE_MODES: dict[str, Callable[[Choices], Line]] = {
    "fair": drawn_fair_schedule,
    "any": drawn_schedule,
}

_chosen = "fair"


def require_schedules(name: str, whose: str = "schedules") -> None:
    """PlanError, which says ``whose`` value it is, unless there are such schedules."""
    if name not in SCHEDULE_MODES:
        legal = " or ".join(map(repr, SCHEDULE_MODES))
        raise PlanError(f"{whose} must be {legal}, got {name!r}")


@contextmanager
def searching_with(name: str) -> Iterator[None]:
    """Machines that run meanwhile are searched with these schedules; PlanError for unknown ones."""
    global _chosen
    require_schedules(name)
    previous, _chosen = _chosen, name
    try:
        yield
    finally:
        _chosen = previous


def schedule_of(mode: str, choices: Choices) -> Line:
    """A drawn schedule of this mode; of the one that was chosen where ``mode`` is empty."""
    return SCHEDULE_MODES[mode or _chosen](choices)
