"""Who runs next: the one hook through which a world orders trio's runnable tasks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import trio
import trio._core._run as trio_run

from chaoscheck.plan.hold import Hold
from chaoscheck.world.source import Source

# Theory of operation. Before each batch trio asks a module-global generator to shuffle the list
# of runnable tasks, and then takes tasks from the end of the list. We put our own object there
# while a world is open. With trio's deterministic mode on, the batch arrives sorted by task
# number, so the order that we leave is a function of the program alone.
#
# The object is global but worlds are per thread: it looks up the calling thread's scheduler and
# hands everybody else to trio's own generator, so that a trio run in another thread is untouched.
# Nothing may raise in here: trio would call it an internal error. What a scheduler raises is
# handed to the world, which raises it when the tick ends.
#
# A trio without this hook leaves FIFO alone, by hand: the pump then keeps all runnable tasks but
# the first away from a tick (see there), and whoever asks for more is told.

__all__ = ["Fifo", "Scheduler", "hook_available", "install", "resign", "uninstall"]

Task = trio.lowlevel.Task


class Scheduler(Protocol):
    """Decides who of the runnable tasks runs next, and what comes late from outside."""

    #: Whether ``withholds`` may ever be true; fixed before the world opens.
    has_late_sources: bool
    #: Puts tasks back among the runnable ones; the world sets it when it opens.
    push_back: Callable[[Iterable[Task]], object]

    @property
    def between_generations(self) -> bool:
        """Whether timers may fire: everybody who was runnable at one instant has run."""

    def meet(self, tasks: Iterable[Task]) -> None:
        """The world opens: these tasks of trio's own have run already, in this order."""

    def begin_step(self) -> None:
        """A step of the program begins."""

    def order(self, batch: list[Task]) -> None:
        """Edit ``batch``, sorted by start: the first runs first, who is missing was put back.

        It is empty when a deadline passed that woke no task.
        """

    def run_fifo(self, on: bool) -> None:
        """Leave all tasks in their order from now on, or (False) go on as before."""

    def withholds(self, source: Source) -> bool:
        """Whether it does not come before the next batch."""

    def first_to_come(self, sources: Sequence[Source]) -> int:
        """The place of the one that comes where nothing else can happen."""

    def came(self, source: Source) -> None:
        """A source that was withheld came, or something else ended the wait for it."""

    def missed(self, source: Source) -> None:
        """The task stopped waiting before it came."""

    def holds(self) -> tuple[Hold, ...]:
        """What happened so far, as deviations from FIFO."""

    def unfair(self, holds: Iterable[Hold]) -> tuple[Hold, ...]:
        """Those of the ``holds`` of this run by which a checkpoint outlasted a batch."""


class Fifo:
    """Tasks run in the order in which they became runnable, a whole generation a tick."""

    push_back: Callable[[Iterable[Task]], object] = staticmethod(lambda tasks: None)
    between_generations = True
    has_late_sources = False

    def meet(self, tasks: Iterable[Task]) -> None:
        """It needs no names."""

    def begin_step(self) -> None:
        """Every step is like every other."""

    def order(self, batch: list[Task]) -> None:
        """The batch arrives in that order already."""

    def run_fifo(self, on: bool) -> None:
        """It never does otherwise."""

    def withholds(self, source: Source) -> bool:
        """Nothing is late."""
        return False

    def first_to_come(self, sources: Sequence[Source]) -> int:
        """Nothing was late."""
        return 0

    def came(self, source: Source) -> None:
        """It was not late."""

    def missed(self, source: Source) -> None:
        """It was not late."""

    def holds(self) -> tuple[Hold, ...]:
        """There are none."""
        return ()

    def unfair(self, holds: Iterable[Hold]) -> tuple[Hold, ...]:
        """There are no holds, so none of them is."""
        return ()


class _PerThread(threading.local):
    scheduler: Scheduler | None = None
    on_error: Callable[[BaseException], object] | None = None


_here = _PerThread()
_lock = threading.Lock()
_installed = 0
_original: tuple[Any, bool] | None = None


class _Hook:
    """Stands in for trio's generator: ours where a world is open in this thread, else trio's."""

    def __init__(self, original: Any, deterministic: bool) -> None:
        self._original = original
        self._deterministic = deterministic

    def shuffle(self, batch: list[Task]) -> None:
        scheduler = _here.scheduler
        if scheduler is not None:
            try:
                scheduler.order(batch)
            except BaseException as error:
                _give_up(error)
            batch.reverse()  # trio pops from the end
        elif self._deterministic:
            self._original.shuffle(batch)
        elif self._original.random() < 0.5:  # what trio does outside its deterministic mode
            batch.reverse()

    def random(self) -> float:
        return float(self._original.random())

    def uniform(self, low: float, high: float) -> float:
        return float(self._original.uniform(low, high))


def _give_up(error: BaseException) -> None:
    """A scheduler failed: the rest of the run is FIFO, and the world hears why."""
    _here.scheduler = Fifo()
    if _here.on_error is not None:
        _here.on_error(error)


def hook_available() -> bool:
    """Whether this trio still asks a replaceable generator for the order of tasks."""
    generator = getattr(trio_run, "_r", None)
    return callable(getattr(generator, "shuffle", None)) and hasattr(
        trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING"
    )


def install(scheduler: Scheduler, on_error: Callable[[BaseException], object]) -> None:
    """Let ``scheduler`` order the tasks of this thread's trio run; ``on_error`` gets its errors."""
    global _installed, _original
    with _lock:
        if _installed == 0 and hook_available():
            _original = (trio_run._r, trio_run._ALLOW_DETERMINISTIC_SCHEDULING)
            trio_run._r = _Hook(*_original)  # type: ignore[assignment]
            trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
        _installed += 1
    _here.scheduler, _here.on_error = scheduler, on_error


def resign() -> None:
    """FIFO in this thread from now on: a run that is closed makes no choices any more."""
    if _here.scheduler is not None:
        _here.scheduler = Fifo()


def uninstall() -> None:
    """Give the order of this thread's tasks back to trio."""
    global _installed, _original
    _here.scheduler = _here.on_error = None
    with _lock:
        _installed -= 1
        if _installed == 0 and _original is not None:
            trio_run._r, deterministic = _original
            trio_run._ALLOW_DETERMINISTIC_SCHEDULING = deterministic  # type: ignore[misc]
            _original = None
