"""Worker threads of trio: they run inline, at once, and what they sleep delays their end.

The function runs to its end at the instant at which its thread would have started. Inside it
``time.sleep`` moves the clocks that it reads; its result is handed over when the world's clock
has got there, and other tasks run meanwhile. What it does *after* a sleep is done early, then:
nothing else of the world can be seen by it while it sleeps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import outcome
import sniffio

from chaoscheck.world.patches.here import escape, here

__all__ = ["inline", "sleep"]


def inline(real: Callable[..., None]) -> Callable[..., None]:
    """``start_thread_soon`` of trio: call the function here, hand its result over in time."""

    def answer(fn: Callable[[], Any], deliver: Callable[[Any], None], name: Any = None) -> None:
        answers = here.answers
        if answers is None:
            real(fn, deliver, name)
            return
        library = sniffio.thread_local
        previous, library.name = library.name, None  # a worker thread is in no async library
        answers.begin_worker()
        try:
            result = outcome.capture(fn)
        finally:
            library.name = previous
            slept_s = answers.end_worker()
        hand_over = answers.outside.of_current_task("worker", lambda: deliver(result))
        if slept_s > 0:
            answers.clock.call_at(answers.clock.now + slept_s, hand_over)
        else:
            hand_over()

    return answer


def sleep(real: Callable[[float], None]) -> Callable[[float], None]:
    """``time.sleep``: in a worker thread virtual time passes, elsewhere it is an Escape."""

    def answer(seconds: float, /) -> None:
        answers = here.answers
        if answers is None:
            real(seconds)
        elif not answers.in_worker:
            raise escape("time.sleep, which blocks the whole world,")
        elif not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            real(seconds)  # raises what it raises
        elif not answers.sleep_in_worker(seconds):
            raise escape(
                "a worker thread that polls for ever (it sleeps, and what it waits for cannot come "
                "meanwhile) or sleeps longer than a day"
            )

    return answer
