"""Hypothesis draws faults and fault plans: bounded, cheap, the mildest first.

A fault costs two draws: which kind, and which of its parameter values. Parameters come from
small pools, so that a shrunk example shows round numbers.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan.aimed import Aimed
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.catalogue import FAULTS, fault_class
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault
from chaoscheck.plan.fault_kinds.status_fault import RetryLaterFault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap, Limit, Quota, TokenLimit
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp
from chaoscheck.plan.waits import RetryAfter

__all__ = ["fault_plans", "faults"]

Kinds = Sequence[type[Fault] | str]

# What each parameter may be, the simplest value first. A parameter whose type is a Literal needs
# no pool: it may be what its type says.
_POOLS: dict[str, tuple[object, ...]] = {
    "after_bytes": tuple(range(65)),
    "after_chunks": (0, 1, 2, 3, 5),
    "argument": ("unexpected", "_"),
    "at": (0, 1, 2, 3),
    "by_bytes": (1, 2, 10, 100, 1_000),
    "call": (0, 1, 2),
    "delay_s": (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    "every": (1, 2, 3),
    "piece_bytes": (64, 16, 4, 1),
    "retry_after_ms": (30_000, 500, 0),
    "retry_after_s": (None, 0.0, 0.5, 1.0, 2.0, 5.0, 10.0),
    # Small against what servers do send: a machine meets hundreds of them.
    "size_bytes": (4_096, 65_536),
    "status": (429, 503),
    # What parsers of numbers take, half of them at least, and no provider means.
    "text": ("soon", "", "1,5", "0x10", "1_0", "nan", "inf", "\u00b2"),
    "tokens_max": (128_000, 8_192),
    "tool": ("unknown_tool", "shell"),
}

# The same where a fault means something else by the name.
_OWN_POOLS: dict[tuple[str, str], tuple[object, ...]] = {
    # Every byte of the first line, then a step that falls on all kinds of places in the others.
    ("cut_stream", "after_bytes"): (*range(32), *range(32, 900, 7)),
    ("retry_after_fraction", "seconds"): (0.5, 0.001, 1.25, 2.5),
    ("retry_after_http_date", "seconds"): (5, 0, 1, 30),
    ("retry_after_huge", "seconds"): (31_536_000, 3_600, 10**18),
    ("retry_after_past_date", "seconds"): (3_600, 1),
    ("slow_drip", "delay_s"): (0.05, 0.2, 1.0),
}

_INSTANCES_MAX = 500  # per kind: what a machine holds in memory, a few hundred bytes each

_RATES = (0.05, 0.1, 0.15, 0.2, 0.25)
_RATES_MAX = 4  # kinds at once: four of the highest rate sum to exactly 1
_BURSTS_MAX = 2
_PERIODS_S = (1.0, 2.0, 5.0, 10.0, 30.0)


def faults(kinds: Kinds = FAULTS) -> st.SearchStrategy[Fault]:
    """One fault of these kinds (classes or names), with drawn parameters.

    ``after_bytes`` is in [0, 64], ``delay_s`` in [0.1, 30], ``retry_after_s`` None or in [0, 10],
    and so on for the faults that we ship; a parameter whose type is a ``Literal`` is any of its
    values. Other parameters, of a fault of your own, keep their defaults, and values that a fault
    refuses are not drawn. PlanError for an unknown kind, for such a parameter without a default,
    and for no kind at all.
    """
    chosen = _classes(kinds)
    return st.one_of([st.sampled_from(_instances(kind)) for kind in chosen])


def fault_plans(
    kinds: Kinds = FAULTS, *, aims: Sequence[Mapping[str, Any]] = ()
) -> st.SearchStrategy[FaultPlan]:
    """A plan of up to 4 rates and 2 bursts, perhaps an outage, a ramp and a limit.

    Of the kinds that are odd Retry-After headers it may take one as a header of other errors. The
    simplest plan is silence.

    Of ``aims``, such as ``[{"provider": "openai"}, {"model": "gpt-*"}]``, any may be there, in
    their order, each with up to 2 rates, a burst and a ``first`` of up to 2; such a plan has up to
    2 rates for all requests. PlanError for aims where no kind strikes requests.
    """
    hit = faults(kinds)
    rate = st.tuples(hit, st.sampled_from(_RATES))
    return st.builds(
        FaultPlan,
        seed=st.integers(0, 2**16 - 1),
        rates=st.lists(
            rate, max_size=2 if aims else _RATES_MAX, unique_by=lambda pair: pair[0]
        ).map(tuple),
        headers=_headers(kinds),
        bursts=st.lists(_bursts(hit), max_size=_BURSTS_MAX).map(tuple),
        outages=st.lists(_outages(hit), max_size=1).map(tuple),
        ramps=st.lists(_ramps(hit), max_size=1).map(tuple),
        limits=st.lists(_limits(), max_size=1).map(tuple),
        aimed=_aimed(kinds, aims) if aims else st.just(()),
    )


def _aimed(kinds: Kinds, aims: Sequence[Mapping[str, Any]]) -> st.SearchStrategy[tuple[Aimed, ...]]:
    aimable = [kind for kind in _classes(kinds) if kind.strikes == "request"]
    if not aimable:
        raise PlanError(f"aims need a fault that strikes requests, got {list(kinds)!r}")
    hit = faults(aimable)
    rate = st.tuples(hit, st.sampled_from(_RATES))
    each = [
        st.none()
        | st.builds(
            functools.partial(Aimed, **aim),
            rates=st.lists(rate, max_size=2, unique_by=lambda pair: pair[0]).map(tuple),
            bursts=st.lists(_bursts(hit), max_size=1).map(tuple),
            first=st.lists(hit, max_size=2).map(tuple),
        )
        for aim in aims
    ]
    return st.tuples(*each).map(lambda drawn: tuple(aim for aim in drawn if aim is not None))


def _headers(kinds: Kinds) -> st.SearchStrategy[tuple[tuple[Fault, float], ...]]:
    odd = [kind for kind in _classes(kinds) if issubclass(kind, RetryAfterFault)]
    if not odd:
        return st.just(())
    return st.lists(st.tuples(faults(odd), st.sampled_from(_RATES)), max_size=1).map(tuple)


def _bursts(hit: st.SearchStrategy[Fault]) -> st.SearchStrategy[Burst]:
    return st.builds(
        lambda fault, every_s, share, rate, truly: Burst(
            fault=fault,
            every_s=every_s,
            lasts_s=every_s * share,
            rate=rate,
            retry_after=_retry_after(fault, truly),
        ),
        hit,
        st.sampled_from(_PERIODS_S),
        st.sampled_from((0.1, 0.25, 0.5)),
        st.sampled_from((1.0, 0.5, 0.25)),
        st.booleans(),
    )


def _retry_after(fault: Fault, truly: bool) -> RetryAfter:
    return "true_wait" if truly and isinstance(fault, RetryLaterFault) else "as_given"


def _outages(hit: st.SearchStrategy[Fault]) -> st.SearchStrategy[Outage]:
    return st.builds(
        lambda fault, from_s, lasts_s, truly: Outage(
            fault=fault,
            from_s=from_s,
            until_s=from_s + lasts_s,
            retry_after=_retry_after(fault, truly),
        ),
        hit,
        st.sampled_from((0.0, *_PERIODS_S)),
        st.sampled_from(_PERIODS_S),
        st.booleans(),
    )


def _ramps(hit: st.SearchStrategy[Fault]) -> st.SearchStrategy[Ramp]:
    return st.builds(
        lambda fault, lasts_s, end, hold: Ramp(
            fault=fault, from_s=0.0, until_s=lasts_s, end=end, hold=hold
        ),
        hit,
        st.sampled_from(_PERIODS_S),
        st.sampled_from((0.25, 0.5, 1.0)),
        st.booleans(),
    )


def _limits() -> st.SearchStrategy[Limit]:
    tokens = st.builds(
        TokenLimit, rate_per_s=st.sampled_from((10.0, 5.0, 2.0, 1.0)), burst=st.integers(1, 10)
    )
    quotas = st.builds(
        Quota, requests=st.integers(1, 10), every_s=st.sampled_from((1.0, 10.0, 60.0))
    )
    return tokens | quotas | st.builds(ConcurrencyCap, in_flight=st.integers(1, 8))


def _classes(kinds: Kinds) -> list[type[Fault]]:
    chosen = [fault_class(kind) if isinstance(kind, str) else kind for kind in kinds]
    if not chosen:
        raise PlanError("faults() needs at least one kind, got none")
    for kind in chosen:
        if not (isinstance(kind, type) and issubclass(kind, Fault)):
            raise PlanError(f"a kind must be a Fault class or its name, got {kind!r}")
    return chosen


def _instances(kind: type[Fault]) -> tuple[Fault, ...]:
    fields = dataclasses.fields(kind)
    pools = {field.name: pool for field in fields if (pool := _pool(kind, field.name))}
    for field in fields:
        has_default = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if field.name not in pools and not has_default:
            raise PlanError(
                f"{kind.name}: {field.name} needs a default, since there are no values to draw "
                f"it from; drawn are {', '.join(_POOLS)} and what is of a Literal type"
            )
    every = (
        _accepted(kind, dict(zip(pools, values, strict=True)))
        for values in itertools.product(*pools.values())
    )
    accepted = (fault for fault in every if fault is not None)
    # A product may be far larger than anybody searches; its head varies the last parameter most.
    return tuple(itertools.islice(accepted, _INSTANCES_MAX)) or (kind(),)


def _accepted(kind: type[Fault], parameters: dict[str, object]) -> Fault | None:
    try:
        return kind(**parameters)
    except PlanError:
        return None


def _pool(kind: type[Fault], parameter: str) -> tuple[object, ...]:
    own = _OWN_POOLS.get((kind.name, parameter)) or _POOLS.get(parameter)
    if own is not None:
        return own
    try:
        annotation = typing.get_type_hints(kind)[parameter]
    except NameError:
        return ()  # A class of a function's own: its names cannot be looked up.
    return typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else ()
