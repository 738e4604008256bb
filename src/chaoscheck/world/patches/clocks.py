"""Clocks that are answered: monotonic, performance and CPU time, and what is told from now."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from chaoscheck.world.answers import Answers
from chaoscheck.world.patches.here import Wrap, here
from chaoscheck.world.patches.wall_clock import wall_s

__all__ = ["CPU_S", "MONOTONIC_S", "by_clock_id", "clock", "cpu_s", "monotonic_s", "of_this_moment"]

MONOTONIC_S = 1_000.0  # a monotonic clock that reads 0 is mistaken for "not set" by some code
CPU_S = 1.0  # what code in a world has used: computing takes no time there, and sleeping no CPU

# They measure the run itself, between the steps of an example: for them these clocks are real.
_MEASURING = ("hypothesis.", "chaoscheck.", "_pytest.")
_WALL = {getattr(time, name, None) for name in ("CLOCK_TAI", "CLOCK_REALTIME_COARSE")}
_CPU = {
    getattr(time, name, None)
    for name in ("CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID", "CLOCK_PROF")
}


def monotonic_s(answers: Answers) -> float:
    """Seconds that begin at ``MONOTONIC_S``."""
    return MONOTONIC_S + answers.read_clock()


def cpu_s(answers: Answers) -> float:
    """A constant; the read counts, since code that polls it waits in vain."""
    answers.read_clock()
    return CPU_S


def clock(
    now_s: Callable[[Answers], float], *, per_second: int = 1, measures: bool = False
) -> Wrap:
    """A clock that shows ``now_s``; in whole units where there are several per second.

    With ``measures``, what measures the run itself goes on reading the real one.
    """

    def wrap(real: Callable[[], Any]) -> Callable[[], Any]:
        def answer() -> Any:
            answers = here.answers
            if answers is None or (measures and _is_measuring(sys._getframe(1))):
                return real()
            seconds = now_s(answers)
            return seconds if per_second == 1 else round(seconds * per_second)

        return answer

    return wrap


def by_clock_id(per_second: int = 1) -> Wrap:
    """``time.clock_gettime`` and its ``_ns``: which clock is asked for decides what it shows.

    The wall clock is left to ``real``, which ``wall_clock`` answers.
    """

    def wrap(real: Callable[[int], Any]) -> Callable[[int], Any]:
        def answer(clock_id: int, /) -> Any:
            answers = here.answers
            if answers is None or clock_id == time.CLOCK_REALTIME:
                return real(clock_id)
            real(clock_id)  # raises for a clock that is none
            seconds = _of_clock(clock_id, answers)
            return seconds if per_second == 1 else round(seconds * per_second)

        return answer

    return wrap


def _of_clock(clock_id: int, answers: Answers) -> float:
    if clock_id in _CPU:
        return cpu_s(answers)
    return wall_s(answers) if clock_id in _WALL else monotonic_s(answers)


def of_this_moment(moment: Callable[[Answers], Any]) -> Wrap:
    """A function that means now where its argument is left out."""

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def answer(*args: Any) -> Any:
            answers = here.answers
            if answers is None or (args and args[0] is not None):
                return real(*args)
            return real(moment(answers))

        return answer

    return wrap


def _is_measuring(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(_MEASURING)
