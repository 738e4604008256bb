"""A body in chunks, whose second chunk has no size."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.delivery import Act, Close, Frame, Wire
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.framing import promised_chunked

__all__ = ["BrokenChunking"]

_NO_SIZE = b"zz\r\n"  # where hexadecimal digits belong


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BrokenChunking(Fault):
    """Send the body in chunks, with ``zz`` for the size of the second one, then FIN.

    Of a body the first chunk is its first half, of a stream its first event.
    """

    name: ClassVar[str] = "broken_chunking"

    def applies_to(self, answer: Answer) -> bool:
        """Where there is something to send in chunks."""
        return bool(answer.events) if answer.streamed else bool(answer.body)

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """One chunk, then what cannot be one; both go out together."""
        first = wire.frames[0] if wire.frames else Frame(b"")
        if wire.chunked:
            whole, rest = first.data, b"".join([frame.data for frame in wire.frames[1:2]])
            rest = rest.partition(b"\r\n")[2]
        else:
            half = (len(first.data) + 1) // 2
            whole = b"%x\r\n%b\r\n" % (half, first.data[:half])
            rest = first.data[half:] + b"\r\n"
        broken = Frame(whole + _NO_SIZE + rest, first.delay_s)
        head = wire.head if wire.chunked else promised_chunked(wire.head)
        return (*dataclasses.replace(wire, head=head, frames=(broken,)).acts(), Close())
