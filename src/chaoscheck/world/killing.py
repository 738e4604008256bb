"""Ending a trio run where it stands: one that never ends, or one with nothing to clean up."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from typing import Any

# Theory of operation. A run that is left alone is cancelled and driven to its end, so that its
# tasks clean up. That takes trio a third of the time of a short world, though in most worlds of
# sync machines nothing lives at the end but trio's own tasks: those are ended at once.
#
# The coroutines are closed by hand. Left to the garbage collector they would be closed as well, in
# any order, and in several passes.

__all__ = ["kill", "only_own_tasks_live"]

_OWN_TASKS = 3  # trio's first task, that of its entry queue, and the world's main
_CLOSES_MAX = 100  # a coroutine that awaits more often than this as it is closed is left as it is


def only_own_tasks_live(runner: Any) -> bool:
    """Whether no task but trio's own lives in the run, and no async generator is to be finished."""
    generators = runner.asyncgens
    return not (
        len(runner.tasks) > _OWN_TASKS or generators.alive or generators.trailing_needs_finalize
    )


def kill(runner: Any, loop: Generator[float, Any, None] | None) -> None:
    """Close the loop of a run and its tasks' coroutines, the last one to start first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # trio warns that the run was abandoned: it was
        tasks = sorted(runner.tasks, key=lambda task: -task._counter) if runner else []
        if loop is not None:
            loop.close()
        for task in tasks:
            nurseries = tuple(task._child_nurseries)
            _close(task.coro)
            for nursery in nurseries:
                nursery._children.clear()  # else it asserts when collected


def _close(coroutine: Any) -> None:
    """Clean-up that awaits cannot run any more, only what comes after it."""
    for _ in range(_CLOSES_MAX):
        try:
            coroutine.close()
        except BaseException as error:  # one await of the clean-up, or what the clean-up raised
            error.__traceback__ = None
        if getattr(coroutine, "cr_frame", None) is None:
            return
