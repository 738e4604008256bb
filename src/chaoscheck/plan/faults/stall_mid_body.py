"""An answer that stops inside its body, with the connection open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.delivery import Act, Stall, Wire
from chaoscheck.plan.fault_kinds.mid_body_fault import MidBodyFault

__all__ = ["StallMidBody"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StallMidBody(MidBodyFault):
    """Send ``after_bytes`` bytes of the body, then nothing until the client leaves or heal."""

    name: ClassVar[str] = "stall_mid_body"

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """The head and the first bytes of the body; the rest once released."""
        cut = self.cut(wire.body)
        return (*wire.until(cut), Stall(), *wire.after(cut))
