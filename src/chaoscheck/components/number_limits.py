"""Legal ranges of the settings of components, checked once, when a component is built.

A boolean is never a number here, and neither are NaN and the infinities: each would make a
delay or a limit that no law can speak about.
"""

from __future__ import annotations

import math

from chaoscheck.errors import PlanError

__all__ = ["require_above", "require_at_least", "require_whole"]


def require_at_least(name: str, value: float, low: float) -> None:
    """Refuse anything but a finite number >= ``low`` (PlanError)."""
    if not _is_finite_number(value) or value < low:
        raise PlanError(f"{name} must be a finite number >= {low}, got {value!r}")


def require_above(name: str, value: float, low: float) -> None:
    """Refuse anything but a finite number > ``low`` (PlanError)."""
    if not _is_finite_number(value) or value <= low:
        raise PlanError(f"{name} must be a finite number > {low}, got {value!r}")


def require_whole(name: str, value: object, low: int) -> None:
    """Refuse anything but a whole number >= ``low`` (PlanError)."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise PlanError(f"{name} must be a whole number >= {low}, got {value!r}")


def _is_finite_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False
