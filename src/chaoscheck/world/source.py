"""Sources: what a task waits for that comes from outside, and so may come late."""

from __future__ import annotations

from typing import NamedTuple

import trio

__all__ = ["Source"]


class Source(NamedTuple):
    """``kind`` is one of ``plan.hold.SOURCES``; ``task`` is the one that waits for it.

    ``nth`` numbers a task's timers from 1, in the order in which it set them. A socket or a worker
    thread is numbered by the checkpoint at which the task waits for it.
    """

    kind: str
    task: trio.lowlevel.Task
    nth: int
