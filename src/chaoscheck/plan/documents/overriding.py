"""Overriding: a plan with some of its settings replaced, as an option or a marker says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.aimed import Aimed
from chaoscheck.plan.burst import require_rate
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault
from chaoscheck.plan.fault_plan import FaultPlan, as_fault
from chaoscheck.plan.notation import parse_distribution

__all__ = ["with_aimed_faults", "with_faults", "with_waits"]

F = TypeVar("F", bound=Fault)


def with_faults(plan: FaultPlan, given: Mapping[Fault | str, float]) -> FaultPlan:
    """``plan`` with these rates in place of its own for faults of the same name; 0 removes.

    Faults of the Retry-After header go to ``headers``, all others to ``rates``. PlanError for an
    unknown fault, a rate outside [0, 1] and a sum above 1.
    """
    rates: dict[Fault, float] = {}
    headers: dict[RetryAfterFault, float] = {}
    for written, rate in given.items():
        fault = as_fault(written)
        require_rate(repr(fault), rate)
        if isinstance(fault, RetryAfterFault):
            headers[fault] = rate
        else:
            rates[fault] = rate
    return replace(
        plan,
        rates=_overridden(plan.rates, rates),
        headers=_overridden(plan.headers, headers),
    )


def with_aimed_faults(
    plan: FaultPlan, where: Mapping[str, Any], given: Mapping[Fault | str, float]
) -> FaultPlan:
    """``plan`` with these rates for requests that fit ``where`` alone: ``{"path": "/v1/*"}``.

    They join the aim of the plan that names the same, in place of its rates for faults of the same
    name; else they are an aim before all others. A rate of 0 stays: it removes what the plan says
    for all requests. PlanError as for ``with_faults``.
    """
    aim = next((each for each in plan.aimed if each.where() == where), Aimed(**where))
    faults = [(as_fault(written), rate) for written, rate in given.items()]
    odd = {fault: rate for fault, rate in faults if isinstance(fault, RetryAfterFault)}
    others = {fault: rate for fault, rate in faults if not isinstance(fault, RetryAfterFault)}
    joined = replace(aim, rates=_joined(aim.rates, others), headers=_joined(aim.headers, odd))
    if aim in plan.aimed:
        return replace(plan, aimed=tuple(joined if it is aim else it for it in plan.aimed))
    return replace(plan, aimed=(joined, *plan.aimed))


def with_waits(plan: FaultPlan, given: Mapping[str, str]) -> FaultPlan:
    """``plan`` with these waits of its replies, by name, as text: seconds or a distribution."""
    waits: dict[str, Any] = {name: _seconds(name, text) for name, text in given.items()}
    return replace(plan, replies=replace(plan.replies, **waits)) if waits else plan


def _seconds(name: str, text: str) -> object:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parse_distribution(text)
    except PlanError as error:
        raise PlanError(f"{name}: {error}") from None


def _overridden(
    pairs: tuple[tuple[F, float], ...], given: dict[F, float]
) -> tuple[tuple[F, float], ...]:
    return tuple((fault, rate) for fault, rate in _joined(pairs, given) if rate > 0)


def _joined(
    pairs: tuple[tuple[F, float], ...], given: dict[F, float]
) -> tuple[tuple[F, float], ...]:
    names = {fault.name for fault in given}
    kept = [(fault, rate) for fault, rate in pairs if fault.name not in names]
    return (*kept, *given.items())
