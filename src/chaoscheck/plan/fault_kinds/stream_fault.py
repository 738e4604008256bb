"""Faults of streams: what they share.

They strike streamed answers only. Events are counted by their kind, and counts and places that
lie beyond the end mean the end, so that a fault has its effect on short streams too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer, Event, EventKind
from chaoscheck.plan.delivery import Wire
from chaoscheck.plan.fault import Fault

__all__ = ["StreamFault", "after_content", "is_sse", "is_stream", "places"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StreamFault(Fault):
    """A fault that says other events than the good stream does: those that ``struck`` returns.

    ``strikes_kind`` is the kind of event without which there is nothing to strike.
    """

    strikes_kind: ClassVar[EventKind] = "content"

    def applies_to(self, answer: Answer) -> bool:
        """Where a stream has such an event."""
        kind = self.strikes_kind
        return answer.streamed and any(event.kind == kind for event in answer.events)

    def on_answer(self, answer: Answer) -> Answer:
        """The same answer with other events; as it is where there is nothing to strike."""
        if not self.applies_to(answer):  # A script may force a fault upon any answer.
            return answer
        return answer._replace(events=tuple(self.struck(answer.events)))

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """What is said instead of ``events``, which the fault applies to."""
        return events


def places(events: tuple[Event, ...], kind: EventKind) -> list[int]:
    """Where the events of this kind stand, in order."""
    return [at for at, event in enumerate(events) if event.kind == kind]


def after_content(events: tuple[Event, ...], count: int) -> int:
    """The place right behind the first ``count`` events with content, of which there are some."""
    content = places(events, "content")
    return content[min(count, len(content)) - 1] + 1 if count else content[0]


def is_stream(wire: Wire) -> bool:
    """Whether this is a stream: it alone does not say how long it is."""
    return b"\r\ncontent-length:" not in wire.head


def is_sse(answer: Answer) -> bool:
    """Whether the answer's events are server-sent ones, rather than lines of JSON."""
    return answer.streamed and not any(
        name.lower() == "content-type" and not value.startswith("text/event-stream")
        for name, value in answer.headers
    )
