"""Limits at work: tokens left, requests used. Pure: whoever asks says what time it is.

Times are seconds since the server began to serve. A clock that stands or steps back adds nothing.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal, NamedTuple, Protocol

from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.status_fault import RetryLaterFault
from chaoscheck.plan.fault_kinds.token_rate import (
    TokenRateError,
    TokenRateRefusal,
    token_rate_error,
)
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.limits import (
    ConcurrencyCap,
    Counted,
    Limit,
    Quota,
    TokenLimit,
    TokenQuota,
)
from chaoscheck.plan.waits import WAIT_MAX_S, RetryAfter, asking_for
from chaoscheck.server.identity import Arrival

__all__ = ["LimitState", "Standing", "Standings", "state_of"]

_EPSILON = 1e-9  # of a token: refilling in binary fractions falls short by as little
_EDGE_S = 1e-9  # of a window: 0.1 + 0.2 lies on an edge of 0.3
_OWNERS_MAX = 100_000  # whose quota is remembered; the one unseen for longest is forgotten


Kind = Literal["requests", "tokens", "input_tokens", "output_tokens"]


class Standing(NamedTuple):
    """How a caller stands with a limit: ``remaining`` of ``limit``, whole in ``reset_s``."""

    limit: int
    remaining: int
    reset_s: float


class Standings(NamedTuple):
    """How a caller stands with the tightest limit of each kind; None where there is none."""

    requests: Standing | None = None
    tokens: Standing | None = None
    input_tokens: Standing | None = None
    output_tokens: Standing | None = None


class LimitState(Protocol):
    """One limit at work; ``fault`` is what it refuses with, ``counts`` what it keeps count of."""

    @property
    def fault(self) -> Fault: ...

    @property
    def counts(self) -> Kind: ...

    def refuses(self, arrival: Arrival) -> Fault | None:
        """The fault of a request above the limit. Any other request is charged, and gets None."""

    def standing(self, arrival: Arrival) -> Standing | None:
        """How whoever sent this request stands now; None where a limit keeps no count."""


class _Tokens:
    """A token bucket."""

    counts: Kind = "requests"

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

    counts: Kind = "requests"

    def __init__(self, limit: ConcurrencyCap) -> None:
        self.fault = limit.fault
        self._in_flight = limit.in_flight

    def refuses(self, arrival: Arrival) -> Fault | None:
        return self.fault if arrival.in_flight >= self._in_flight else None

    def standing(self, arrival: Arrival) -> None:
        return None


class _Windows:
    """For each owner of a quota when its window began, and how much of it is used."""

    def __init__(self, every_s: float, owners_max: int) -> None:
        self._every_s = every_s
        self._owners_max = owners_max
        self._windows: dict[str, tuple[float, int]] = {}

    def used(self, owner: str, at_s: float) -> tuple[int, float]:
        """How much is used at ``at_s``, and after how many seconds nothing is."""
        began_s, used = self._window(owner, at_s)
        return used, max(0.0, began_s + self._every_s - at_s) if used else 0.0

    def charge(self, owner: str, at_s: float, amount: int) -> None:
        """Use up ``amount`` more, >= 0."""
        began_s, used = self._window(owner, at_s)
        self._windows.pop(owner, None)
        self._windows[owner] = (began_s, used + amount)
        if len(self._windows) > self._owners_max:
            del self._windows[next(iter(self._windows))]

    def _window(self, owner: str, at_s: float) -> tuple[float, int]:
        began_s, used = self._windows.get(owner, (at_s, 0))
        over = at_s >= began_s + self._every_s - _EDGE_S
        return (at_s, 0) if over else (began_s, used)


class _Requests:
    """A quota of requests."""

    counts: Kind = "requests"

    def __init__(self, limit: Quota, owners_max: int) -> None:
        self.fault = limit.fault
        self._limit = limit
        self._windows = _Windows(limit.every_s, owners_max)

    def refuses(self, arrival: Arrival) -> Fault | None:
        owner = self._owner(arrival)
        used, wait_s = self._windows.used(owner, arrival.at_s)
        if used >= self._limit.requests:
            return asking_for(self.fault, self._limit.retry_after, wait_s)
        self._windows.charge(owner, arrival.at_s, 1)
        return None

    def standing(self, arrival: Arrival) -> Standing:
        most = self._limit.requests
        used, reset_s = self._windows.used(self._owner(arrival), arrival.at_s)
        return Standing(most, most - used, min(reset_s, WAIT_MAX_S))

    def _owner(self, arrival: Arrival) -> str:
        return arrival.caller if self._limit.per == "api_key" else arrival.key


class _RequestTokens:
    """A quota of tokens, asked by what each request reserves."""

    def __init__(self, limit: TokenQuota, owners_max: int) -> None:
        self.fault = limit.fault
        self.counts: Kind = _KINDS[limit.counts]
        self._limit = limit
        self._windows = _Windows(limit.every_s, owners_max)

    def refuses(self, arrival: Arrival) -> Fault | None:
        owner = self._owner(arrival)
        if owner is None or arrival.tokens is None or arrival.tokens.model is None:
            return None
        limit, counted = self._limit, arrival.tokens
        wanted = self._part(counted.input, counted.reserved)
        used, wait_s = self._windows.used(owner, arrival.at_s)
        if used + wanted > limit.tokens:
            asks = token_rate_error(
                limit,
                used=used,
                requested=wanted,
                model=counted.model or "",
                wait_s=None if wanted > limit.tokens else min(wait_s, WAIT_MAX_S),
            )
            return _over_tokens(self.fault, limit.retry_after, asks)
        actual = self._part(counted.input, counted.output)
        charged = wanted if limit.charges == "reserved" else actual
        self._windows.charge(owner, arrival.at_s, charged)
        return None

    def standing(self, arrival: Arrival) -> Standing | None:
        owner = self._owner(arrival)
        if owner is None:
            return None
        most = self._limit.tokens
        used, reset_s = self._windows.used(owner, arrival.at_s)
        return Standing(most, most - used, min(reset_s, WAIT_MAX_S))

    def _owner(self, arrival: Arrival) -> str | None:
        """Who owns the quota; None where that depends on a model, and none was asked."""
        if self._limit.per == "api_key":
            return arrival.caller
        model = None if arrival.tokens is None else arrival.tokens.model
        if model is None:
            return None
        return model if self._limit.per == "model" else f"{arrival.caller} {model}"

    def _part(self, read: int, said: int) -> int:
        match self._limit.counts:
            case "input":
                return read
            case "output":
                return said
            case "total":
                return read + said


_KINDS: dict[Counted, Kind] = {
    "total": "tokens",
    "input": "input_tokens",
    "output": "output_tokens",
}


def state_of(limit: Limit, *, owners_max: int = _OWNERS_MAX) -> LimitState:
    """``limit`` at its beginning: a full bucket, nothing used."""
    match limit:
        case TokenLimit():
            return _Tokens(limit)
        case ConcurrencyCap():
            return _Cap(limit)
        case Quota():
            return _Requests(limit, owners_max)
        case TokenQuota():
            return _RequestTokens(limit, owners_max)


def _over_tokens(fault: Fault, retry_after: RetryAfter, error: TokenRateError) -> Fault:
    """``fault`` as it refuses: a 429 says of tokens and, truly, when to come back."""
    if error.wait_s is not None:
        fault = asking_for(fault, retry_after, error.wait_s)
    elif retry_after == "true_wait" and isinstance(fault, RetryLaterFault):
        fault = dataclasses.replace(fault, retry_after_s=None)  # No wait will do.
    if type(fault) is Status429:
        return TokenRateRefusal(retry_after_s=fault.retry_after_s, asks=error)
    return fault
