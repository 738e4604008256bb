"""What comes from outside in a run of plain trio that the oracle directs: as late as it says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pytest
import trio._core._run as trio_run
import trio._threads as trio_threads

__all__ = ["LateDeadlines", "LateSource", "outside_directed_by"]

# What had not come when a batch ran: its kind, its task's name, and the number of a timer, else 0.
LateSource = tuple[str, str, int]


class Director(Protocol):
    """Who directs a run. ``apart`` says how it went another way, if it did."""

    now: float
    apart: str

    def is_late(self, kind: str, task: str, nth: int = 0) -> bool:
        """Whether it has not come before the next batch."""

    def start_thread(
        self, fn: Callable[[], Any], deliver: Callable[[Any], Any], name: object = None
    ) -> None:
        """What a worker thread would run."""


class LateDeadlines(trio_run.Deadlines):
    """trio's deadlines, late as real ones may be; not what a world has."""

    def __init__(self, director: Director) -> None:
        super().__init__()
        self._director = director
        self._entries: list[tuple[float, int, LateSource | None, Any]] = []
        self._set_by: Counter[str] = Counter()

    def add(self, deadline: float, cancel_scope: Any) -> None:
        """Note who set it, unless it has passed already."""
        source: LateSource | None = None
        task = getattr(trio_run.GLOBAL_RUN_CONTEXT, "task", None)
        if deadline > self._director.now and task is not None:
            self._set_by[task.name] += 1
            source = "timer", task.name, self._set_by[task.name]
        self._entries.append((deadline, len(self._entries), source, cancel_scope))

    def remove(self, deadline: float, cancel_scope: Any) -> None:
        """Entries of other deadlines than the scope's own are out of date."""

    def next_deadline(self) -> float:
        """Of those that are not out of date."""
        return min((each[0] for each in self._current()), default=math.inf)

    def expire(self, now: float) -> bool:
        """Those that have passed, but for late ones: they must be the last that were set."""
        expired, first_late = False, math.nan
        for deadline, _, source, scope in self._current():
            if deadline > now or scope._registered_deadline != deadline:
                continue
            if source is not None and self._director.is_late(*source):
                first_late = deadline
            elif source is not None and first_late == first_late:
                self._director.apart = f"{source} comes before a timer that was set earlier"
            else:
                scope._cancel(trio_run.CancelReason(source="deadline"))
                expired = True
        return expired

    def _current(self) -> list[tuple[float, int, LateSource | None, Any]]:
        newest: dict[Any, tuple[float, int, LateSource | None, Any]] = {}
        for entry in self._entries:
            if entry[0] == entry[3]._registered_deadline:
                newest.setdefault(entry[3], entry)
        return sorted(newest.values(), key=lambda entry: entry[:2])


class _LateEvents:
    """What epoll reports of the programs' sockets, kept from trio while it is late."""

    def __init__(self, director: Director, ask: Callable[[Any, float], list[Any]]) -> None:
        self._director = director
        self._ask = ask
        self._kept: dict[int, int] = {}

    def get_events(self, manager: Any, timeout: float) -> list[Any]:
        """Those that come before the next batch."""
        self._kept.update(self._ask(manager, timeout))
        events = []
        for number in list(self._kept):
            waiters = manager._registered.get(number)
            task = None if waiters is None else waiters.read_task
            if task is None or not self._director.is_late("socket", task.name):
                flags = self._kept.pop(number)
                if waiters is not None:
                    events.append((number, flags))
        return events


@contextmanager
def outside_directed_by(director: Director) -> Iterator[None]:
    io = vars(trio_run)["TheIOManager"]
    events = _LateEvents(director, io.get_events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            io, "get_events", lambda manager, timeout: events.get_events(manager, timeout)
        )
        patch.setattr(trio_threads, "start_thread_soon", director.start_thread)
        patch.setattr(trio_run, "_r", director)
        patch.setattr(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        yield
