"""What the parameters of faults may be: refused with the value and the legal range."""

from __future__ import annotations

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import shown

__all__ = ["COUNT_MAX", "require_integer", "require_one_of"]

#: A milliard of bytes, events or requests: more than any answer has, or any run sends.
COUNT_MAX = 1_000_000_000


def require_integer(
    fault: str, parameter: str, value: object, low: int, high: int | None = None
) -> None:
    """Refuse what is no integer in [low, high] (PlanError); without ``high`` up to COUNT_MAX."""
    legal = isinstance(value, int) and not isinstance(value, bool) and value >= low
    most = COUNT_MAX if high is None else high
    too_many = isinstance(value, int) and value > most
    if not legal or too_many:
        bounds = f"in [{low}, {most}]" if too_many or high is not None else f">= {low}"
        raise PlanError(f"{fault}: {parameter} must be an integer {bounds}, got {shown(value)}")


def require_one_of(fault: str, parameter: str, value: object, legal: tuple[object, ...]) -> None:
    """Refuse what is not among the ``legal`` values (PlanError)."""
    if value not in legal:
        named = ", ".join(repr(one) for one in legal)
        raise PlanError(f"{fault}: {parameter} must be one of {named}, got {shown(value)}")
