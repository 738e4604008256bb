"""Waiting for a socket to become ready, one task per direction, as with trio's own sockets."""

from __future__ import annotations

from collections.abc import Callable

import outcome
import trio

__all__ = ["Waiter"]


class Waiter:
    """The place of the one task that may wait here. Its text says what the task waits for.

    While it waits the task carries this object as ``custom_sleep_data``, so that a deadlock can
    be explained by ``str`` of it.
    """

    __slots__ = ("_describe", "_task", "on_abort")

    def __init__(self, describe: Callable[[], str]) -> None:
        self._describe = describe
        self._task: trio.lowlevel.Task | None = None
        #: Called when the task that waits is cancelled, if anything has to know.
        self.on_abort: Callable[[], object] | None = None

    @property
    def task(self) -> trio.lowlevel.Task | None:
        """The task that waits here, if any."""
        return self._task

    async def wait(self) -> None:
        """Sleep until ``wake``; trio.BusyResourceError if another task waits here already."""
        if self._task is not None:
            raise trio.BusyResourceError("another task is already reading / writing this socket")
        task = trio.lowlevel.current_task()
        self._task = task
        task.custom_sleep_data = self

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._task = None
            if self.on_abort is not None:
                self.on_abort()
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def wake(self) -> None:
        """Let the task that waits, if any, try again."""
        task = self._task
        if task is not None:
            self._task = None
            trio.lowlevel.reschedule(task)

    def give_up(self) -> None:
        """The task that waits, if any, gets trio.ClosedResourceError."""
        task = self._task
        if task is not None:
            self._task = None
            error = trio.ClosedResourceError("another task closed this fd")
            trio.lowlevel.reschedule(task, outcome.Error(error))

    def __str__(self) -> str:
        return self._describe()
