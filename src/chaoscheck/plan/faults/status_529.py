"""The provider is overloaded (the status that Anthropic uses)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.status_fault import StatusFault

__all__ = ["Status529"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Status529(StatusFault):
    """Answer 529 with the provider's own error body."""

    name: ClassVar[str] = "status_529"
    status: ClassVar[int] = 529
    error: ClassVar[ApiError] = ApiError(
        message="Overloaded",
        type="overloaded_error",
        code="overloaded",
    )
