"""What was asked for, the model say, does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from chaoscheck.plan.fault_kinds.status_fault import StatusFault

__all__ = ["Status404"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Status404(StatusFault):
    """Answer 404 with the provider's own error body."""

    name: ClassVar[str] = "status_404"
    status: ClassVar[int] = 404
    error: ClassVar[ApiError] = API_ERRORS[404]
