"""A JSON document with a field of another type than its readers rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.document import has_part, replace_part
from chaoscheck.plan.fault_kinds.parameters import require_one_of

__all__ = ["WrongTypes"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WrongTypes(Fault):
    """Say ``42`` where ``part`` is a text, and the text ``"wrong type"`` where it is anything else.

    Parts are the content, the items that hold it (choices), and the usage. Of a stream the first
    event with content is edited.
    """

    name: ClassVar[str] = "wrong_types"

    part: Literal["content", "items", "usage"] = "content"

    def __post_init__(self) -> None:
        require_one_of(self.name, "part", self.part, ("content", "items", "usage"))

    def applies_to(self, answer: Answer) -> bool:
        """Where that part is."""
        return has_part(answer, self.part)

    def on_answer(self, answer: Answer) -> Answer:
        """The same document but for that value."""
        return replace_part(answer, self.part, _mistyped)


def _mistyped(value: Any) -> bytes:
    return b"42" if isinstance(value, str) else b'"wrong type"'
