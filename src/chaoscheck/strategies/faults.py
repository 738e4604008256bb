"""Hypothesis draws faults and fault plans: bounded, cheap, the mildest first.

A fault costs two draws: which kind, and which of its parameter values. Parameters come from
small pools, so that a shrunk example shows round numbers.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.catalogue import FAULTS, fault_class
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap, Limit, TokenLimit

__all__ = ["fault_plans", "faults"]

Kinds = Sequence[type[Fault] | str]

# What each parameter may be, the simplest value first.
_POOLS: dict[str, tuple[object, ...]] = {
    "after_bytes": tuple(range(65)),
    "delay_s": (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    "retry_after_s": (None, 0.0, 0.5, 1.0, 2.0, 5.0, 10.0),
}

_RATES = (0.05, 0.1, 0.15, 0.2, 0.25)
_RATES_MAX = 4  # kinds at once: four of the highest rate sum to exactly 1
_BURSTS_MAX = 2
_PERIODS_S = (1.0, 2.0, 5.0, 10.0, 30.0)


def faults(kinds: Kinds = FAULTS) -> st.SearchStrategy[Fault]:
    """One fault of these kinds (classes or names), with drawn parameters.

    ``after_bytes`` is in [0, 64], ``delay_s`` in [0.1, 30], ``retry_after_s`` None or in [0, 10];
    other parameters, of a fault of your own, keep their defaults. PlanError for an unknown kind,
    for such a parameter without a default, and for no kind at all.
    """
    chosen = _classes(kinds)
    return st.one_of([st.sampled_from(_instances(kind)) for kind in chosen])


def fault_plans(kinds: Kinds = FAULTS) -> st.SearchStrategy[FaultPlan]:
    """A plan of up to 4 rates, up to 2 bursts and perhaps a limit; the simplest is silence."""
    hit = faults(kinds)
    rate = st.tuples(hit, st.sampled_from(_RATES))
    return st.builds(
        FaultPlan,
        seed=st.integers(0, 2**16 - 1),
        rates=st.lists(rate, max_size=_RATES_MAX, unique_by=lambda pair: pair[0]).map(tuple),
        bursts=st.lists(_bursts(hit), max_size=_BURSTS_MAX).map(tuple),
        limit=_limits(),
    )


def _bursts(hit: st.SearchStrategy[Fault]) -> st.SearchStrategy[Burst]:
    return st.builds(
        lambda fault, every_s, share, rate: Burst(
            fault=fault, every_s=every_s, lasts_s=every_s * share, rate=rate
        ),
        hit,
        st.sampled_from(_PERIODS_S),
        st.sampled_from((0.1, 0.25, 0.5)),
        st.sampled_from((1.0, 0.5, 0.25)),
    )


def _limits() -> st.SearchStrategy[Limit | None]:
    tokens = st.builds(
        TokenLimit, rate_per_s=st.sampled_from((10.0, 5.0, 2.0, 1.0)), burst=st.integers(1, 10)
    )
    return st.none() | tokens | st.builds(ConcurrencyCap, in_flight=st.integers(1, 8))


def _classes(kinds: Kinds) -> list[type[Fault]]:
    chosen = [fault_class(kind) if isinstance(kind, str) else kind for kind in kinds]
    if not chosen:
        raise PlanError("faults() needs at least one kind, got none")
    for kind in chosen:
        if not (isinstance(kind, type) and issubclass(kind, Fault)):
            raise PlanError(f"a kind must be a Fault class or its name, got {kind!r}")
    return chosen


def _instances(kind: type[Fault]) -> tuple[Fault, ...]:
    names = [field.name for field in dataclasses.fields(kind) if field.name in _POOLS]
    for field in dataclasses.fields(kind):
        if field.name not in _POOLS and field.default is dataclasses.MISSING:
            raise PlanError(
                f"{kind.name}: {field.name} needs a default, since there are no values to draw "
                f"it from; drawn are {', '.join(_POOLS)}"
            )
    values = itertools.product(*(_POOLS[name] for name in names))
    return tuple(kind(**dict(zip(names, chosen, strict=True))) for chosen in values)
