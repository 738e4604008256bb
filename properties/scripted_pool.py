"""A pool whose attempts are answered from a list, one after the other, and its listener."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from chaoscheck import VirtualWorld
from chaoscheck.components.aimd_throttle import AimdThrottle
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.components.query import AttemptEvent, QueryError, QueryResult
from chaoscheck.components.retry import Retry

__all__ = [
    "BROKEN",
    "BUSY",
    "CLOSED",
    "EXHAUSTED",
    "NONE",
    "TIMED_OUT",
    "WRONG",
    "Answer",
    "Pool",
    "SetClock",
    "heard_of",
    "refused",
    "told",
    "without_message",
]

#: Until it is answered in seconds, the error that it is answered with, None for a good answer.
Answer = tuple[float, QueryError | None]

NONE = (None, None, None)  # no delay, and so no reason for one
EXHAUSTED, TIMED_OUT, CLOSED = "attempts_exhausted", "retry_timeout", "executor_closed"


def refused(kind: Any, status: int | None = None, asks_s: float | None = None) -> QueryError:
    """The error of an attempt."""
    return QueryError(
        f"answered {status}",
        kind=kind,
        reason=f"reason {status}",
        error_type=f"type {status}",
        status_code=status,
        retry_after_s=asks_s,
    )


BUSY, BROKEN, WRONG = refused("capacity", 429), refused("transient", 500), refused("permanent", 400)


class Pool:
    """An executor of three seconds whose delays are exact, and what its listener heard."""

    def __init__(self, *answers: Answer, size: int = 1, **settings: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, int, float]] = []
        self.heard: list[AttemptEvent] = []
        self.throttle = AimdThrottle(min_dispatch_delay_ms=250, recovery_step_ms=0)
        executor = {
            "max_capacity_retry_seconds": 3,
            "throttle": self.throttle,
            "retry": Retry(3, 0.5, 8.0),
            "retry_after_max_s": 2.0,
            "on_attempt": self.heard.append,
        }
        self.executor = PooledExecutor(size, **{**executor, **settings})

    async def call(self, query: str, number: int) -> str:
        """The next answer, whoever asks."""
        self.calls.append((query, number, trio.current_time()))
        assert self.executor.in_flight >= 1
        takes_s, error = self.answers.pop(0)
        await trio.sleep(takes_s)
        if error is not None:
            raise error
        return f"{query}.{number}"

    async def run(self, query: str = "q", **given: Any) -> QueryResult[str]:
        """What becomes of one query."""
        return await self.executor.execute(query, self.call, **given)


def told(story: Callable[[], Awaitable[Any]]) -> Any:
    """What an async story comes to in a world of its own."""
    with VirtualWorld() as world:
        return world.run(story)


def heard_of(pool: Pool) -> list[tuple[object, ...]]:
    """Number, start, end, outcome, status, what it asked for, own delay, delay, why, next step."""
    names = ("number", "started_s", "ended_s", "outcome", "status_code", "retry_after_s")
    decided = ("own_delay_s", "delay_s", "why", "next_step")
    return [tuple(getattr(event, name) for name in (*names, *decided)) for event in pool.heard]


def without_message(result: QueryResult[str]) -> dict[str, object]:
    """A result's error but for its message, which must be there and is for readers."""
    error = dict(result.error or {})
    assert error.pop("message")
    return error


class SetClock(trio.abc.Clock):
    """A clock that stands, but for when a story sets it."""

    now_s = 0.0

    def start_clock(self) -> None:
        """Nothing has to be done."""

    def current_time(self) -> float:
        """What it was set to."""
        return self.now_s

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Nobody waits for a time here."""
        return 0.0 if deadline <= self.now_s else 1.0
