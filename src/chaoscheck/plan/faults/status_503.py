"""The provider is unavailable for now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from chaoscheck.plan.fault_kinds.status_fault import RetryLaterFault

__all__ = ["Status503"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Status503(RetryLaterFault):
    """Answer 503 with the provider's own error body.

    ``retry_after_s`` goes into the ``retry-after`` header; None leaves it out.
    """

    name: ClassVar[str] = "status_503"
    status: ClassVar[int] = 503
    error: ClassVar[ApiError] = API_ERRORS[503]
