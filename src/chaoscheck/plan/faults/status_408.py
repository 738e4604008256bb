"""The provider did not get the request in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from chaoscheck.plan.fault_kinds.status_fault import RetryLaterFault

__all__ = ["Status408"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Status408(RetryLaterFault):
    """Answer 408 with the provider's own error body.

    ``retry_after_s`` goes into the ``retry-after`` header; None leaves it out.
    """

    name: ClassVar[str] = "status_408"
    status: ClassVar[int] = 408
    error: ClassVar[ApiError] = API_ERRORS[408]
