"""The whole answer, in small pieces with pauses between them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.delivery import Act, Frame, Wire
from chaoscheck.plan.fault import Fault, require_at_least
from chaoscheck.plan.fault_kinds.parameters import require_integer

__all__ = ["SlowDrip"]

_DELAY_MAX_S = 10.0
_PIECES_MAX = 256  # with the longest delay 42.5 minutes; a stream's events come on top


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SlowDrip(Fault):
    """Send the body in pieces of ``piece_bytes``, ``delay_s`` seconds before each but the first.

    ``piece_bytes`` is an integer >= 1, ``delay_s`` above 0 and at most 10. A body that would take
    more than 256 pieces is sent in larger ones, and one that fits into one piece in two. Of a
    stream each event begins a piece of its own, no earlier than without the fault.
    """

    name: ClassVar[str] = "slow_drip"

    piece_bytes: int = 16
    delay_s: float = 0.05

    def __post_init__(self) -> None:
        require_integer(self.name, "piece_bytes", self.piece_bytes, 1)
        require_at_least(self.name, "delay_s", self.delay_s, 0)
        if not 0 < self.delay_s <= _DELAY_MAX_S:
            raise PlanError(
                f"{self.name}: delay_s must be > 0 and <= {_DELAY_MAX_S:g}, got {self.delay_s!r}"
            )

    def applies_to(self, answer: Answer) -> bool:
        """Where there are two bytes to part."""
        return bool(answer.events) if answer.streamed else len(answer.body) > 1

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """The head with the first piece, then piece by piece."""
        return dataclasses.replace(wire, frames=tuple(self._pieces(wire.frames))).acts()

    def _pieces(self, frames: tuple[Frame, ...]) -> Iterator[Frame]:
        total = sum(len(frame.data) for frame in frames)
        size = max(min(self.piece_bytes, total - 1), -(-total // _PIECES_MAX), 1)
        pause_s = 0.0
        for data, late_s in frames:
            for at in range(0, len(data), size):
                yield Frame(data[at : at + size], pause_s + (late_s if at == 0 else 0.0))
                pause_s = self.delay_s
