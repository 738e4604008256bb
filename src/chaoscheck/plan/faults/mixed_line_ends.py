"""A stream whose lines end in every way that server-sent events allow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from typing import ClassVar

from chaoscheck.plan.answer import Answer, Event
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault, is_sse

__all__ = ["MixedLineEnds"]

_LINE_ENDS = (b"\n", b"\r\n", b"\r")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MixedLineEnds(StreamFault):
    """End the lines of the events by LF, CRLF and CR in turn, event by event.

    All three are legal (WHATWG HTML, 9.2): a good client reads the same text.
    """

    name: ClassVar[str] = "mixed_line_ends"

    def applies_to(self, answer: Answer) -> bool:
        """Where there is a second server-sent event: the first one's lines end by LF."""
        return is_sse(answer) and len(answer.events) > 1

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """The same events, written otherwise."""
        return [
            event._replace(payload=event.payload.replace(b"\n", line_end))
            for event, line_end in zip(events, cycle(_LINE_ENDS), strict=False)
        ]
