"""A body whose JSON breaks off, under a content-length that fits: only parsing reveals it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.mid_body_fault import MidBodyFault

__all__ = ["TruncatedJson"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TruncatedJson(MidBodyFault):
    """Answer with only the first ``after_bytes`` bytes of the JSON body, as if that were all."""

    name: ClassVar[str] = "truncated_json"

    def on_answer(self, answer: Answer) -> Answer:
        """The same status and headers over a prefix of the body."""
        return dataclasses.replace(answer, body=answer.body[: self.cut(answer.body)])
