"""The request's body is too large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from chaoscheck.plan.fault_kinds.status_fault import StatusFault

__all__ = ["Status413"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Status413(StatusFault):
    """Answer 413 with the provider's own error body."""

    name: ClassVar[str] = "status_413"
    status: ClassVar[int] = 413
    error: ClassVar[ApiError] = API_ERRORS[413]
