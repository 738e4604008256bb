"""A body that looks like the answer and is not JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.document import edit_text, has_text

__all__ = ["InvalidJson"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class InvalidJson(Fault):
    """Say ``{,`` in place of the JSON's first byte: a syntax error in an object.

    Of a stream the first event with content is edited.
    """

    name: ClassVar[str] = "invalid_json"

    def applies_to(self, answer: Answer) -> bool:
        """Where there is JSON."""
        return has_text(answer)

    def on_answer(self, answer: Answer) -> Answer:
        """The same status and headers over what no JSON parser accepts."""
        return edit_text(answer, lambda text: b"{," + text[1:])
