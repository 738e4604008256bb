"""A stream that ends without its terminator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Event, EventKind
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault

__all__ = ["MissingDone"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MissingDone(StreamFault):
    """Leave out ``[DONE]``, ``message_stop`` or ``response.completed``; HTTP ends as it should."""

    name: ClassVar[str] = "missing_done"
    strikes_kind: ClassVar[EventKind] = "end"

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """Everything but the terminator."""
        return [event for event in events if event.kind != "end"]
