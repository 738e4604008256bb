"""An operation in a world: something started that may stay in flight, and its outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import trio

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.task_story import family, where

__all__ = ["Operation", "name_of"]

T = TypeVar("T")


class Operation(Generic[T]):
    """A handle on one running async call. States: in flight, then ok, failed or cancelled.

    ``started_s`` and ``ended_s`` are in the world's seconds; ``ended_s`` is None in flight.
    """

    __slots__ = (
        "_cancel_at",
        "_cancel_in_slices",
        "_clock",
        "_ended",
        "_error",
        "_scope",
        "_task",
        "_value",
        "ended_s",
        "looked_at",
        "may_stay",
        "name",
        "started_s",
        "state",
    )

    def __init__(self, name: str, clock: VirtualClock, *, may_stay: bool = False) -> None:
        self.name = name
        #: Whether it may wait for ever: else a machine calls that a Deadlock at the end.
        self.may_stay = may_stay
        self.state = "in flight"
        self._clock = clock
        self.started_s = clock.now
        self.ended_s: float | None = None
        self.looked_at = False  # whether anybody asked how it ended
        self._scope = trio.CancelScope()
        self._cancel_at: int | None = None
        self._cancel_in_slices = 0
        self._task: trio.lowlevel.Task | None = None
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
        self.looked_at = True
        return self._error

    @property
    def checkpoints(self) -> int:
        """At how many checkpoints its own task has given way so far."""
        return 0 if self._task is None else self._task._schedule_points

    def place(self) -> str:
        """Where its own code stands, and what it waits on."""
        return "not started yet" if self._task is None else where(self._task)

    def places(self) -> list[str]:
        """A line for its own task and for each task below it: name, place, what it waits on."""
        if self._task is None:
            return [f"{self.name}: {self.place()}"]
        return [f"{task.name}: {where(task)}" for task in family(self._task)]

    @property
    def cancelling(self) -> bool:
        """Whether it was asked to stop, now or at a later checkpoint."""
        return self._cancel_at is not None

    def cancel(self, *, checkpoint: int = 0, slices: int = 0) -> None:
        """Cancel it as soon as it stands at its ``checkpoint``-th checkpoint, or beyond.

        0 is now: it stops where it stands, or at its first checkpoint. With ``slices`` that many
        slices of any tasks run first, so that the cancel falls into the middle of what they do.
        Takes effect when the world is pumped. PlanError unless both are integers >= 0.
        """
        for name, value in (("checkpoint", checkpoint), ("slices", slices)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise PlanError(f"{name} must be an integer >= 0, got {value!r}")
        self._cancel_at = checkpoint
        self._cancel_in_slices = slices
        self.cancel_if_due()

    def cancel_if_due(self) -> bool:
        """Cancel it if its instant has come; whether there is nothing left to cancel."""
        if self._cancel_at is None or self.done:
            return True
        if self._cancel_in_slices or self.checkpoints < self._cancel_at:
            return False
        self._scope.cancel()
        return True

    def slice_has_run(self) -> bool:
        """Count one more slice of some task, and cancel it if its instant has come."""
        self._cancel_in_slices = max(0, self._cancel_in_slices - 1)
        return self.cancel_if_due()

    def spare(self) -> None:
        """Let it be: a cancel that has not come true yet never will."""
        if self._cancel_at is not None and not self._scope.cancel_called:
            self._cancel_at = None

    async def wait(self) -> None:
        """Wait, inside the world, until it has ended in whatever way."""
        self.looked_at = True
        await trio.lowlevel.checkpoint()
        if self.ended_s is None:
            if self._ended is None:
                self._ended = trio.Event()
            await self._ended.wait()

    def result(self) -> T:
        """Its value, or its exception raised; WorldError while in flight or after a cancel."""
        __tracebackhide__ = True
        self.looked_at = True
        if self._error is not None:
            raise self._error
        if self.state != "ok":
            raise WorldError(f"operation {self.name} has no result: it is {self.state}")
        return self._value  # type: ignore[return-value]

    async def carry(self, async_fn: Callable[..., Awaitable[T]], args: tuple[object, ...]) -> None:
        """Run to the end and keep the outcome; this is the body of its task."""
        __tracebackhide__ = True
        state = "cancelled"
        self._task = trio.lowlevel.current_task()
        try:
            with self._scope:
                try:
                    self._value = await async_fn(*args)
                    state = "ok"
                except Exception as error:
                    self._error = error
                    state = "failed"
        except Exception as error:  # what is left of a group once its cancellations are gone
            self._error = error
            state = "failed"
        finally:
            self.state = state
            self.ended_s = self._clock.now
            if self._ended is not None:
                self._ended.set()


def name_of(async_fn: Callable[..., object]) -> str:
    """What an operation is called after: its function, without where that was defined."""
    name = getattr(async_fn, "__qualname__", None)
    name = name if isinstance(name, str) else type(async_fn).__qualname__
    return name.rpartition("<locals>.")[2]
