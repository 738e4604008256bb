"""The delays that a retry schedule may choose, by exact rational arithmetic.

Every law of a delay is an interval: a shape without jitter has one of length zero. The cap
holds after the jitter, so both ends are at most the cap.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

__all__ = ["Shape", "calls", "delay_bounds_s", "fibonacci", "lawful_delay", "sleeps"]

Shape = Literal["exponential", "linear", "fibonacci", "decorrelated", "full"]

_MANY_STEPS = 5000  # 2^5000 and F(5000), times any positive float, are beyond any float and any cap


def fibonacci(n: int) -> int:
    """F(n) with F(1) = F(2) = 1, by doubling: F(2k) = F(k)(2F(k+1) - F(k))."""
    current, following = 0, 1
    for digit in f"{n:b}":
        doubled = current * (2 * following - current)
        after = current * current + following * following
        current, following = (after, doubled + after) if digit == "1" else (doubled, after)
    return current


def delay_bounds_s(
    shape: Shape, i: int, *, base_s: float, cap_s: float, previous_s: float = 0.0
) -> tuple[float, float]:
    """The least and the greatest lawful i-th delay (i from 1), in seconds.

    ``previous_s`` is the delay chosen before, 0 if there was none; only *decorrelated* asks.
    """
    base, cap = Fraction(base_s), Fraction(cap_s)
    exponential = base * 2 ** min(i - 1, _MANY_STEPS)
    fibonacci_s = base * fibonacci(min(i, _MANY_STEPS))
    bounds = {
        "exponential": (exponential, exponential),
        "linear": (base * i, base * i),
        "fibonacci": (fibonacci_s, fibonacci_s),
        "decorrelated": (base, max(base, 3 * Fraction(previous_s))),
        "full": (Fraction(0), exponential),
    }
    low, high = bounds[shape]
    return float(min(cap, low)), float(min(cap, high))


def lawful_delay(
    delay_s: float,
    shape: Shape,
    i: int,
    *,
    base_s: float,
    cap_s: float,
    previous_s: float = 0.0,
) -> bool:
    """Whether ``delay_s`` may be the i-th delay. The cap and zero are exact, the rest to 1e-9."""
    low, high = delay_bounds_s(shape, i, base_s=base_s, cap_s=cap_s, previous_s=previous_s)
    slack = 1e-9 * (1 + high)
    return 0 <= delay_s <= cap_s and low - slack <= delay_s <= high + slack


def calls(first_success: int | None, attempts: int) -> int:
    """How many calls are made when the ``first_success``-th would succeed (None: none would)."""
    return attempts if first_success is None else min(first_success, attempts)


def sleeps(calls_made: int) -> int:
    """How often a schedule sleeps: between calls, neither before the first nor after the last."""
    return calls_made - 1
