"""Names of tasks that say where a task comes from, and stay the same when others go away."""

from __future__ import annotations

import trio

__all__ = ["TaskNames", "from_outside"]


class TaskNames:
    """Gives each task a name when it is first seen; see everybody in the order of their start.

    A task that the world started is called what the world called it: ``acquire@7``, which is
    the operation that step 7 started. A child is called after its parent and its own function:
    ``acquire@7/fetch``, and ``acquire@7/fetch.1`` for the second of that name.
    """

    def __init__(self) -> None:
        self._names: dict[trio.lowlevel.Task, str] = {}
        self._tasks: dict[str, trio.lowlevel.Task] = {}
        self._numbers: dict[str, int] = {}

    def see(self, task: trio.lowlevel.Task) -> None:
        """Name a task that is about to start."""
        if task not in self._names:
            name = self._names[task] = self._made(task)
            self._tasks[name] = task

    def of(self, task: trio.lowlevel.Task) -> str:
        """The name of a task."""
        self.see(task)
        return self._names[task]

    def task(self, name: str) -> trio.lowlevel.Task | None:
        """The task of that name, running or ended; None if none was seen."""
        return self._tasks.get(name)

    def _made(self, task: trio.lowlevel.Task) -> str:
        nursery = task.parent_nursery
        of_parent = None if nursery is None else nursery.parent_task.parent_nursery
        if nursery is None or of_parent is None or from_outside(task):
            name = task.name  # the run itself, or what the world started
        else:
            name = f"{self.of(nursery.parent_task)}/{task.name.rpartition('.')[2]}"
        return self._new(name)

    def _new(self, name: str) -> str:
        number = self._numbers.get(name, 0)
        self._numbers[name] = number + 1
        made = name if number == 0 else f"{name}.{number}"
        return self._new(name) if made in self._tasks else made  # somebody is called that already


def from_outside(task: trio.lowlevel.Task) -> bool:
    """Whether the world started this task, and no other task did: it is a child of trio's main."""
    # Written out, since a schedule asks it of every task before its first slice.
    nursery = task.parent_nursery
    of_main = None if nursery is None else nursery.parent_task.parent_nursery
    return of_main is not None and of_main.parent_task.parent_nursery is None
