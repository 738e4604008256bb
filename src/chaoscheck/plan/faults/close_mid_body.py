"""A clean end of the connection inside the body: content-length promised more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.delivery import Act, Close, Wire
from chaoscheck.plan.fault_kinds.mid_body_fault import MidBodyFault

__all__ = ["CloseMidBody"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CloseMidBody(MidBodyFault):
    """Send ``after_bytes`` bytes of the body, then FIN, though more were promised."""

    name: ClassVar[str] = "close_mid_body"

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """The head and the first bytes of the body, then the end."""
        return (*wire.until(self.cut(wire.body)), Close())
