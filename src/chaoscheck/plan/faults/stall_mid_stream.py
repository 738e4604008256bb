"""A stream that falls silent between two of its events, with the connection open."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Event
from chaoscheck.plan.delivery import Act, Frame, Stall, Wire
from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault, after_content, is_stream

__all__ = ["StallMidStream"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StallMidStream(StreamFault):
    """After ``after_chunks`` events with content say nothing until the client leaves or heal.

    Once healed, the rest comes. The cut is between two events, never inside one.
    """

    name: ClassVar[str] = "stall_mid_stream"
    after_chunks: int = 1

    def __post_init__(self) -> None:
        require_integer(self.name, "after_chunks", self.after_chunks, 0)

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """The event that the silence comes before is due in infinitely many seconds."""
        # On delivery frames have no kind any more; this delay is what survives until then.
        at = after_content(events, self.after_chunks)
        if at == len(events):
            return events  # Only the last chunk is left to hold back.
        return (*events[:at], events[at]._replace(delay_s=math.inf), *events[at + 1 :])

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """What comes before the silence, the silence, the rest."""
        if not is_stream(wire):
            return wire.acts()
        frames = wire.frames
        held = next((at for at, it in enumerate(frames) if it.delay_s == math.inf), None)
        if held is None:
            held = max(len(frames) - 1, 0) if wire.chunked else len(frames)
        else:
            prompt = Frame(frames[held].data)
            wire = dataclasses.replace(wire, frames=(*frames[:held], prompt, *frames[held + 1 :]))
        sent = sum([len(frame.data) for frame in frames[:held]])
        return (*wire.until(sent), Stall(), *wire.after(sent))
