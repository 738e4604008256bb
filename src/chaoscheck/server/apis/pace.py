"""Pace: how long an answer's tokens take, drawn anew for each request.

What is drawn is a function of (seed, key, occurrence, attempt), so that arrival order changes
nothing; waits of different kinds come from streams of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, repeat
from typing import NamedTuple

from chaoscheck.plan.distributions import Constant, Distribution, Seconds
from chaoscheck.plan.fault import SECONDS_MAX
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.apis.pieces import PIECES_MAX
from chaoscheck.world.choices import SeededChoices

__all__ = [
    "Delay",
    "Pace",
    "RequestPlace",
    "SeededDelay",
    "base_latency_of",
    "delay_of",
    "draws_of",
]

_STEPS = 2**52  # of a draw: the middle of each step is a float in (0, 1)

#: The key of a request, its occurrence and its attempt.
RequestPlace = tuple[str, int, int]


class SeededDelay:
    """Waits of one ``kind``, drawn from a distribution for each request."""

    def __init__(self, distribution: Distribution, seed: int, kind: str) -> None:
        self._sample = distribution.sampler()
        self._choices = SeededChoices(seed)
        self._kind = kind

    def draws(self, place: RequestPlace) -> Iterator[float]:
        """The waits of the request at ``place``, in seconds, without end."""
        stream = self._choices.derive(self._kind, *place)
        while True:
            yield self._sample((stream.pick(self._kind, _STEPS) + 0.5) / _STEPS)


#: Seconds that are always the same, or are drawn.
Delay = float | SeededDelay


def delay_of(seconds: Seconds, seed: int, kind: str) -> Delay:
    """A plan's wait at work; what is constant is a plain number."""
    if isinstance(seconds, Constant):
        return seconds.wait_s
    return SeededDelay(seconds, seed, kind) if isinstance(seconds, Distribution) else seconds


def draws_of(delay: Delay, place: RequestPlace) -> Iterator[float]:
    """The waits of one request, in seconds, without end."""
    return delay.draws(place) if isinstance(delay, SeededDelay) else repeat(delay)


class Pace(NamedTuple):
    """How long the tokens of the answer to the request at ``place`` take."""

    first: Delay
    each: Delay
    place: RequestPlace

    def waits(self) -> Iterator[float]:
        """The wait before the first token, then that before each other, without end."""
        return chain(islice(draws_of(self.first, self.place), 1), draws_of(self.each, self.place))

    def whole_s(self, tokens: int) -> float:
        """How long ``tokens`` tokens take together; none takes as long as one.

        Drawn waits are those of a stream, which says a longer text in ``PIECES_MAX`` pieces.
        """
        tokens = max(1, tokens)
        if isinstance(self.first, SeededDelay) or isinstance(self.each, SeededDelay):
            return min(sum(islice(self.waits(), min(tokens, PIECES_MAX))), float(SECONDS_MAX))
        return self.first + (tokens - 1) * self.each


def base_latency_of(plan: FaultPlan) -> Delay | None:
    """How long every answer of a plan waits; None where that is no time."""
    return delay_of(plan.replies.base_latency_s, plan.seed, "base latency") or None
