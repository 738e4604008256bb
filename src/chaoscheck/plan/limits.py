"""Limits that depend on load: a client that backs off is served, one that does not is refused.

These are the settings; their state (tokens left, requests used, in flight) lives in the server.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from chaoscheck.errors import PlanError
from chaoscheck.plan.burst import PERIOD_MIN_S, require_fault
from chaoscheck.plan.fault import SECONDS_MAX, Fault, require_at_least, shown
from chaoscheck.plan.fault_kinds.parameters import COUNT_MAX, require_integer
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.waits import RetryAfter, require_retry_after

__all__ = [
    "Charged",
    "ConcurrencyCap",
    "Counted",
    "Limit",
    "Owner",
    "Quota",
    "TokenLimit",
    "TokenOwner",
    "TokenQuota",
]

Owner = Literal["api_key", "request_key"]
TokenOwner = Literal["api_key", "model", "api_key_and_model"]
Counted = Literal["total", "input", "output"]
Charged = Literal["reserved", "actual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLimit:
    """A token bucket over all requests: ``burst`` tokens at first, ``rate_per_s`` more per second.

    A request that finds no whole token meets ``fault`` and takes nothing. With ``retry_after``
    ``"true_wait"`` a fault that can say when to come back says exactly how long the next token
    takes, rounded up to a millisecond; ``"as_given"`` leaves the fault as it is written.
    """

    rate_per_s: float
    burst: int = 1
    fault: Fault = field(default_factory=Status429)
    retry_after: RetryAfter = "true_wait"

    def __post_init__(self) -> None:
        _require_above_zero("rate_per_s", self.rate_per_s, COUNT_MAX)
        _require_count("burst", self.burst)
        _require_request_fault(self.fault)
        require_retry_after("limit", self.retry_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyCap:
    """At most ``in_flight`` requests at once: one that arrives above that meets ``fault``.

    A request is in flight from its last byte in to its answer's last byte out: stalled and slow
    ones for as long as they last, refused ones only while their error goes out.
    """

    in_flight: int
    fault: Fault = field(default_factory=Status429)

    def __post_init__(self) -> None:
        _require_count("in_flight", self.in_flight)
        _require_request_fault(self.fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """So many ``requests`` in each window of ``every_s`` seconds, counted for each owner apart.

    ``per`` says who owns a quota: whoever sends the same API key (all who send none are one
    owner), or the retries of one request. An owner's window begins with the first request after
    its last one ended. A request above the quota meets ``fault`` and is not counted;
    ``retry_after`` ``"true_wait"`` lets it say how long the window lasts.
    """

    requests: int
    every_s: float
    per: Owner = "api_key"
    fault: Fault = field(default_factory=Status429)
    retry_after: RetryAfter = "true_wait"

    def __post_init__(self) -> None:
        _require_count("requests", self.requests)
        _require_above_zero("every_s", self.every_s, SECONDS_MAX)
        require_at_least("limit", "every_s", self.every_s, PERIOD_MIN_S)
        _require_one_of("per", self.per, get_args(Owner))
        _require_request_fault(self.fault)
        require_retry_after("limit", self.retry_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuota:
    """So many ``tokens`` in each window of ``every_s`` seconds, counted for each owner apart.

    ``per`` says who owns a quota: an API key (all who send none are one owner), a model, or a key
    with a model. An owner's window begins with the first request after its last one ended.

    Tokens are those of the answer's usage. ``counts`` says which: the prompt's (``"input"``), the
    answer's (``"output"``) or both. A request is admitted if what it reserves is left: its prompt,
    and for the answer its ``max_tokens`` (of each choice), or what the answer has if it sets none.
    ``charges`` says what it then costs: what it ``"reserved"``, as with OpenAI and Azure, or the
    ``"actual"`` tokens, as with Anthropic. A refused one costs nothing, and meets ``fault``; one
    that reserves more than ``tokens`` is always refused, without a ``Retry-After``. Requests that
    have no tokens, such as those for lists of models, are not counted.
    """

    tokens: int
    every_s: float = 60.0
    per: TokenOwner = "api_key"
    counts: Counted = "total"
    charges: Charged = "reserved"
    fault: Fault = field(default_factory=Status429)
    retry_after: RetryAfter = "true_wait"

    def __post_init__(self) -> None:
        _require_count("tokens", self.tokens)
        _require_above_zero("every_s", self.every_s, SECONDS_MAX)
        require_at_least("limit", "every_s", self.every_s, PERIOD_MIN_S)
        _require_one_of("per", self.per, get_args(TokenOwner))
        _require_one_of("counts", self.counts, get_args(Counted))
        _require_one_of("charges", self.charges, get_args(Charged))
        _require_request_fault(self.fault)
        require_retry_after("limit", self.retry_after)


Limit = TokenLimit | ConcurrencyCap | Quota | TokenQuota


def _require_above_zero(parameter: str, value: float, high: float) -> None:
    legal = isinstance(value, int | float) and not isinstance(value, bool)
    if not legal or not 0 < value < math.inf:
        raise PlanError(f"limit: {parameter} must be a finite number > 0, got {shown(value)}")
    if value > high:
        raise PlanError(f"limit: {parameter} must be <= {high}, got {shown(value)}")


def _require_count(parameter: str, value: int) -> None:
    require_integer("limit", parameter, value, 1)


def _require_one_of(parameter: str, value: str, legal: tuple[str, ...]) -> None:
    if value not in legal:
        words = " or ".join(repr(word) for word in legal)
        raise PlanError(f"limit: {parameter} must be {words}, got {value!r}")


def _require_request_fault(fault: Fault) -> None:
    require_fault("limit", fault)
    if fault.strikes != "request":
        raise PlanError(f"limit: fault must be one of a request, got {fault!r} of a connection")
