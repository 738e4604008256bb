"""What an odd Retry-After asks a client to wait, by the fault that sends it.

The law: seconds, fractions, HTTP-dates and ``retry-after-ms`` (which goes first) are lower bounds;
what is negative, past, garbage or absurdly far away asks for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

__all__ = ["ABSURD_S", "asked_wait_s", "asks_s"]

ABSURD_S = 120.0


def asks_s(
    milliseconds: Fraction | None, seconds: Fraction | None, ahead_s: Fraction | None
) -> float | None:
    """What a reply asks to wait, exactly: not less, and not longer either; None for nothing.

    ``milliseconds`` is the number in ``retry-after-ms`` and goes first; ``seconds`` the number in
    ``Retry-After``, or ``ahead_s`` how far ahead its date lies. None stands for what is no number
    >= 0, or no date; a date in the past asks for nothing.
    """
    if milliseconds is not None:
        return float(milliseconds / 1000)
    if seconds is not None:
        return float(seconds)
    return float(ahead_s) if ahead_s is not None and ahead_s >= 0 else None


def asked_wait_s(name: str, parameters: Mapping[str, object]) -> float:
    """Seconds that the error of fault ``name`` with these parameters asks to wait; 0 for none."""
    asked = _SECONDS.get(name, "retry_after_s")
    milliseconds = parameters.get("retry_after_ms")
    value = parameters.get(asked) if asked else None
    if isinstance(milliseconds, int | float):
        value = milliseconds / 1000
    if not isinstance(value, int | float) or not 0 <= value <= ABSURD_S:
        return 0.0
    return float(value)


# The parameter that says how long; None where the header asks for nothing intelligible.
_SECONDS: Mapping[str, str | None] = {
    "retry_after_fraction": "seconds",
    "retry_after_http_date": "seconds",
    "retry_after_zero": None,
    "retry_after_past_date": None,
    "retry_after_negative": None,
    "retry_after_huge": None,
    "retry_after_garbage": None,
}
