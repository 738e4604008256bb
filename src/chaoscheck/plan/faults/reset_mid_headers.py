"""A connection reset inside the head of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.delivery import Act, Reset, Send, Wire
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.parameters import require_integer

__all__ = ["ResetMidHeaders"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ResetMidHeaders(Fault):
    """Send ``after_bytes`` bytes of the status line and headers, at most all but one, then RST."""

    name: ClassVar[str] = "reset_mid_headers"

    after_bytes: int = 20

    def __post_init__(self) -> None:
        require_integer(self.name, "after_bytes", self.after_bytes, 1)

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """The head's first bytes, then the end; the empty line never comes."""
        return (Send(wire.head[: min(self.after_bytes, len(wire.head) - 1)]), Reset())
