"""A connection that is reset before anything was read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from chaoscheck.plan.delivery import Act, Reset, Wire
from chaoscheck.plan.fault import Fault

__all__ = ["Refuse"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Refuse(Fault):
    """Send RST as soon as the connection is accepted, with nothing read.

    The kernel completes the handshake before a server hears of it, and user space cannot undo
    that. So a client sees its connection reset at once, and, depending on how fast it is, while
    it connects, sends or waits; it never sees ECONNREFUSED as from a port where nobody listens.
    """

    name: ClassVar[str] = "refuse"
    strikes: ClassVar[Literal["request", "connection"]] = "connection"

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """Nothing is asked, nothing is said."""
        return (Reset(),)
