"""A stream that says a piece of its text twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Event
from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault, places

__all__ = ["DuplicateChunks"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DuplicateChunks(StreamFault):
    """Send the event with content number ``at`` twice, counted from 0."""

    name: ClassVar[str] = "duplicate_chunks"
    at: int = 0

    def __post_init__(self) -> None:
        require_integer(self.name, "at", self.at, 0)

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """That event again, right behind itself."""
        content = places(events, "content")
        at = content[min(self.at, len(content) - 1)]
        return (*events[: at + 1], events[at]._replace(delay_s=0.0), *events[at + 1 :])
