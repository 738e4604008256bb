"""A connection that is closed in one direction: the server says no more and reads on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan import delivery
from chaoscheck.plan.fault_kinds.mid_body_fault import MidBodyFault

__all__ = ["HalfClose"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HalfClose(MidBodyFault):
    """Send ``after_bytes`` bytes of the body, then FIN, and read on until the client leaves.

    To a client that only reads this looks like ``close_mid_body``; one that goes on sending is
    not reset.
    """

    name: ClassVar[str] = "half_close"

    def on_delivery(self, wire: delivery.Wire) -> tuple[delivery.Act, ...]:
        """The head and the first bytes of the body, then the end of what we say."""
        return (*wire.until(self.cut(wire.body)), delivery.HalfClose())
