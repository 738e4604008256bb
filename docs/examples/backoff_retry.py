"""The published library ``backoff`` (asyncio) as a subject of kind ``retry``."""

from collections.abc import Awaitable, Callable
from typing import Any

import backoff

from chaoscheck import PlanError


class Exhausted(Exception):
    """Every attempt failed; the cause is the last failure."""


class BackoffRetry:
    """Repeats a call with ``backoff.on_exception``."""

    runtime = "asyncio"

    def __init__(self, attempts: int, base_s: float, cap_s: float, *, shape: str, **_: Any) -> None:
        if shape not in ("exponential", "full"):
            raise PlanError(f"backoff has no shape {shape}")
        self.attempts = attempts
        self.settings = {
            "max_tries": attempts,
            "jitter": backoff.full_jitter if shape == "full" else None,
            "factor": base_s,
            "max_value": cap_s,
        }

    async def call(
        self, fn: Callable[[], Awaitable[Any]], *, retryable: Callable[[Exception], bool]
    ) -> Any:
        """Await ``fn()`` by the library's schedule."""
        made = 0

        async def act() -> Any:
            nonlocal made
            made += 1
            return await fn()

        wrapped = backoff.on_exception(
            backoff.expo, Exception, giveup=lambda error: not retryable(error), **self.settings
        )(act)
        try:
            return await wrapped()
        except Exception as error:
            if retryable(error) and made == self.attempts:
                raise Exhausted from error
            raise
