"""A JSON document whose content is null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.document import has_part, replace_part

__all__ = ["NullContent"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NullContent(Fault):
    """Say ``null`` in place of the content; of a stream, in the first event that has any."""

    name: ClassVar[str] = "null_content"

    def applies_to(self, answer: Answer) -> bool:
        """Where there is content."""
        return has_part(answer, "content")

    def on_answer(self, answer: Answer) -> Answer:
        """The same document but for that value."""
        return replace_part(answer, "content", lambda _: b"null")
