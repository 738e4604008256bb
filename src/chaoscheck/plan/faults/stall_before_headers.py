"""Silence in place of an answer, with the connection open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.delivery import Act, Stall, Wire
from chaoscheck.plan.fault import Fault

__all__ = ["StallBeforeHeaders"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StallBeforeHeaders(Fault):
    """Say nothing until the client leaves or everything is healed; then the whole answer."""

    name: ClassVar[str] = "stall_before_headers"

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """The answer is held back."""
        return (Stall(), *wire.acts())
