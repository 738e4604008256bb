"""The wall clock and the calendar: ``time.time``, ``datetime.now`` and all that read them.

time-machine replaces the C functions behind them in place, so that names bound early and the
methods of ``datetime`` are answered as well. It does so for the whole process; its traveller,
which they then ask, answers for the thread that asks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.world.answers import Answers
from chaoscheck.world.patches.here import here

__all__ = ["EPOCH_S", "start", "stop", "wall_s"]

EPOCH_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z: what the wall clock shows when a world opens
_EPOCH_NS = round(EPOCH_S) * 1_000_000_000
# What reports on the tests is no part of them: its durations and time stamps stay real.
_REPORTING = ("_pytest.", "hypothesis.", "xdist.", "execnet.")

_caller = sys._getframe


def start() -> None:
    """Answer the calendar from now on. PlanError where freezegun has replaced ``datetime``."""
    journey, time_ns = _prepared()
    try:
        traveller = journey.start()
    except RuntimeError as error:  # its own words name freezegun
        raise PlanError(f"a world answers the calendar itself: {error}") from error
    traveller.time_ns = time_ns


def stop() -> None:
    """The calendar is real again."""
    _prepared()[0].stop()


@cache
def _prepared() -> tuple[Any, Callable[[], int]]:
    """The journey of time-machine, and what its traveller is to answer."""
    import _time_machine  # 20 ms with its front: not before the first world opens
    import time_machine

    real_ns = _time_machine.original_time_ns

    def time_ns() -> int:
        answers = here.answers
        if answers is None or str(_caller(1).f_globals.get("__name__")).startswith(_REPORTING):
            return int(real_ns())
        return _EPOCH_NS + round(answers.read_clock() * 1e9)

    return time_machine.travel(EPOCH_S, tick=False), time_ns


def wall_s(answers: Answers) -> float:
    """What the wall clock of a world shows, in seconds since the Unix epoch."""
    return EPOCH_S + answers.read_clock()
