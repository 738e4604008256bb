"""Limits as they are written: what is legal, and what is said when it is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.limits import ConcurrencyCap, Quota, TokenLimit, TokenQuota

REFUSALS: list[tuple[Callable[[], object], str]] = [
    (lambda: TokenLimit(rate_per_s=0), "rate_per_s must be a finite number > 0, got 0"),
    (lambda: TokenLimit(rate_per_s=float("inf")), "finite"),
    (lambda: TokenLimit(rate_per_s=True), "rate_per_s must be a finite number > 0, got True"),
    (lambda: TokenLimit(rate_per_s=1, burst=0), "burst must be an integer >= 1, got 0"),
    (
        lambda: TokenLimit(rate_per_s=1, retry_after="x"),  # type: ignore[arg-type]
        "retry_after must be 'true_wait' or 'as_given', got 'x'",
    ),
    (lambda: ConcurrencyCap(in_flight=0), "in_flight must be an integer >= 1, got 0"),
    (lambda: ConcurrencyCap(in_flight=1, fault=None), "must be a Fault"),  # type: ignore[arg-type]
    (lambda: ConcurrencyCap(in_flight=1, fault=faults.refuse()), "one of a request, got refuse()"),
    (lambda: Quota(requests=0, every_s=1), "requests must be an integer >= 1, got 0"),
    (lambda: Quota(requests=1.5, every_s=1), "requests must be an integer >= 1, got 1.5"),  # type: ignore[arg-type]
    (lambda: Quota(requests=1, every_s=0), "every_s must be a finite number > 0, got 0"),
    (
        lambda: Quota(requests=1, every_s=1, per="user"),  # type: ignore[arg-type]
        "per must be 'api_key' or 'request_key', got 'user'",
    ),
    (lambda: Quota(requests=1, every_s=1, retry_after="x"), "got 'x'"),  # type: ignore[arg-type]
    (lambda: Quota(requests=1, every_s=1, fault="x"), "must be a Fault, got 'x'"),  # type: ignore[arg-type]
    (lambda: TokenQuota(tokens=0), "tokens must be an integer >= 1, got 0"),
    (lambda: TokenQuota(tokens=10**10), "tokens must be an integer in [1, 1000000000], got 1000"),
    (lambda: TokenQuota(tokens=1, every_s=0), "every_s must be a finite number > 0, got 0"),
    (lambda: TokenQuota(tokens=1, every_s=1e308), "every_s must be <= 315360000, got 1e+308"),
    (
        lambda: TokenQuota(tokens=1, per="request_key"),  # type: ignore[arg-type]
        "per must be 'api_key' or 'model' or 'api_key_and_model', got 'request_key'",
    ),
    (lambda: TokenQuota(tokens=1, counts="x"), "counts must be 'total' or 'input' or 'output'"),  # type: ignore[arg-type]
    (lambda: TokenQuota(tokens=1, charges="x"), "charges must be 'reserved' or 'actual', got 'x'"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("wrong", "says"), REFUSALS)
def test_a_limit_written_wrong_is_refused(wrong: Callable[[], object], says: str) -> None:
    """The message shows the value that I gave and the legal range."""
    with pytest.raises(PlanError) as refusal:
        wrong()

    assert says in str(refusal.value)


def test_a_limit_refuses_with_429_by_default() -> None:
    """I need not say what every provider does."""
    limits = TokenLimit(rate_per_s=1), ConcurrencyCap(in_flight=1), Quota(requests=1, every_s=1)

    assert {faults.status_429()} == {limit.fault for limit in limits}
