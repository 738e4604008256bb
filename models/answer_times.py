"""When the parts of an answer arrive, given its waits: pure arithmetic, in seconds after sending.

An answer's base latency passes before its head. A stream then says one piece after each wait; an
answer that is whole says nothing before all waits have passed; an error waits for no token.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

__all__ = ["error_arrives_s", "stream_arrives_s", "whole_arrives_s"]


def error_arrives_s(base_s: float) -> float:
    """When an error arrives."""
    return base_s


def stream_arrives_s(base_s: float, waits_s: Sequence[float]) -> tuple[float, list[float]]:
    """When a stream's head arrives, and each of its pieces."""
    return base_s, [base_s + passed_s for passed_s in accumulate(waits_s)]


def whole_arrives_s(base_s: float, waits_s: Sequence[float]) -> float:
    """When the head of an answer arrives that is not streamed, and all of its tokens with it."""
    return base_s + sum(waits_s)
