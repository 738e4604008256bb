"""The provider's moderation refused the prompt or the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import CONTENT_FILTERED
from chaoscheck.plan.fault_kinds.status_fault import StatusFault

__all__ = ["ContentFilter"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ContentFilter(StatusFault):
    """Answer 400, or 403 where OpenRouter is asked, with the provider's moderation error."""

    name: ClassVar[str] = "content_filter"
    status: ClassVar[int] = 400
    error: ClassVar[ApiError] = CONTENT_FILTERED
