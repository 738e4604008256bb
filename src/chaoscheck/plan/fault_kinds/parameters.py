"""What the parameters of faults may be: refused with the value and the legal range."""

from __future__ import annotations

from chaoscheck.errors import PlanError

__all__ = ["require_integer", "require_one_of"]


def require_integer(
    fault: str, parameter: str, value: object, low: int, high: int | None = None
) -> None:
    """Refuse what is no integer in [low, high] (PlanError); None is no upper bound."""
    legal = isinstance(value, int) and not isinstance(value, bool) and value >= low
    if not legal or (high is not None and isinstance(value, int) and value > high):
        bounds = f">= {low}" if high is None else f"in [{low}, {high}]"
        raise PlanError(f"{fault}: {parameter} must be an integer {bounds}, got {value!r}")


def require_one_of(fault: str, parameter: str, value: object, legal: tuple[object, ...]) -> None:
    """Refuse what is not among the ``legal`` values (PlanError)."""
    if value not in legal:
        named = ", ".join(repr(one) for one in legal)
        raise PlanError(f"{fault}: {parameter} must be one of {named}, got {value!r}")
