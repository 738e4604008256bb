"""The API key is right, and may not do this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from chaoscheck.plan.fault_kinds.status_fault import StatusFault

__all__ = ["Status403"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Status403(StatusFault):
    """Answer 403 with the provider's own error body."""

    name: ClassVar[str] = "status_403"
    status: ClassVar[int] = 403
    error: ClassVar[ApiError] = API_ERRORS[403]
