"""A JSON object that says one key twice, with different values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.document import has_part, json_text, replace_part

__all__ = ["DuplicateKeys"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DuplicateKeys(Fault):
    """Say the content's key twice: first with the true value, then with ``"duplicate"``.

    RFC 8259 leaves open which one counts; most parsers take the last. Of a stream the first event
    with content is edited.
    """

    name: ClassVar[str] = "duplicate_keys"

    def applies_to(self, answer: Answer) -> bool:
        """Where the content stands under a key, not in a list."""
        return has_part(answer, "content") and self._key(answer) is not None

    def on_answer(self, answer: Answer) -> Answer:
        """The same document with one more member."""
        key = self._key(answer)
        if key is None:
            return answer

        def twice(value: Any) -> bytes:
            other = "another duplicate" if value == "duplicate" else "duplicate"
            return json_text(value) + b"," + json_text(key) + b":" + json_text(other)

        return replace_part(answer, "content", twice)

    def _key(self, answer: Answer) -> str | None:
        last = answer.shape.content[-1] if answer.shape is not None else None
        return last if isinstance(last, str) else None
