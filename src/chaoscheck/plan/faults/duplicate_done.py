"""A stream whose terminator comes twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Event, EventKind
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault, places

__all__ = ["DuplicateDone"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DuplicateDone(StreamFault):
    """Say ``[DONE]``, ``message_stop`` or ``response.completed`` twice, at once."""

    name: ClassVar[str] = "duplicate_done"
    strikes_kind: ClassVar[EventKind] = "end"

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """The terminator again, right behind itself."""
        at = places(events, "end")[0]
        return (*events[: at + 1], events[at]._replace(delay_s=0.0), *events[at + 1 :])
