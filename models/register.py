"""A register: what is read is what was written last. Values are hashable; it starts as None.

``write(value)``, ``read()`` and ``compare_and_set(expected, value)``, whose answer is whether the
register held ``expected`` and now holds ``value``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["register_step"]


def register_step(held: object, name: str, argument: object) -> tuple[object, object]:
    """What the register holds after an operation, and what the operation answers."""
    given: Mapping[str, Any] = argument if isinstance(argument, dict) else {}
    if name == "read":
        return held, held
    if name == "write":
        return given["value"], None
    if name == "compare_and_set":
        won = held == given["expected"]
        return (given["value"] if won else held), won
    raise ValueError(f"a register can read, write and compare_and_set, not {name}")
