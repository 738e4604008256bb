"""Calls that play a script: what each attempt of each query does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from chaoscheck.components.query import FailureKind, QueryError

__all__ = ["OK", "Act", "Script", "failing", "playing"]


@dataclass(frozen=True, slots=True)
class Act:
    """What one attempt does: it takes a while, and then succeeds or fails in some way."""

    kind: FailureKind | None = None
    seconds: float = 0.0
    retry_after_s: float | None = None


OK = Act()
Script = list[Act]


def failing(kind: FailureKind, retry_after_s: float | None = None) -> QueryError:
    """A QueryError of ``kind`` as a server would cause it."""
    return QueryError(
        "refused",
        kind=kind,
        reason=f"some_{kind}",
        error_type=f"{kind}_error",
        status_code={"capacity": 429, "transient": 500, "permanent": 400}[kind],
        retry_after_s=retry_after_s,
    )


def playing(scripts: list[Script]) -> Callable[[int, int], Awaitable[str]]:
    """A call that plays the script of its query; beyond the end of a script all goes well."""

    async def call(query: int, number: int) -> str:
        script = scripts[query]
        act = script[number - 1] if number <= len(script) else OK
        await trio.sleep(act.seconds)
        if act.kind is not None:
            raise failing(act.kind, act.retry_after_s)
        return f"{query}.{number}"

    return call
