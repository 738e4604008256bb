"""A counter: every increment counts, once. It starts at 0.

``increment(by)`` (by 1 unless it says otherwise) answers the new count, ``read()`` the count.
"""

from __future__ import annotations

__all__ = ["counter_step"]


def counter_step(count: int, name: str, argument: object) -> tuple[int, object]:
    """The count after an operation, and what the operation answers."""
    if name == "read":
        return count, count
    if name == "increment":
        by = argument.get("by", 1) if isinstance(argument, dict) else 1
        return count + by, count + by
    raise ValueError(f"a counter can increment and read, not {name}")
