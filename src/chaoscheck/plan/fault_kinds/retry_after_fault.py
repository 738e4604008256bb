"""Faults that answer with an error and an odd Retry-After header: what they share.

RFC 9110 knows whole seconds and an IMF-fixdate; providers also send fractions and
``retry-after-ms``. A client has to survive whatever else stands there.
"""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
from dataclasses import dataclass
from typing import Self

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import SECONDS_MAX, Fault, require_at_least
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS, RETRYABLE_STATUSES, OddlyTimedError
from chaoscheck.plan.fault_kinds.parameters import require_integer, require_one_of

__all__ = ["SECONDS_MAX", "RetryAfterFault", "http_date", "require_seconds"]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

_ERRORS = {
    status: OddlyTimedError(
        message=error.message, type=error.type, code=error.code, param=error.param
    )
    for status, error in API_ERRORS.items()
    if status in RETRYABLE_STATUSES
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetryAfterFault(Fault):
    """Answer with the error of ``status``, and headers that say oddly when to come back.

    ``status`` is one that may be retried. No provider adds a header of its own about when.
    """

    status: int = 429

    def __post_init__(self) -> None:
        require_integer(self.name, "status", self.status, 400, 599)
        require_one_of(self.name, "status", self.status, RETRYABLE_STATUSES)
        self.check()

    def check(self) -> None:
        """Refuse parameters out of range (PlanError)."""

    def on_answer(self, answer: Answer) -> Answer:
        """The error at once, whatever the good answer was; only the calendar stays."""
        return Answer(
            status=self.status,
            headers=self.headers(answer.at_s),
            error=_ERRORS[self.status],
            at_s=answer.at_s,
        )

    def headers(self, now_s: float) -> tuple[tuple[str, str], ...]:
        """The odd headers, where the calendar says ``now_s`` seconds since the Unix epoch."""
        return ()

    def at_status(self, status: int) -> Self:
        """The same headers on another error; PlanError if that one may not be retried."""
        return dataclasses.replace(self, status=status)


def http_date(at_s: int) -> str:
    """``Thu, 01 Jan 1970 00:00:05 GMT``: an IMF-fixdate (RFC 9110, 5.6.7)."""
    moment = _EPOCH + datetime.timedelta(seconds=at_s)
    return email.utils.format_datetime(moment, usegmt=True)


def require_seconds(fault: str, parameter: str, value: float, low: float) -> None:
    """Refuse a parameter that is no number of seconds in [low, ten years] (PlanError)."""
    require_at_least(fault, parameter, value, low)
