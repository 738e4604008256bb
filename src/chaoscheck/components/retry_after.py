"""What a reply asks a client to wait: the headers ``retry-after-ms`` and ``Retry-After``.

Sources: RFC 9110, 10.2.3 (seconds or an HTTP-date) and the providers' habit of fractions and of
``retry-after-ms``. Whatever is not one of these, and whatever lies in the past, asks for
nothing: a header must never crash a client.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from chaoscheck.world import ambient

__all__ = ["retry_after_s"]

_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)", re.ASCII)
_STARTS_WITH_WEEKDAY = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)", re.ASCII | re.IGNORECASE)


def retry_after_s(
    headers: Mapping[str, str], *, utc_now: Callable[[], datetime] = ambient.utc_now
) -> float | None:
    """Seconds >= 0 that the reply asks to wait, None if it asks for nothing intelligible.

    ``retry-after-ms`` goes before ``Retry-After``, if it is a number. Names match in any case.
    ``utc_now`` is asked only for an HTTP-date. Never raises.
    """
    folded = {name.lower(): value.strip() for name, value in headers.items()}
    milliseconds = _number(folded.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = folded.get("retry-after", "")
    seconds = _number(asked)
    return seconds if seconds is not None else _seconds_until(asked, utc_now)


def _number(text: str) -> float | None:
    # Python's own float() would also take "nan", "1_0" and digits of other scripts.
    if _NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _seconds_until(date: str, utc_now: Callable[[], datetime]) -> float | None:
    if _STARTS_WITH_WEEKDAY.match(date) is None:
        return None
    try:
        instant = parsedate_to_datetime(date)
        # A date without a zone is GMT: HTTP knows no other.
        aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
        seconds = (aware - utc_now()).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return seconds if seconds >= 0 else None
