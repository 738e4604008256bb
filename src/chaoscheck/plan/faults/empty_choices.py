"""A JSON document with nothing in what should hold the content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.document import has_part, replace_part

__all__ = ["EmptyChoices"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EmptyChoices(Fault):
    """Say ``[]`` (``{}`` for an object) in place of the choices, or of what holds the content.

    Of a stream the first event with content is edited.
    """

    name: ClassVar[str] = "empty_choices"

    def applies_to(self, answer: Answer) -> bool:
        """Where something holds the content."""
        return has_part(answer, "items")

    def on_answer(self, answer: Answer) -> Answer:
        """The same document but for that value."""
        return replace_part(answer, "items", _emptied)


def _emptied(value: Any) -> bytes:
    return b"{}" if isinstance(value, dict) else b"[]"
