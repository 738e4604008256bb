"""Limits at work: whom they refuse, how long they say it takes, and how a caller stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.burst import PERIOD_MIN_S
from chaoscheck.plan.fault import SECONDS_MAX
from chaoscheck.plan.limits import ConcurrencyCap, Limit, Quota, TokenLimit
from chaoscheck.server.identity import Arrival
from chaoscheck.server.limit_state import LimitState, Standing, state_of

TWO = faults.status_500()


def _arrival(at_s: float = 0.0, *, caller: str = "", key: str = "k", in_flight: int = 0) -> Arrival:
    return Arrival(key=key, attempt=1, at_s=at_s, in_flight=in_flight, caller=caller)


def _passed(state: LimitState, gaps: list[float]) -> list[float]:
    now_s, passed = 0.0, []
    for gap in gaps:
        now_s += gap
        if state.refuses(_arrival(now_s)) is None:
            passed.append(now_s)
    return passed


@pytest.mark.parametrize(
    ("limit", "refused", "wait_s"),
    [
        (TokenLimit(rate_per_s=3, burst=2), faults.status_429(retry_after_s=0.334), 0.334),
        (Quota(requests=2, every_s=1.5), faults.status_429(retry_after_s=1.5), 1.5),
        (
            Quota(requests=2, every_s=1.5, fault=faults.status_503()),
            faults.status_503(retry_after_s=1.5),
            1.5,
        ),
    ],
)
def test_a_client_that_waits_as_told_is_admitted(
    limit: Limit, refused: object, wait_s: float
) -> None:
    """Retry-After is the true wait: long enough, and no more than 1 ms too long."""
    state = state_of(limit)

    assert [None, None, refused] == [state.refuses(_arrival()) for _ in range(3)]
    assert state.refuses(_arrival(wait_s - 0.002)) is not None
    assert state.refuses(_arrival(wait_s)) is None


@given(st.lists(st.floats(0, 2), max_size=40))
def test_a_token_limit_obeys_the_window_law(gaps: list[float]) -> None:
    """In any window of t seconds at most burst + rate·t requests pass."""
    passed = _passed(state_of(TokenLimit(rate_per_s=2, burst=3)), gaps)

    assert all(
        later - earlier + 1 <= 3 + 2 * (passed[later] - passed[earlier]) + 1e-6
        for later in range(len(passed))
        for earlier in range(later + 1)
    )


@given(st.lists(st.floats(0, 2), max_size=40))
def test_a_quota_is_never_exceeded_in_its_own_window(gaps: list[float]) -> None:
    """Windows begin with a request that passes, last as long as I say, and hold the quota."""
    passed = _passed(state_of(Quota(requests=3, every_s=5)), gaps)
    while passed:
        window = [at_s for at_s in passed if at_s < passed[0] + 5 - 1e-9]
        assert len(window) <= 3
        passed = passed[len(window) :]


def test_a_limit_as_given_keeps_its_own_retry_after() -> None:
    """I can make the server lie about when to come back."""
    for limit in (
        TokenLimit(rate_per_s=1, retry_after="as_given"),
        Quota(requests=1, every_s=60, retry_after="as_given"),
    ):
        state = state_of(limit)
        assert [None, limit.fault] == [state.refuses(_arrival()) for _ in range(2)]


def test_a_concurrency_cap_refuses_what_comes_on_top() -> None:
    """With two in flight already, the third is refused; one of them done, it is served."""
    state = state_of(ConcurrencyCap(in_flight=2, fault=TWO))

    assert [None, TWO, None] == [state.refuses(_arrival(in_flight=n)) for n in (1, 2, 1)]


def test_each_api_key_has_a_quota_of_its_own() -> None:
    """One greedy tenant does not use up another's quota, whatever keys its requests have."""
    state = state_of(Quota(requests=1, every_s=60, fault=TWO))
    asked = [("a", "1"), ("a", "2"), ("b", "1"), ("a", "3"), ("b", "2")]

    assert [None, TWO, None, TWO, TWO] == [
        state.refuses(_arrival(caller=caller, key=key)) for caller, key in asked
    ]


def test_each_request_key_may_have_a_quota_of_its_own() -> None:
    """Retries of one request are bounded, whoever sends them."""
    state = state_of(Quota(requests=1, every_s=60, per="request_key", fault=TWO))
    asked = [("a", "1"), ("a", "2"), ("b", "1")]

    assert [None, None, TWO] == [
        state.refuses(_arrival(caller=caller, key=key)) for caller, key in asked
    ]


def test_a_refused_request_does_not_lengthen_the_window() -> None:
    """Hammering a spent quota neither costs nor gains anything."""
    state = state_of(Quota(requests=1, every_s=10, fault=TWO))

    assert [None, TWO, TWO, None, TWO] == [
        state.refuses(_arrival(at_s)) for at_s in (3, 5, 12.9, 13, 22)
    ]


def test_the_owner_unseen_for_longest_is_forgotten_first() -> None:
    """A server that runs for weeks does not remember every key."""
    state = state_of(Quota(requests=1, every_s=60, fault=TWO), owners_max=2)

    assert [None, None, None, TWO, None] == [
        state.refuses(_arrival(caller=caller)) for caller in ("a", "b", "c", "c", "a")
    ]


def test_a_token_limit_says_what_is_left_and_when_it_is_full() -> None:
    """The standing is the truth: whole tokens left, and the time to a full bucket."""
    state = state_of(TokenLimit(rate_per_s=2, burst=4))
    for _ in range(3):
        state.refuses(_arrival())

    assert Standing(4, 1, 1.5) == state.standing(_arrival())
    assert Standing(4, 2, 1.0) == state.standing(_arrival(0.5))
    assert Standing(4, 4, 0.0) == state.standing(_arrival(99))


def test_a_quota_says_what_is_left_and_when_its_window_ends() -> None:
    """The standing of one caller is none of another's business."""
    state = state_of(Quota(requests=2, every_s=10))
    state.refuses(_arrival(1))

    assert Standing(2, 1, 7.0) == state.standing(_arrival(4))
    assert Standing(2, 2, 0.0) == state.standing(_arrival(4, caller="other"))
    assert Standing(2, 2, 0.0) == state.standing(_arrival(11))


def test_a_concurrency_cap_keeps_no_count() -> None:
    """There is nothing to wait for that a header could tell."""
    assert state_of(ConcurrencyCap(in_flight=1)).standing(_arrival()) is None


@given(
    st.floats(min_value=5e-324, max_value=SECONDS_MAX),
    st.lists(st.floats(0, SECONDS_MAX), min_size=3, max_size=5),
)
def test_no_legal_limit_breaks_the_server(number: float, instants: list[float]) -> None:
    """However small or large the numbers, I get a refusal with a wait that a header can say."""
    limits: list[Limit] = [
        TokenLimit(rate_per_s=number),
        Quota(requests=1, every_s=max(number, PERIOD_MIN_S)),
    ]
    for state in map(state_of, limits):
        for at_s in instants:
            fault = state.refuses(_arrival(at_s))
            standing = state.standing(_arrival(at_s))
            assert standing is not None
            assert 0 <= standing.reset_s <= SECONDS_MAX
            assert fault is None or 0 <= getattr(fault, "retry_after_s", -1.0) <= SECONDS_MAX
