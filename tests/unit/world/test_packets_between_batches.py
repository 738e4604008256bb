"""A packet is noticed between two batches, under any schedule: a cancel may come first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio

from chaoscheck.world.schedule import Fifo
from chaoscheck.world.scheduler import HoldingLine, Line
from tests.unit.world.test_late_sources import Log, Scene, late_by, log_of, turns_once


def reader_in_a_scope(pairs: list[tuple[Any, Any]], kept: list[trio.CancelScope]) -> Scene:
    """Reads from a pair of sockets, once in a scope that others may cancel, and once without."""

    async def reads(log: Log) -> None:
        pairs.append(trio.socket.socketpair())
        with trio.CancelScope() as scope:
            kept.append(scope)
            log.append(f"read {await pairs[-1][0].recv(9)!r}")
        log.append(f"cancelled: {scope.cancelled_caught}")
        log.append(f"then {await pairs[-1][0].recv(9)!r}")

    return reads


def test_who_is_cancelled_meanwhile_never_saw_the_packet() -> None:
    """A time-out may come before a packet that was sent before; replayed, it does again."""
    kept: list[trio.CancelScope] = []
    pairs: list[tuple[Any, Any]] = []

    reads = reader_in_a_scope(pairs, kept)

    async def writes(log: Log) -> None:
        await trio.lowlevel.checkpoint()
        await pairs[-1][1].send(b"x")
        kept[-1].cancel()

    line = late_by(2)
    log = log_of(line, reads, writes, turns_once)
    (hold,) = line.holds()

    assert ["cancelled: True", "then b'x'"] == [each for each in log if "turn" not in each]
    assert "in time" in str(hold)
    assert log == log_of(HoldingLine([hold]), reads, writes, turns_once)


@pytest.mark.parametrize("make", [Fifo, HoldingLine, partial(late_by, 3)])
def test_who_is_cancelled_in_the_batch_of_the_packet_never_saw_it(make: Callable[[], Line]) -> None:
    """trio asks the kernel between two batches: the cancel is first, whatever the schedule."""
    kept: list[trio.CancelScope] = []
    pairs: list[tuple[Any, Any]] = []

    reads = reader_in_a_scope(pairs, kept)

    async def writes(log: Log) -> None:
        await trio.lowlevel.checkpoint()
        pairs[-1][1].send_now(b"x", 0)
        kept[-1].cancel()

    line = make()
    log = log_of(line, reads, writes)

    assert ["cancelled: True", "then b'x'"] == log
    assert () == getattr(line, "holds", tuple)()
