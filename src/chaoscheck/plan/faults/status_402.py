"""The account has no money left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from chaoscheck.plan.fault_kinds.status_fault import StatusFault

__all__ = ["Status402"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Status402(StatusFault):
    """Answer 402 with the provider's own error body."""

    name: ClassVar[str] = "status_402"
    status: ClassVar[int] = 402
    error: ClassVar[ApiError] = API_ERRORS[402]
