"""A good answer that says it is a web page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault

__all__ = ["WrongContentType"]

_HEADER = ("content-type", "text/html")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WrongContentType(Fault):
    """Say ``content-type: text/html`` over the same body or stream."""

    name: ClassVar[str] = "wrong_content_type"

    def applies_to(self, answer: Answer) -> bool:
        """Where that is not what it says anyhow."""
        return _HEADER not in answer.headers

    def on_answer(self, answer: Answer) -> Answer:
        """The header where it stood, or behind the others if it was missing."""
        headers = [
            _HEADER if name.lower() == "content-type" else (name, value)
            for name, value in answer.headers
        ]
        if _HEADER not in headers:
            headers.append(_HEADER)
        return answer._replace(headers=tuple(headers))
