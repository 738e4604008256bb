"""Limits at work: tokens left, requests used. Pure: whoever asks says what time it is.

Times are seconds since the server began to serve. A clock that stands or steps back adds nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

from chaoscheck.plan.fault import Fault
from chaoscheck.plan.limits import ConcurrencyCap, Limit, Quota, TokenLimit
from chaoscheck.plan.waits import WAIT_MAX_S, asking_for
from chaoscheck.server.identity import Arrival

__all__ = ["LimitState", "Standing", "state_of"]

_EPSILON = 1e-9  # of a token: refilling in binary fractions falls short by as little
_EDGE_S = 1e-9  # of a window: 0.1 + 0.2 lies on an edge of 0.3
_OWNERS_MAX = 100_000  # whose quota is remembered; the one unseen for longest is forgotten


class Standing(NamedTuple):
    """How a caller stands with a limit: ``remaining`` of ``requests``, whole in ``reset_s``."""

    requests: int
    remaining: int
    reset_s: float


class LimitState(Protocol):
    """One limit at work; ``fault`` is what it refuses with."""

    @property
    def fault(self) -> Fault: ...

    def refuses(self, arrival: Arrival) -> Fault | None:
        """The fault of a request above the limit. Any other request is charged, and gets None."""

    def standing(self, arrival: Arrival) -> Standing | None:
        """How whoever sent this request stands now; None where a limit keeps no count."""


class _Tokens:
    """A token bucket."""

    def __init__(self, limit: TokenLimit) -> None:
        self.fault = limit.fault
        self._limit = limit
        self._tokens = float(limit.burst)
        self._at_s = 0.0

    def refuses(self, arrival: Arrival) -> Fault | None:
        self._refill(arrival.at_s)
        if self._tokens >= 1 - _EPSILON:
            self._tokens -= 1
            return None
        wait_s = (1 - self._tokens) / self._limit.rate_per_s
        return asking_for(self.fault, self._limit.retry_after, wait_s)

    def standing(self, arrival: Arrival) -> Standing:
        self._refill(arrival.at_s)
        limit = self._limit
        missing = max(0.0, limit.burst - self._tokens)
        remaining = max(0, math.floor(self._tokens + _EPSILON))
        return Standing(limit.burst, remaining, min(missing / limit.rate_per_s, WAIT_MAX_S))

    def _refill(self, at_s: float) -> None:
        if at_s > self._at_s:
            gained = (at_s - self._at_s) * self._limit.rate_per_s
            self._tokens = min(float(self._limit.burst), self._tokens + gained)
            self._at_s = at_s


class _Cap:
    """A concurrency cap; whoever is in flight is counted by the server."""

    def __init__(self, limit: ConcurrencyCap) -> None:
        self.fault = limit.fault
        self._in_flight = limit.in_flight

    def refuses(self, arrival: Arrival) -> Fault | None:
        return self.fault if arrival.in_flight >= self._in_flight else None

    def standing(self, arrival: Arrival) -> None:
        return None


class _Windows:
    """A quota: for each owner when its window began, and how much of it is used."""

    def __init__(self, limit: Quota, owners_max: int) -> None:
        self.fault = limit.fault
        self._limit = limit
        self._owners_max = owners_max
        self._windows: dict[str, tuple[float, int]] = {}

    def refuses(self, arrival: Arrival) -> Fault | None:
        limit = self._limit
        owner = self._owner(arrival)
        began_s, used = self._window(owner, arrival.at_s)
        if used >= limit.requests:
            wait_s = max(0.0, began_s + limit.every_s - arrival.at_s)
            return asking_for(self.fault, limit.retry_after, wait_s)
        self._windows.pop(owner, None)
        self._windows[owner] = (began_s, used + 1)
        if len(self._windows) > self._owners_max:
            del self._windows[next(iter(self._windows))]
        return None

    def standing(self, arrival: Arrival) -> Standing:
        limit = self._limit
        began_s, used = self._window(self._owner(arrival), arrival.at_s)
        reset_s = began_s + limit.every_s - arrival.at_s if used else 0.0
        return Standing(limit.requests, limit.requests - used, min(max(0.0, reset_s), WAIT_MAX_S))

    def _owner(self, arrival: Arrival) -> str:
        return arrival.caller if self._limit.per == "api_key" else arrival.key

    def _window(self, owner: str, at_s: float) -> tuple[float, int]:
        began_s, used = self._windows.get(owner, (at_s, 0))
        over = at_s >= began_s + self._limit.every_s - _EDGE_S
        return (at_s, 0) if over else (began_s, used)


def state_of(limit: Limit, *, owners_max: int = _OWNERS_MAX) -> LimitState:
    """``limit`` at its beginning: a full bucket, nothing used."""
    match limit:
        case TokenLimit():
            return _Tokens(limit)
        case ConcurrencyCap():
            return _Cap(limit)
        case Quota():
            return _Windows(limit, owners_max)
