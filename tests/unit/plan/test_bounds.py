"""Every number of a plan has a bound: what is beyond it is refused where it enters."""

from __future__ import annotations

import dataclasses

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.limits import ConcurrencyCap, Quota, TokenLimit
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp
from chaoscheck.plan.replies import Replies

BEYOND = (1e308, float("inf"), float("nan"), 10**5000, -1, -1e308)
NUMBERS = [
    (fault, field.name)
    for fault in FAULTS
    for field in dataclasses.fields(fault)
    if str(field.type) in ("int", "float", "float | None")
]


@pytest.mark.parametrize("value", BEYOND, ids=("1e308", "inf", "nan", "huge", "-1", "-1e308"))
@pytest.mark.parametrize(("fault", "parameter"), NUMBERS)
def test_a_number_of_a_fault_beyond_its_range_is_refused(
    fault: type[Fault], parameter: str, value: float
) -> None:
    """``status_429(retry_after_s=1e308)`` used to be taken, and to end the server later."""
    with pytest.raises(PlanError, match=parameter):
        fault(**{parameter: value})


FAULT = Status429()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Burst(fault=FAULT, every_s=5e-324, lasts_s=5e-324),
        lambda: Burst(fault=FAULT, every_s=1e308, lasts_s=1.0),
        lambda: Burst(fault=FAULT, every_s=1.0, lasts_s=1.0, phase_s=1e308),
        lambda: Burst(fault=FAULT, every_s=1.0, lasts_s=1.0, rate=10**5000),
        lambda: Outage(fault=FAULT, from_s=0, until_s=1e308),
        lambda: Ramp(fault=FAULT, from_s=0, until_s=10**5000),
        lambda: TokenLimit(rate_per_s=1e308),
        lambda: TokenLimit(rate_per_s=1, burst=10**5000),
        lambda: ConcurrencyCap(in_flight=10**5000),
        lambda: Quota(requests=10**5000, every_s=1),
        lambda: Quota(requests=1, every_s=1e308),
        lambda: Replies(first_token_s=1e308),
        lambda: Replies(token_s=10**5000),
        lambda: Replies(mode="seeded", words_max=10**5000),
    ],
)
def test_a_number_of_a_plan_beyond_its_range_is_refused(make: object) -> None:
    """Windows, limits and replies alike; an integer that Python cannot print is no exception."""
    assert callable(make)
    with pytest.raises(PlanError, match=r"must be"):
        make()


def test_the_shortest_burst_can_be_asked_at_the_end_of_the_clock() -> None:
    """No quotient of legal numbers overflows."""
    burst = Burst(fault=FAULT, every_s=1e-6, lasts_s=1e-6)

    assert 1.0 == burst.rate_at(315_360_000.0)
