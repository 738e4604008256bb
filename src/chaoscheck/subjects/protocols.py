"""What each kind of subject must offer: its factory's signature and its methods' meaning.

The laws in ``properties/`` use nothing else. Ours implement more; yours need not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

__all__ = [
    "AimdThrottleSubject",
    "AuditTrailSubject",
    "PooledExecutorSubject",
    "ReorderBufferSubject",
    "RetrySubject",
]


class AimdThrottleSubject(Protocol):
    """A delay that one event moves at a time.

    Factory: ``make(*, min_dispatch_delay_ms, max_dispatch_delay_ms, backoff_multiplier,
    recovery_step_ms)``, all in milliseconds but the multiplier.
    """

    @property
    def current_delay_ms(self) -> float:
        """The delay before a next attempt, in milliseconds; starts at the minimum."""

    def on_capacity_error(self) -> None:
        """The provider refused: d = f if d < f = max(step, min), else min(max, d * multiplier)."""

    def on_success(self) -> None:
        """The provider answered: d = max(min, d - step)."""

    def record_wait(self, waited_ms: float) -> None:
        """So many milliseconds were truly waited."""

    def stats(self) -> Any:
        """An object with capacity_retries, successes, peak_delay_ms, current_delay_ms and
        total_throttle_time_ms."""


class RetrySubject(Protocol):
    """A schedule by which a call is repeated.

    Factory: ``make(attempts, base_s, cap_s, *, shape, uniform, sleep)``. ``shape`` is one of
    exponential, linear, fibonacci, decorrelated, full; ``uniform(low, high)`` is the only chance
    and ``await sleep(seconds)`` the only wait it may use.
    """

    async def call(
        self,
        fn: Callable[[], Awaitable[Any]],
        *,
        retryable: Callable[[Exception], bool],
    ) -> Any:
        """Await ``fn()`` until it succeeds, at most ``attempts`` times; its value.

        An error that is not ``retryable`` is raised as it is, at once. After the last attempt
        an exception is raised whose ``__cause__`` is the last error. A cancellation ends it at
        once. It sleeps only between two calls: never below 0 s, never above ``cap_s``.
        """


class ReorderBufferSubject(Protocol):
    """Results enter in any order by ticket and leave in ticket order.

    Factory: ``make(max_pending)``.
    """

    @property
    def outstanding(self) -> Sequence[int]:
        """Tickets that have neither left nor been evicted, oldest first."""

    async def reserve(self) -> int:
        """The next ticket, 0 first; waits in line while ``max_pending`` are outstanding."""

    def complete(self, ticket: int, value: Any) -> None:
        """Give a ticket its result; an exception unless it is live and has none yet."""

    def evict(self, ticket: int) -> bool:
        """Give up a ticket at any position; False if it has left or was evicted before."""

    def take_ready(self) -> list[tuple[int, Any]]:
        """All (ticket, result) pairs that may leave now, in ticket order."""


class AuditTrailSubject(Protocol):
    """The audit of runs: each step is written whole or not at all, and survives reopening.

    Factory: ``make(path)`` opens the audit kept at ``path`` and creates it where there is none.
    A step that is not legal now raises and changes nothing. States and calls are whatever
    ``chaoscheck.components.audit_recorder`` calls AuditedState and AuditedCall.
    """

    def begin_run(self, plugin_name: str) -> tuple[str, str]:
        """Begin a run; (run id, node id)."""

    def known_rows(self, run_id: str) -> dict[int, Any]:
        """The rows of a run by index: objects with token_id, data_digest, attempt, outcome."""

    def recover(self) -> Any:
        """Pending calls become unknown, unfinished states failed. Idempotent."""

    def begin_row(self, run_id: str, node_id: str, row_index: int, row: Any) -> Any:
        """Write down that a row is about to be worked on; its state."""

    def resume_row(self, known: Any, node_id: str, row_index: int, row: Any) -> Any:
        """A new try of a row that has no outcome and no open try; its state."""

    def begin_call(self, state: Any, intent: Any) -> Any:
        """Write down a call before it is made; the call."""

    def end_call(self, call: Any, end: Any) -> None:
        """Write down how a call ended: once."""

    def complete_row(self, state: Any, result: Any) -> None:
        """The row's one terminal outcome: completed."""

    def fail_row(self, state: Any, error: Any) -> None:
        """The row's one terminal outcome: failed, with its details."""

    def evict_row(self, state: Any) -> None:
        """The row's one terminal outcome: evicted."""

    def export(self) -> Any:
        """All tables as rows: runs, rows, tokens, node_states, calls, transform_errors,
        token_outcomes."""

    def close(self) -> None:
        """Let go of the audit."""


class PooledExecutorSubject(Protocol):
    """Many queries, few in flight, each retried until its deadline.

    Factory: ``make(pool_size, max_capacity_retry_seconds, *, throttle, retry,
    retry_after_max_s, on_attempt)``. ``on_attempt`` is told of each attempt, when it ends, with
    an object that has the fields of ``chaoscheck.components.query.AttemptEvent``.
    """

    @property
    def in_flight(self) -> int:
        """Attempts that run now."""

    async def execute_batch(
        self, queries: Sequence[Any], call: Callable[[Any, int], Awaitable[Any]]
    ) -> list[Any]:
        """One result per query, in order: an object with ``value``, ``error``, ``attempts``.

        ``call(query, attempt number)`` fails by raising ``chaoscheck.components.query.QueryError``.
        """

    def close(self) -> None:
        """Give up every live query at once, with reason ``executor_closed``."""
