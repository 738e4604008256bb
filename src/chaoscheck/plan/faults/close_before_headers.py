"""A clean end of the connection in place of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.delivery import Act, Close, Wire
from chaoscheck.plan.fault import Fault

__all__ = ["CloseBeforeHeaders"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CloseBeforeHeaders(Fault):
    """Read the request, then send FIN and nothing else."""

    name: ClassVar[str] = "close_before_headers"

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """No byte of the answer is sent."""
        return (Close(),)
