"""Who runs next: the one hook through which a world orders trio's runnable tasks."""

from __future__ import annotations

import threading
from typing import Any, Protocol

import trio
import trio._core._run as trio_run

# Theory of operation. Before each batch trio asks a module-global generator to shuffle the list
# of runnable tasks, and then takes tasks from the end of the list. We put our own object there
# while a world is open. With trio's deterministic mode on, the batch arrives sorted by task
# number, so the order that we leave is a function of the program alone.
#
# The object is global but worlds are per thread: it looks up the calling thread's scheduler and
# hands everybody else to trio's own generator, so that a trio run in another thread is untouched.
# Nothing may raise in here: trio would call it an internal error.

__all__ = ["Fifo", "Scheduler", "hook_available", "install", "uninstall"]


class Scheduler(Protocol):
    """Orders a batch of runnable tasks in place."""

    def order(self, batch: list[trio.lowlevel.Task]) -> None:
        """Sort ``batch`` so that the first task runs first. Must not raise."""


class Fifo:
    """Tasks run in the order in which they were started."""

    def order(self, batch: list[trio.lowlevel.Task]) -> None:
        """The batch arrives in that order already."""


class _PerThread(threading.local):
    scheduler: Scheduler | None = None


_here = _PerThread()
_lock = threading.Lock()
_installed = 0
_original: tuple[Any, bool] | None = None


class _Hook:
    """Stands in for trio's generator: ours where a world is open in this thread, else trio's."""

    def __init__(self, original: Any, deterministic: bool) -> None:
        self._original = original
        self._deterministic = deterministic

    def shuffle(self, batch: list[trio.lowlevel.Task]) -> None:
        scheduler = _here.scheduler
        if scheduler is not None:
            scheduler.order(batch)
            batch.reverse()  # trio pops from the end
        elif self._deterministic:
            self._original.shuffle(batch)
        elif self._original.random() < 0.5:  # what trio does outside its deterministic mode
            batch.reverse()

    def random(self) -> float:
        return float(self._original.random())

    def uniform(self, low: float, high: float) -> float:
        return float(self._original.uniform(low, high))


def hook_available() -> bool:
    """Whether this trio still asks a replaceable generator for the order of tasks."""
    generator = getattr(trio_run, "_r", None)
    return callable(getattr(generator, "shuffle", None)) and hasattr(
        trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING"
    )


def install(scheduler: Scheduler) -> None:
    """Let ``scheduler`` order the tasks of this thread's trio run."""
    global _installed, _original
    with _lock:
        if _installed == 0 and hook_available():
            _original = (trio_run._r, trio_run._ALLOW_DETERMINISTIC_SCHEDULING)
            trio_run._r = _Hook(*_original)  # type: ignore[assignment]
            trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
        _installed += 1
    _here.scheduler = scheduler


def uninstall() -> None:
    """Give the order of this thread's tasks back to trio."""
    global _installed, _original
    _here.scheduler = None
    with _lock:
        _installed -= 1
        if _installed == 0 and _original is not None:
            trio_run._r, deterministic = _original
            trio_run._ALLOW_DETERMINISTIC_SCHEDULING = deterministic  # type: ignore[misc]
            _original = None
