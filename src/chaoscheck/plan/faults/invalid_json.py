"""A body that looks like the answer and is not JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault

__all__ = ["InvalidJson"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class InvalidJson(Fault):
    """Answer with ``{,`` in place of the body's first byte: a syntax error in an object."""

    name: ClassVar[str] = "invalid_json"

    def on_answer(self, answer: Answer) -> Answer:
        """The same status and headers over a body that no JSON parser accepts."""
        return dataclasses.replace(answer, body=b"{," + answer.body[1:])
