"""A JSON document that lacks a field its readers rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.document import has_part, remove_part
from chaoscheck.plan.fault_kinds.parameters import require_one_of

__all__ = ["MissingFields"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MissingFields(Fault):
    """Leave out ``part``: the content, the items that hold it (choices), or the usage.

    Of a stream the first event with content is edited.
    """

    name: ClassVar[str] = "missing_fields"

    part: Literal["content", "items", "usage"] = "content"

    def __post_init__(self) -> None:
        require_one_of(self.name, "part", self.part, ("content", "items", "usage"))

    def applies_to(self, answer: Answer) -> bool:
        """Where that part is."""
        return has_part(answer, self.part)

    def on_answer(self, answer: Answer) -> Answer:
        """The same document without it."""
        return remove_part(answer, self.part)
