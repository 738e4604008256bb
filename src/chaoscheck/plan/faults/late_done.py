"""A stream whose terminator keeps its client waiting, though all has been said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.answer import Event, EventKind
from chaoscheck.plan.fault import require_at_least
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault, places

__all__ = ["LateDone"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LateDone(StreamFault):
    """Let ``delay_s`` seconds pass before ``[DONE]``, ``message_stop`` or the like."""

    name: ClassVar[str] = "late_done"
    strikes_kind: ClassVar[EventKind] = "end"
    delay_s: float = 5.0

    def __post_init__(self) -> None:
        require_at_least(self.name, "delay_s", self.delay_s, 0)
        if self.delay_s == 0:
            raise PlanError(f"{self.name}: delay_s must be > 0 to have an effect, got 0")

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """The same events, the terminator later."""
        at = places(events, "end")[0]
        late = events[at]._replace(delay_s=events[at].delay_s + self.delay_s)
        return (*events[:at], late, *events[at + 1 :])
