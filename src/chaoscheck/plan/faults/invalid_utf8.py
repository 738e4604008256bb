"""A text that is not UTF-8, in JSON that is intact otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.document import has_part, json_text, replace_part

__all__ = ["InvalidUtf8"]

_NEVER_UTF8 = b"\xff\xfe"  # two bytes that occur nowhere in UTF-8


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class InvalidUtf8(Fault):
    """End the content's text with the bytes FF FE; content that is no text becomes just these.

    Of a stream the first event with content is edited.
    """

    name: ClassVar[str] = "invalid_utf8"

    def applies_to(self, answer: Answer) -> bool:
        """Where there is content."""
        return has_part(answer, "content")

    def on_answer(self, answer: Answer) -> Answer:
        """The same document but for these bytes."""
        return replace_part(answer, "content", _damaged)


def _damaged(value: Any) -> bytes:
    text = json_text(value if isinstance(value, str) else "")
    return text[:-1] + _NEVER_UTF8 + text[-1:]
