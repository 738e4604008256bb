"""A worker thread for requests that take long to answer, so that others are served meanwhile.

Only a server in real time has one: a virtual world has no threads, and its time stands still while
it works. One request is worked on at a time, which bounds memory and keeps the order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

__all__ = ["LARGE_BYTES", "Worker"]

LARGE_BYTES = 128 * 1024  # of a body: to read and count a shorter one takes a millisecond or two

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Worker:
    """One thread at a time; ``turn`` is held by the request that is worked on."""

    def __init__(self) -> None:
        self.turn = trio.Lock()
        self._limiter = trio.CapacityLimiter(1)

    async def run(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """``work(*args)`` on the thread; a cancellation leaves it to end by itself."""
        return await trio.to_thread.run_sync(
            work, *args, abandon_on_cancel=True, limiter=self._limiter
        )
