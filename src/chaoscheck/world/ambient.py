"""Ambient chance and calendar, in one place: the defaults of what components take as keywords.

Components never reach for these modules themselves (ruff bans it elsewhere); they accept
``uniform``, ``new_id`` and ``utc_now`` as keywords and default to the functions below. In a
virtual world these functions answer from the world, because the world patches their sources.
"""

from __future__ import annotations

import random
import time
import uuid
from datetime import UTC, datetime

__all__ = [
    "Generator",
    "new_id",
    "process_seconds",
    "seeded_random",
    "uniform",
    "utc_now",
    "wall_time",
]


# The type of what `seeded_random` gives: whoever takes one as an argument names it by this.
Generator = random.Random


def uniform(low: float, high: float) -> float:
    """A random number in [low, high]."""
    return random.uniform(low, high)


def new_id() -> str:
    """A fresh identifier: 32 hexadecimal digits (a version-4 UUID, RFC 9562)."""
    return uuid.uuid4().hex


def wall_time() -> float:
    """Seconds since the Unix epoch."""
    return time.time()


def seeded_random(seed: int) -> random.Random:
    """A generator of its own: for searches outside of any world."""
    return random.Random(seed)


def process_seconds() -> float:
    """CPU seconds of this process: for budgets of work outside of any world."""
    return time.process_time()


def utc_now() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.fromtimestamp(time.time(), tz=UTC)
