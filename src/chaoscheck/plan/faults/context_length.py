"""The prompt is longer than the model's context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import context_length_error
from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.fault_kinds.status_fault import StatusFault

__all__ = ["ContextLength"]

_TOKENS_MAX = 128_000  # the context of many current models
_TOKENS_MAX_HIGH = 1_000_000_000  # far above any model


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ContextLength(StatusFault):
    """Answer 400: the prompt has one token more than ``tokens_max``, the most there may be."""

    name: ClassVar[str] = "context_length"
    status: ClassVar[int] = 400
    error: ClassVar[ApiError] = context_length_error(_TOKENS_MAX)

    tokens_max: int = _TOKENS_MAX

    def __post_init__(self) -> None:
        require_integer(self.name, "tokens_max", self.tokens_max, 1, _TOKENS_MAX_HIGH)

    def told(self) -> ApiError:
        """The error with the numbers that ``tokens_max`` makes."""
        return context_length_error(self.tokens_max)
