"""The whole answer, but late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.delivery import Act, Wait, Wire
from chaoscheck.plan.fault import Fault, require_at_least

__all__ = ["SlowResponse"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SlowResponse(Fault):
    """Wait ``delay_s`` seconds on the server's clock, then send the whole answer."""

    name: ClassVar[str] = "slow_response"
    delay_s: float = 2.0

    def __post_init__(self) -> None:
        require_at_least(self.name, "delay_s", self.delay_s, 0)
        if self.delay_s == 0:
            raise PlanError(f"{self.name}: delay_s must be > 0 to have an effect, got 0")

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """Silence first, then everything at once."""
        return (Wait(self.delay_s), *wire.acts())
