"""An operation in a world: something started that may stay in flight, and its outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import trio

from chaoscheck.errors import WorldError

__all__ = ["Operation"]

T = TypeVar("T")


class Operation(Generic[T]):
    """A handle on one running async call. States: in flight, then ok, failed or cancelled.

    ``started_s`` and ``ended_s`` are in the world's seconds; ``ended_s`` is None in flight.
    """

    __slots__ = ("_ended", "_error", "_scope", "_value", "ended_s", "name", "started_s", "state")

    def __init__(self, name: str, started_s: float) -> None:
        self.name = name
        self.state = "in flight"
        self.started_s = started_s
        self.ended_s: float | None = None
        self._scope = trio.CancelScope()
        self._ended: trio.Event | None = None
        self._value: T | None = None
        self._error: BaseException | None = None

    def __repr__(self) -> str:
        return f"<{self.name}: {self.state}>"

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.ended_s is not None

    @property
    def error(self) -> BaseException | None:
        """What it raised, or None."""
        return self._error

    def cancel(self) -> None:
        """Ask it to stop at its next checkpoint; takes effect when the world is pumped."""
        self._scope.cancel()

    async def wait(self) -> None:
        """Wait, inside the world, until it has ended in whatever way."""
        await trio.lowlevel.checkpoint()
        if self.ended_s is None:
            if self._ended is None:
                self._ended = trio.Event()
            await self._ended.wait()

    def result(self) -> T:
        """Its value, or its exception raised; WorldError while in flight or after a cancel."""
        __tracebackhide__ = True
        if self._error is not None:
            raise self._error
        if self.state != "ok":
            raise WorldError(f"operation {self.name} has no result: it is {self.state}")
        return self._value  # type: ignore[return-value]

    async def carry(self, async_fn: Callable[..., Awaitable[T]], args: tuple[object, ...]) -> None:
        """Run to the end and keep the outcome; this is the body of its task."""
        __tracebackhide__ = True
        state = "cancelled"
        try:
            with self._scope:
                try:
                    self._value = await async_fn(*args)
                    state = "ok"
                except Exception as error:
                    self._error = error
                    state = "failed"
        finally:
            self.state = state
            self.ended_s = trio.current_time()
            if self._ended is not None:
                self._ended.set()
