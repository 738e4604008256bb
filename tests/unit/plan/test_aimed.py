"""Aimed parts of a plan as values: what they name, what is refused, what they make of a plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.aimed import Aimed
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.documents.overriding import with_aimed_faults
from chaoscheck.plan.documents.plan_document import (
    plan_from_document,
    plan_from_toml,
    plan_to_document,
)
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap, Quota
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp

BUSY, DOWN, ODD = faults.status_529(), faults.status_503(), faults.retry_after_garbage()
REFUSE = faults.refuse()


def aimed(*aims: object, **rates: float) -> FaultPlan:
    """A plan with these aims."""
    return FaultPlan.of(rates, aimed=aims)  # type: ignore[arg-type]


REFUSALS: list[tuple[Callable[[], object], str]] = [
    (lambda: Aimed(), "an aim must name a provider, a model or a path"),
    (lambda: Aimed(provider=""), "provider must be text of 1 to 200 characters, got ''"),
    (lambda: Aimed(model=7), "model must be text of 1 to 200 characters, got 7"),  # type: ignore[arg-type]
    (lambda: Aimed(provider="open*"), "provider must be a name without '*', got 'open*'"),
    (lambda: Aimed(path="v1/messages"), "path must begin with '/' or '*', got 'v1/messages'"),
    (lambda: Aimed(path="/v1?x=1"), "path must have no query, got '/v1?x=1'"),
    (lambda: Aimed(path="/v1", rates={BUSY: 0.1}), "rates must be a tuple"),  # type: ignore[arg-type]
    (lambda: Aimed(path="/v1", rates=((REFUSE, 0.1),)), "refuse() cannot be aimed: it strikes a"),
    (lambda: Aimed(path="/v1", first=(REFUSE,)), "before a request names a provider"),
    (
        lambda: Aimed(path="/v1", outages=(Outage(fault=REFUSE, from_s=0, until_s=1),)),
        "cannot be aimed",
    ),
    (
        lambda: Aimed(path="/v1", limits=(ConcurrencyCap(in_flight=1),)),
        "a ConcurrencyCap cannot be aimed: it counts all requests that are in flight",
    ),
    (lambda: aimed("openai"), "aimed must be Aimed values or mappings, got 'openai'"),
    (lambda: aimed({"providr": "openai"}), "an aim has no 'providr'; it has provider, model"),
    (lambda: FaultPlan(aimed=(BUSY,)), "aimed must be Aimed values, got status_529"),  # type: ignore[arg-type]
    (
        lambda: aimed({"model": "m", "rates": {"status_529": 0.6}}, status_500=0.5),
        "aimed[0]: rates must sum to at most 1, got 1.1",
    ),
    (
        lambda: aimed({"model": "m"}, {"path": "/v1", "rates": {"status_529": 1.5}}),
        "aimed[1]: rate of status_529(retry_after_s=None) must be in [0, 1], got 1.5",
    ),
    (
        lambda: FaultPlan(aimed=(Aimed(model="m", headers=((BUSY, 0.1),)),)),  # type: ignore[arg-type]
        "aimed[0]: headers takes faults named retry_after_",
    ),
    (
        lambda: FaultPlan(aimed=(Aimed(model="m", bursts=(BUSY,)),)),  # type: ignore[arg-type]
        "aimed[0]: bursts must be Burst values",
    ),
    (
        lambda: aimed({"provider": "openai"}, {"provider": "openai", "model": "m"}),
        "aimed[1] at {'provider': 'openai', 'model': 'm'} is never reached: the first that fits",
    ),
    (
        lambda: aimed({"path": "/v1/*"}, {"path": "/v1/chat/*"}),
        "aimed[1] at {'path': '/v1/chat/*'}",
    ),
]


@pytest.mark.parametrize(("wrong", "says"), REFUSALS)
def test_an_aim_written_wrong_is_refused(wrong: Callable[[], object], says: str) -> None:
    """The message names the aim, the value and what is legal."""
    with pytest.raises(PlanError) as refusal:
        wrong()

    assert says in str(refusal.value)


def test_aims_that_only_overlap_are_taken() -> None:
    """Each has requests of its own; their rates need not sum to 1 together."""
    plan = aimed(
        {"model": "gpt-*", "rates": {"status_529": 0.9}},
        {"model": "*-mini", "rates": {"status_503": 0.9}},
        {"path": "/v1/messages", "rates": {"status_500": 0.9}},
    )

    assert 3 == len(plan.aimed)


def test_a_plan_is_reduced_to_its_own_parts_and_those_of_one_aim() -> None:
    """The aim's come first, and take the place of rates and headers of the same name."""
    burst, other = (Burst(fault=DOWN, every_s=every, lasts_s=1) for every in (2, 3))
    aim = Aimed(
        provider="openai",
        rates=((faults.status_429(retry_after_s=9), 0.5), (faults.status_500(), 0.0)),
        headers=((ODD, 0.2),),
        bursts=(burst,),
        first=(BUSY,),
        limits=(Quota(requests=1, every_s=1),),
    )
    plan = FaultPlan.of(
        {"status_429": 0.1, "status_500": 0.2, "status_502": 0.3},
        headers={"retry_after_garbage": 1.0, "retry_after_zero": 0.5},
        bursts=[other],
        first=["status_408"],
        ramps=[Ramp(fault=DOWN, from_s=0, until_s=1)],
        seed=5,
        aimed=[aim],
    )
    reduced = plan.reduced_to(aim)

    assert ((faults.status_429(retry_after_s=9), 0.5), (faults.status_502(), 0.3)) == reduced.rates
    assert ((ODD, 0.2), (faults.retry_after_zero(), 0.5)) == reduced.headers
    assert ((burst, other), (BUSY,), plan.ramps) == (reduced.bursts, reduced.first, reduced.ramps)
    assert (aim.limits, (), 5) == (reduced.limits, reduced.aimed, reduced.seed)
    assert dataclasses.replace(plan, aimed=()) == plan.reduced_to(None)


TOML = """
[rates]
status_500 = 0.1

[[aimed]]
provider = "anthropic"
model = "claude-*"
path = "/v1/messages"
first = ["status_429(retry_after_s=2.0)", "none"]

[aimed.rates]
status_529 = 0.5
status_500 = 0

[aimed.headers]
retry_after_garbage = 0.25

[[aimed.outages]]
from_s = 1.0
until_s = 2.0

[[aimed.limits]]
kind = "quota"
requests = 5
every_s = 60.0
"""


def test_a_plan_file_has_aims_and_is_written_back() -> None:
    """As tables of TOML; its document, read again, is the same plan."""
    plan = plan_from_toml(TOML)

    assert plan == plan_from_document(plan_to_document(plan))
    assert plan.aimed == (
        Aimed(
            provider="anthropic",
            model="claude-*",
            path="/v1/messages",
            rates=((BUSY, 0.5), (faults.status_500(), 0)),
            headers=((ODD, 0.25),),
            outages=(Outage(from_s=1.0, until_s=2.0),),
            first=(faults.status_429(retry_after_s=2.0), None),
            limits=(Quota(requests=5, every_s=60.0),),
        ),
    )


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"aimed": {}}, "aimed: must be a list"),
        ({"aimed": [{"rates": {}}]}, "aimed[0]: an aim must name a provider"),
        ({"aimed": [{"model": "m", "seed": 1}]}, "aimed[0].seed: unknown key"),
        ({"aimed": [{"modell": "m"}]}, "aimed[0].modell: unknown key; did you mean 'model'"),
        ({"aimed": [{"model": "m", "rates": {"status_42": 1}}]}, "aimed[0].rates.status_42"),
        ({"aimed": [{"model": "m", "rates": {"refuse": 1}}]}, "aimed[0]: refuse() cannot be aimed"),
        ({"aimed": [{"model": ["m"]}]}, "aimed[0]: model must be text"),
    ],
)
def test_a_document_with_a_wrong_aim_is_refused(document: object, says: str) -> None:
    """By the key of what is wrong."""
    with pytest.raises(PlanError) as refusal:
        plan_from_document(document)

    assert says in str(refusal.value)


def test_a_fault_joins_the_aim_that_names_the_same_or_goes_before_all() -> None:
    """As ``--fault NAME=RATE@TARGET`` does; a rate for the same name is replaced."""
    plan = aimed({"model": "m", "rates": {"status_529": 0.5, "status_503": 0.1}})
    joined = with_aimed_faults(plan, {"model": "m"}, {"status_529": 0.25, ODD: 1.0})
    before = with_aimed_faults(plan, {"path": "/v1/*"}, {"status_500": 0})

    assert [((DOWN, 0.1), (BUSY, 0.25))] == [aim.rates for aim in joined.aimed]
    assert ((ODD, 1.0),) == joined.aimed[0].headers
    assert [{"path": "/v1/*"}, {"model": "m"}] == [aim.where() for aim in before.aimed]
    assert ((faults.status_500(), 0),) == before.aimed[0].rates
