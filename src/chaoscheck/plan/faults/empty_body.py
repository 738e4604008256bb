"""A success that says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault

__all__ = ["EmptyBody"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EmptyBody(Fault):
    """Answer with the same status and headers over no body, or over a stream without events."""

    name: ClassVar[str] = "empty_body"

    def applies_to(self, answer: Answer) -> bool:
        """Where there is something to leave out."""
        return bool(answer.events) if answer.streamed else bool(answer.body)

    def on_answer(self, answer: Answer) -> Answer:
        """``content-length: 0``, or nothing but the last chunk."""
        return answer._replace(body=b"", events=())
