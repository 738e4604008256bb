"""The trace of a run: what happened, in order, and a digest that two equal runs share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["Event", "Trace"]

Detail = str | int | float | bytes | None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: ``at_s`` in virtual seconds, what, and its details."""

    at_s: float
    kind: str
    details: tuple[Detail, ...]

    def __str__(self) -> str:
        shown = ", ".join(str(detail) for detail in self.details)
        return f"{self.at_s:9.3f}s  {self.kind}({shown})"


class Trace:
    """An append-only list of events. ``now`` gives the world's time in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._events: list[Event] = []

    def add(self, kind: str, *details: Detail) -> None:
        """Record that ``kind`` happened now."""
        self._events.append(Event(self._now(), kind, details))

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def digest(self) -> str:
        """SHA-256 over all events, in hexadecimal: equal runs have equal digests."""
        sum_ = hashlib.sha256()
        for event in self._events:
            sum_.update(repr((event.at_s, event.kind, event.details)).encode())
        return sum_.hexdigest()
