"""Faults that answer with an error status: what they share.

The fault says which error it is; the provider that was asked writes it into its own body.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar, Self

from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.plan.fault import Fault, require_at_least
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS

__all__ = ["RetryLaterFault", "StatusFault", "seconds_text"]

_STEPS_PER_S = 1000  # a Retry-After of ours has at most three decimals


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StatusFault(Fault):
    """Answer with ``status`` and the provider's error body in place of the good answer."""

    status: ClassVar[int] = 500
    error: ClassVar[ApiError] = API_ERRORS[500]

    def on_answer(self, answer: Answer) -> Answer:
        """The error at once, whatever the good answer was; only the calendar stays."""
        return Answer(
            status=self.status, headers=self.headers(), error=self.told(), at_s=answer.at_s
        )

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers that this error adds."""
        return ()

    def told(self) -> ApiError:
        """The error as this fault's parameters make it."""
        return self.error


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetryLaterFault(StatusFault):
    """A status fault that may say when to come back.

    ``retry_after_s`` goes into the ``retry-after`` header with at most three decimals, rounded
    up (RFC 9110 knows whole seconds; providers send fractions and clients accept them). None
    leaves the header out.
    """

    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        if self.retry_after_s is not None:
            require_at_least(self.name, "retry_after_s", self.retry_after_s, 0)

    def headers(self) -> tuple[tuple[str, str], ...]:
        """``retry-after``, unless it is None."""
        if self.retry_after_s is None:
            return ()
        return (("retry-after", seconds_text(self.retry_after_s)),)

    def asking_to_wait(self, wait_s: float) -> Self:
        """The same fault with ``wait_s``, rounded up to what the header can express."""
        return dataclasses.replace(self, retry_after_s=_steps(wait_s) / _STEPS_PER_S)


def seconds_text(seconds: float) -> str:
    """``1``, ``0.5`` or ``0.334``: rounded up to three decimals, no trailing zeros."""
    whole, thousandths = divmod(_steps(seconds), _STEPS_PER_S)
    return f"{whole}.{thousandths:03d}".rstrip("0").rstrip(".")


def _steps(seconds: float) -> int:
    # The slack keeps 0.3, whose binary fraction lies above it, from becoming 0.301.
    return math.ceil(seconds * _STEPS_PER_S - 1e-6)
