"""What a query can come to: the values that pass between an executor, its calls and listeners.

A call reports failure by raising ``QueryError``, which says what kind of failure it was; the
executor turns the course of a query into one ``QueryResult`` and tells listeners of every
attempt by an ``AttemptEvent``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from chaoscheck.errors import WorldError

__all__ = [
    "AttemptEvent",
    "AttemptOutcome",
    "DelayReason",
    "FailureKind",
    "NextStep",
    "QueryError",
    "QueryResult",
]

V = TypeVar("V")

FailureKind = Literal["capacity", "transient", "permanent"]
AttemptOutcome = Literal["ok", "capacity", "transient", "permanent", "abandoned"]
DelayReason = Literal["aimd", "retry", "retry_after"]
NextStep = Literal[
    "succeeded", "retry", "retry_timeout", "attempts_exhausted", "failed", "abandoned"
]


class QueryError(WorldError):
    """One attempt of a query failed.

    ``kind``: *capacity* (the provider is full: 429, 503, 529), *transient* (worth another try)
    or *permanent* (never retried). ``reason`` and ``error_type`` are short stable names;
    ``status_code`` is None when no reply came; ``retry_after_s`` is what the server asked for,
    in seconds, None if it asked for nothing intelligible.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: FailureKind,
        reason: str,
        error_type: str,
        status_code: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind: FailureKind = kind
        self.reason = reason
        self.error_type = error_type
        self.status_code = status_code
        self.retry_after_s = retry_after_s

    @property
    def retryable(self) -> bool:
        """Whether another attempt may be made."""
        return self.kind != "permanent"

    @property
    def capacity(self) -> bool:
        """Whether the provider refused for lack of capacity."""
        return self.kind == "capacity"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult(Generic[V]):
    """What became of a query: a value, or an error as a dict; ``attempts`` were made.

    Every error has ``reason``, ``error_type``, ``message`` and ``status_code`` (None without a
    reply). With reason ``retry_timeout`` it has ``elapsed_seconds`` and ``max_seconds`` too.
    """

    value: V | None = None
    error: Mapping[str, object] | None = None
    attempts: int

    @property
    def ok(self) -> bool:
        """Whether the query succeeded."""
        return self.error is None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEvent:
    """One attempt of one query, and what was decided when it ended. Times in seconds.

    ``own_delay_s`` is the executor's own backoff and ``delay_s`` the delay chosen after
    looking at Retry-After, for the reason ``why``; all three are None where no further attempt
    was considered. ``next_step`` *retry_timeout* means: the delay reached the deadline.
    """

    query: object
    number: int
    submitted_s: float
    started_s: float
    ended_s: float
    outcome: AttemptOutcome
    status_code: int | None
    retry_after_s: float | None
    own_delay_s: float | None
    delay_s: float | None
    why: DelayReason | None
    next_step: NextStep
