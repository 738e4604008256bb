"""A stream that breaks off at any byte: inside a character, a line or a JSON document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from chaoscheck.plan.answer import Answer, Event
from chaoscheck.plan.delivery import Act, Close, Reset, Wire
from chaoscheck.plan.fault_kinds.parameters import require_integer, require_one_of
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault, is_stream

__all__ = ["CutStream"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CutStream(StreamFault):
    """Send ``after_bytes`` bytes of the events, counted over all of them, at most all but one.

    ``ending`` is ``close`` (FIN) or ``reset`` (RST), both without the last chunk, or ``end``: the
    last chunk comes, so that HTTP is whole and only the API's own terminator is missing.
    """

    name: ClassVar[str] = "cut_stream"
    after_bytes: int = 40
    ending: Literal["close", "reset", "end"] = "close"

    def __post_init__(self) -> None:
        require_integer(self.name, "after_bytes", self.after_bytes, 0)
        require_one_of(self.name, "ending", self.ending, ("close", "reset", "end"))

    def applies_to(self, answer: Answer) -> bool:
        """Where a stream says anything."""
        return answer.streamed and any(event.payload for event in answer.events)

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """The events up to the cut, the last of them in part."""
        left = min(self.after_bytes, sum([len(event.payload) for event in events]) - 1)
        said: list[Event] = []
        for event in events:
            if left <= 0:
                break
            said.append(event._replace(payload=event.payload[:left]))
            left -= len(event.payload)
        return said

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """All that is left of the stream, and its end."""
        if self.ending == "end" or not is_stream(wire):
            return wire.acts()
        events = wire.frames[:-1] if wire.chunked else wire.frames
        sent = wire.until(sum([len(frame.data) for frame in events]))
        return (*sent, Close() if self.ending == "close" else Reset())
