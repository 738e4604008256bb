"""An answer that is shorter than it promises, though nothing is missing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.delivery import Act, Close, Wire
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.framing import promised_length
from chaoscheck.plan.fault_kinds.parameters import require_integer

__all__ = ["ContentLengthLong"]

_BY_BYTES_MAX = 1_000_000_000  # every client can count so far


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ContentLengthLong(Fault):
    """Promise ``by_bytes`` bytes more than the body has, send all of it, then FIN.

    ``by_bytes`` is in [1, 1_000_000_000].
    """

    name: ClassVar[str] = "content_length_long"

    by_bytes: int = 10

    def __post_init__(self) -> None:
        require_integer(self.name, "by_bytes", self.by_bytes, 1, _BY_BYTES_MAX)

    def applies_to(self, answer: Answer) -> bool:
        """Where a length is promised: not for streams."""
        return not answer.streamed and bool(answer.body)

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """Everything, under a head that promises more."""
        head = promised_length(wire.head, self.by_bytes)
        return (*dataclasses.replace(wire, head=head).acts(), Close())
