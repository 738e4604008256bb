"""What an odd Retry-After asks a client to wait, by the fault that sends it.

The law: seconds, fractions, HTTP-dates and ``retry-after-ms`` (which goes first) are lower bounds;
what is negative, past, garbage or absurdly far away asks for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ABSURD_S", "asked_wait_s"]

ABSURD_S = 120.0


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
