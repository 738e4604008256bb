"""The request is wrong: a value in it is not allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from chaoscheck.plan.fault_kinds.status_fault import StatusFault

__all__ = ["Status400"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Status400(StatusFault):
    """Answer 400 with the provider's own error body."""

    name: ClassVar[str] = "status_400"
    status: ClassVar[int] = 400
    error: ClassVar[ApiError] = API_ERRORS[400]
