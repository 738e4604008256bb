"""A stream that says two pieces of its text in the wrong order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer, Event
from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault, places

__all__ = ["ReorderedChunks"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReorderedChunks(StreamFault):
    """Swap the events with content number ``at`` and ``at + 1``, counted from 0.

    Where these two are the same, the next two that differ are swapped, else the last two before.
    """

    name: ClassVar[str] = "reordered_chunks"
    at: int = 0

    def __post_init__(self) -> None:
        require_integer(self.name, "at", self.at, 0)

    def applies_to(self, answer: Answer) -> bool:
        """Where two neighbouring pieces differ."""
        return (
            answer.streamed and len({e.payload for e in answer.events if e.kind == "content"}) > 1
        )

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """Each place keeps its time, the pieces change theirs."""
        content = places(events, "content")
        unequal = [
            number
            for number in range(len(content) - 1)
            if events[content[number]].payload != events[content[number + 1]].payload
        ]
        number = next((number for number in unequal if number >= self.at), unequal[-1])
        first, second = content[number], content[number + 1]
        said = list(events)
        said[first] = events[second]._replace(delay_s=events[first].delay_s)
        said[second] = events[first]._replace(delay_s=events[second].delay_s)
        return said
