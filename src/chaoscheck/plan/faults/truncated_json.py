"""A body whose JSON breaks off, under a content-length that fits: only parsing reveals it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault_kinds.document import edit_text, has_text
from chaoscheck.plan.fault_kinds.mid_body_fault import MidBodyFault

__all__ = ["TruncatedJson"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TruncatedJson(MidBodyFault):
    """Say only the first ``after_bytes`` bytes of the JSON, at most all but one, as if all.

    Of a stream the first event with content is cut; it still ends with its empty line.
    """

    name: ClassVar[str] = "truncated_json"

    def applies_to(self, answer: Answer) -> bool:
        """Where there is JSON."""
        return has_text(answer)

    def on_answer(self, answer: Answer) -> Answer:
        """The same status and headers over a prefix of the JSON."""
        return edit_text(answer, self._prefix)

    def _prefix(self, text: bytes) -> bytes:
        # White space behind the document is no part of it: without it the JSON would be whole.
        return text[: self.cut(text.rstrip())]
