"""A connection reset inside the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.delivery import Act, Reset, Wire
from chaoscheck.plan.fault_kinds.mid_body_fault import MidBodyFault

__all__ = ["ResetMidBody"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ResetMidBody(MidBodyFault):
    """Send ``after_bytes`` bytes of the body, then RST."""

    name: ClassVar[str] = "reset_mid_body"

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """The head and the first bytes of the body, then the end."""
        return (*wire.until(self.cut(wire.body)), Reset())
