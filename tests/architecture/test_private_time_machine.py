"""A canary for what the wall clock of a world stands on in time-machine."""

from __future__ import annotations

import time  # noqa: TID251  # it is what is replaced

import _time_machine
import time_machine


def test_a_traveller_is_asked_for_the_time_in_nanoseconds() -> None:
    """Every clock that time-machine answers asks the traveller's ``time_ns``."""
    journey = time_machine.travel(0, tick=False)
    traveller = journey.start()
    try:
        traveller.time_ns = lambda: 5_000_000_000  # type: ignore[method-assign]
        seen = time.time()
        real = _time_machine.original_time_ns()
    finally:
        journey.stop()

    assert 5.0 == seen
    assert real > 1e18
