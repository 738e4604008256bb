"""A good answer that is far larger than it need be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer, Event
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.parameters import require_integer

__all__ = ["HugeBody"]

_SIZE_MAX_BYTES = 64 * 1024 * 1024  # held in memory, a few times over


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HugeBody(Fault):
    """Pad the answer with ``size_bytes`` bytes that mean nothing, so that it still parses.

    Behind a JSON body come that many spaces; before a stream's first event comes one comment
    line of that length. ``size_bytes`` is in [1, 67_108_864] (64 MiB).
    """

    name: ClassVar[str] = "huge_body"

    size_bytes: int = 1_000_000

    def __post_init__(self) -> None:
        require_integer(self.name, "size_bytes", self.size_bytes, 1, _SIZE_MAX_BYTES)

    def applies_to(self, answer: Answer) -> bool:
        """Where there is something to pad."""
        return bool(answer.events) if answer.streamed else bool(answer.body)

    def on_answer(self, answer: Answer) -> Answer:
        """The same answer, and much of nothing."""
        if not self.applies_to(answer):
            return answer
        if not answer.streamed:
            return answer._replace(body=answer.body + b" " * self.size_bytes)
        comment = Event("comment", b":" + b" " * (self.size_bytes - 1) + b"\n\n")
        return answer._replace(events=(comment, *answer.events))
