"""A lock: one owner at a time, and only the owner releases it. It starts free, as None.

``acquire(owner)`` waits, so it can only happen while the lock is free; ``try_acquire(owner)``
answers whether it got it; ``release(owner)`` can only happen while the owner holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["lock_step"]


def lock_step(holder: object, name: str, argument: object) -> tuple[object, object] | None:
    """Who holds the lock after an operation, and its answer; None: it cannot happen now."""
    given: Mapping[str, Any] = argument if isinstance(argument, dict) else {}
    owner = given["owner"]
    if name == "acquire":
        return (owner, None) if holder is None else None
    if name == "try_acquire":
        return (owner, True) if holder is None else (holder, False)
    if name == "release":
        return (None, None) if holder == owner else None
    raise ValueError(f"a lock can acquire, try_acquire and release, not {name}")
