"""Too many requests: the rate limit is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from chaoscheck.plan.fault_kinds.status_fault import RetryLaterFault

__all__ = ["Status429"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Status429(RetryLaterFault):
    """Answer 429 with the provider's own error body.

    ``retry_after_s`` goes into the ``retry-after`` header; None leaves it out.
    """

    name: ClassVar[str] = "status_429"
    status: ClassVar[int] = 429
    error: ClassVar[ApiError] = API_ERRORS[429]

    retry_after_s: float | None = 1.0
