"""A connection reset in place of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.delivery import Act, Reset, Wire
from chaoscheck.plan.fault import Fault

__all__ = ["ResetBeforeHeaders"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ResetBeforeHeaders(Fault):
    """Read the request, then send RST and nothing else."""

    name: ClassVar[str] = "reset_before_headers"

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """No byte of the answer is sent."""
        return (Reset(),)
