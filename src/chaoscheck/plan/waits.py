"""How long an error asks a client to wait: as its fault is written, or for the true time.

What is over at a known time, such as an outage or an empty token bucket, can say when.
"""

from __future__ import annotations

from typing import Literal, get_args

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import SECONDS_MAX, Fault
from chaoscheck.plan.fault_kinds.status_fault import RetryLaterFault

__all__ = ["WAIT_MAX_S", "RetryAfter", "asking_for", "require_retry_after", "require_says_when"]

RetryAfter = Literal["true_wait", "as_given"]

WAIT_MAX_S = float(SECONDS_MAX)  # of what a client is asked for: every header can say it


def asking_for(fault: Fault, retry_after: RetryAfter, wait_s: float) -> Fault:
    """``fault``, with a ``Retry-After`` of ``wait_s`` if the true wait is wanted and it has one.

    The wait is rounded up to a millisecond, and at most ten years.
    """
    if retry_after == "true_wait" and isinstance(fault, RetryLaterFault):
        return fault.asking_to_wait(min(max(0.0, wait_s), WAIT_MAX_S))
    return fault


def require_retry_after(where: str, retry_after: str) -> None:
    """Refuse what is none of the two words (PlanError)."""
    if retry_after not in get_args(RetryAfter):
        words = " or ".join(repr(word) for word in get_args(RetryAfter))
        raise PlanError(f"{where}: retry_after must be {words}, got {retry_after!r}")


def require_says_when(where: str, fault: Fault, retry_after: str) -> None:
    """Refuse a true wait of a fault that has no ``Retry-After`` to say it in (PlanError)."""
    require_retry_after(where, retry_after)
    if retry_after == "true_wait" and not isinstance(fault, RetryLaterFault):
        raise PlanError(
            f"{where}: retry_after 'true_wait' needs a fault with retry_after_s, such as "
            f"status_503 or status_529, got {fault!r}"
        )
