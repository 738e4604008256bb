"""Faults that strike inside the body: where they cut.

The cut is clipped to one byte before the body's end, so that the fault has its effect on short
bodies too: at least one promised byte is always withheld.
"""

from __future__ import annotations

from dataclasses import dataclass

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.parameters import require_integer

__all__ = ["MidBodyFault"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MidBodyFault(Fault):
    """A fault that lets ``after_bytes`` bytes of the body through, then strikes.

    In a body that comes in chunks their framing counts.
    """

    after_bytes: int = 17

    def __post_init__(self) -> None:
        require_integer(self.name, "after_bytes", self.after_bytes, 0)

    def applies_to(self, answer: Answer) -> bool:
        """Where there is a body to strike in."""
        return answer.streamed or bool(answer.body)

    def cut(self, body: bytes) -> int:
        """How many bytes of ``body`` go through: at most all but one."""
        return min(self.after_bytes, max(len(body) - 1, 0))
