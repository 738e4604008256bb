"""Windows of the server's clock: bursts, outages and ramps, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.status_fault import RetryLaterFault
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp

HIT = faults.status_429()

REFUSALS: list[tuple[Callable[[], object], str]] = [
    (lambda: Burst(fault=HIT, every_s=0, lasts_s=0), "(0, every_s = 0], got 0"),
    (lambda: Burst(fault=HIT, every_s=1, lasts_s=2), "(0, every_s = 1], got 2"),
    (lambda: Burst(fault=HIT, every_s=-1, lasts_s=1), "every_s must be a finite number >= 0"),
    (lambda: Burst(fault=HIT, every_s=1, lasts_s=1, phase_s=-1), "phase_s"),
    (lambda: Burst(fault=HIT, every_s=1, lasts_s=1, rate=2), "must be in [0, 1], got 2"),
    (lambda: Burst(fault="x", every_s=1, lasts_s=1), "must be a Fault, got 'x'"),  # type: ignore[arg-type]
    (lambda: Outage(from_s=2, until_s=2), "until_s must be > from_s = 2, got 2"),
    (lambda: Outage(from_s=-1, until_s=2), "from_s must be a finite number >= 0, got -1"),
    (lambda: Outage(from_s=0, until_s=float("inf")), "until_s must be a finite number"),
    (lambda: Outage(fault=None, from_s=0, until_s=1), "must be a Fault, got None"),  # type: ignore[arg-type]
    (
        lambda: Outage(fault=faults.status_500(), from_s=0, until_s=1, retry_after="true_wait"),
        "retry_after 'true_wait' needs a fault with retry_after_s",
    ),
    (
        lambda: Burst(fault=faults.refuse(), every_s=2, lasts_s=1, retry_after="true_wait"),
        "such as status_503 or status_529, got refuse()",
    ),
    (
        lambda: Burst(fault=HIT, every_s=1, lasts_s=1, retry_after="true_wait"),
        "needs lasts_s < every_s = 1, as this burst never ends",
    ),
    (
        lambda: Outage(from_s=0, until_s=1, retry_after="soon"),  # type: ignore[arg-type]
        "retry_after must be 'true_wait' or 'as_given', got 'soon'",
    ),
    (lambda: Ramp(fault=HIT, from_s=3, until_s=2), "until_s must be > from_s = 3, got 2"),
    (lambda: Ramp(fault=HIT, from_s=0, until_s=1, start=-0.1), "must be in [0, 1], got -0.1"),
    (lambda: Ramp(fault=HIT, from_s=0, until_s=1, end=1.1), "must be in [0, 1], got 1.1"),
    (lambda: Ramp(fault=HIT, from_s=0, until_s=1, hold=1), "hold must be true or false, got 1"),  # type: ignore[arg-type]
    (lambda: Ramp(fault="x", from_s=0, until_s=1), "must be a Fault, got 'x'"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("wrong", "says"), REFUSALS)
def test_a_window_written_wrong_is_refused(wrong: Callable[[], object], says: str) -> None:
    """The message shows the value that I gave and the legal range."""
    with pytest.raises(PlanError) as refusal:
        wrong()

    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("elapsed_s", "covered"),
    [(0, False), (0.49, False), (0.5, True), (0.59, True), (0.6, False), (0.7, True), (20.5, True)],
)
def test_a_burst_covers_its_windows(elapsed_s: float, covered: bool) -> None:
    """A burst of 0.1 s every 0.2 s from 0.5 s on: edges lie where I compute them by hand."""
    burst = Burst(fault=HIT, every_s=0.2, lasts_s=0.1, phase_s=0.5)

    assert covered is burst.covers(elapsed_s)


@pytest.mark.parametrize(
    ("elapsed_s", "covered"),
    [(0.29, False), (0.3, True), (0.1 + 0.2, True), (0.59, True), (0.6, False), (0.2 * 3, False)],
)
def test_an_outage_begins_and_ends_where_i_say(elapsed_s: float, covered: bool) -> None:
    """The first instant is in it and the last is not, whatever binary fractions make of them."""
    assert covered is Outage(from_s=0.3, until_s=0.6).covers(elapsed_s)


_SAYS_WHEN = [kind() for kind in faults.STATUS_FAULTS if issubclass(kind, RetryLaterFault)]


def _asked_s(fault: Fault) -> float:
    assert isinstance(fault, RetryLaterFault)
    assert fault.retry_after_s is not None
    return fault.retry_after_s


def test_every_error_that_providers_send_with_a_retry_after_says_when() -> None:
    """503 and 529 as 429, and what gateways answer in their place."""
    assert {429, 503, 529, 408, 409, 425, 502, 504} == {fault.status for fault in _SAYS_WHEN}


@given(st.sampled_from(_SAYS_WHEN), st.floats(0, 1e5), st.floats(1e-3, 1e4), st.floats(0, 1))
def test_who_waits_as_an_outage_asks_finds_it_over(
    fault: RetryLaterFault, from_s: float, lasts_s: float, share: float
) -> None:
    """The wait is the rest of the outage, rounded up to a millisecond; else it is as written."""
    window = Outage(fault=fault, from_s=from_s, until_s=from_s + lasts_s, retry_after="true_wait")
    at_s = from_s + lasts_s * share
    asked_s = _asked_s(window.fault_at(at_s))

    assert not window.covers(at_s + asked_s + 1e-9)
    assert -1e-8 <= asked_s - max(0.0, window.until_s - at_s) <= 0.001 + 1e-8
    assert fault is dataclasses.replace(window, retry_after="as_given").fault_at(at_s)


@given(
    st.sampled_from(_SAYS_WHEN),
    st.floats(0, 1e3),
    st.floats(0.1, 1e3),
    st.integers(0, 50),
    st.floats(0, 0.999),
)
def test_who_waits_as_a_burst_asks_finds_its_window_over(
    fault: RetryLaterFault, phase_s: float, every_s: float, window: int, share: float
) -> None:
    """Of each window the rest of that window, whatever binary fractions make of its edges."""
    lasts_s = every_s / 4
    burst = Burst(
        fault=fault, every_s=every_s, lasts_s=lasts_s, phase_s=phase_s, retry_after="true_wait"
    )
    at_s = phase_s + window * every_s + lasts_s * share
    asked_s = _asked_s(burst.fault_at(at_s))

    assert burst.covers(at_s)
    assert not burst.covers(at_s + asked_s + 1e-6)
    assert asked_s == pytest.approx(lasts_s * (1 - share), abs=0.0011)


@pytest.mark.parametrize(
    ("hold", "rates"),
    [(False, [0, 0.2, 0.5, 0.8, 0]), (True, [0, 0.2, 0.5, 0.8, 0.8])],
)
def test_a_ramp_goes_straight_from_start_to_end(hold: bool, rates: list[float]) -> None:
    """Nothing before it, and after it nothing, unless it is to hold."""
    ramp = Ramp(fault=HIT, from_s=10, until_s=20, start=0.2, end=0.8, hold=hold)

    assert rates == [pytest.approx(ramp.rate_at(at_s)) for at_s in (9.9, 10, 15, 20, 20.1)]


_TIMES = st.floats(0, 1e6)


@given(_TIMES, st.floats(1e-3, 1e6), st.floats(0, 1), st.floats(0, 1), _TIMES)
def test_a_ramp_is_always_a_probability(
    from_s: float, lasts_s: float, start: float, end: float, at_s: float
) -> None:
    """No rounding brings a rate out of [0, 1], which a draw would refuse."""
    ramp = Ramp(fault=HIT, from_s=from_s, until_s=from_s + lasts_s, start=start, end=end)

    assert 0 <= ramp.rate_at(at_s) <= 1
