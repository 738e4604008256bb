"""A JSON document with a number that is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.document import has_part, replace_part

__all__ = ["Nan"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Nan(Fault):
    """Say ``NaN`` in place of a number: JSON has no such word, yet many parsers take it.

    Of a stream the first event with content is edited.
    """

    name: ClassVar[str] = "nan"

    def applies_to(self, answer: Answer) -> bool:
        """Where there is a number."""
        return has_part(answer, "number")

    def on_answer(self, answer: Answer) -> Answer:
        """The same document but for that value."""
        return replace_part(answer, "number", lambda _: b"NaN")
