"""trio notices packets between two batches, and so does a world, under any schedule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio

from chaoscheck.world.schedule import Fifo
from chaoscheck.world.scheduler import HoldingLine, Line
from tests.unit.world.test_late_sources import Log, late_by, log_of


@pytest.mark.parametrize("make", [Fifo, HoldingLine, partial(late_by, 3)])
def test_who_is_cancelled_in_the_batch_of_the_packet_never_saw_it(make: Callable[[], Line]) -> None:
    """trio asks the kernel between two batches: the cancel is first, whatever the schedule."""
    kept: list[trio.CancelScope] = []
    pairs: list[tuple[Any, Any]] = []

    async def reads(log: Log) -> None:
        pairs.append(trio.socket.socketpair())
        with trio.CancelScope() as scope:
            kept.append(scope)
            log.append(f"read {await pairs[-1][0].recv(9)!r}")
        log.append(f"cancelled: {scope.cancelled_caught}")
        log.append(f"then {await pairs[-1][0].recv(9)!r}")

    async def writes(log: Log) -> None:
        await trio.lowlevel.checkpoint()
        pairs[-1][1].send_now(b"x", 0)
        kept[-1].cancel()

    line = make()
    log = log_of(line, reads, writes)

    assert ["cancelled: True", "then b'x'"] == log
    assert () == getattr(line, "holds", tuple)()
