"""Where a server's good answers come from, if not from its own APIs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from chaoscheck.plan.answer import Answer
from chaoscheck.wire.request_codec import Request

__all__ = ["AnswerSource", "Fetched"]


class Fetched(NamedTuple):
    """An answer, and what to do once it is given as it is, and no fault took its place."""

    answer: Answer
    on_given: Callable[[], object] | None = None


class AnswerSource(Protocol):
    """Gives the good answer of a request; faults are applied to it as to any other."""

    async def fetch(self, request: Request) -> Fetched:
        """The answer to ``request``."""

    def reset(self) -> None:
        """Forget what was asked before."""
