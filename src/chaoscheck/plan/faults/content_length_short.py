"""An answer that is longer than it promises."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.delivery import Act, Close, Wire
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.framing import promised_length
from chaoscheck.plan.fault_kinds.parameters import require_integer

__all__ = ["ContentLengthShort"]

_BY_BYTES_MAX = 1_000_000_000  # every client can count so far


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ContentLengthShort(Fault):
    """Promise ``by_bytes`` bytes less than the body has (at least 0), send all of it, then FIN.

    A client takes the promised bytes for the body, and the rest is nobody's. The head says
    ``connection: close``, so that no innocent request on the same connection pays for it.
    ``by_bytes`` is in [1, 1_000_000_000].
    """

    name: ClassVar[str] = "content_length_short"

    by_bytes: int = 10

    def __post_init__(self) -> None:
        require_integer(self.name, "by_bytes", self.by_bytes, 1, _BY_BYTES_MAX)

    def applies_to(self, answer: Answer) -> bool:
        """Where a length is promised: not for streams."""
        return not answer.streamed and bool(answer.body)

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """Everything, under a head that promises less."""
        head = promised_length(wire.head, -self.by_bytes)
        return (*dataclasses.replace(wire, head=head).acts(), Close())
