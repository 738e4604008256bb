"""The fault plan: which faults hit which requests, as one frozen value.

A plan is any mix of rates, bursts, scripts per request key and one load-dependent limit. Who
wins when several apply is decided in ``server/decision.py``: script, limit, burst, rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chaoscheck.errors import PlanError
from chaoscheck.plan.burst import Burst, require_rate
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.limits import ConcurrencyCap, Limit, TokenLimit
from chaoscheck.plan.notation import parse_fault

__all__ = ["KEY_LENGTH_MAX", "FaultPlan", "as_fault", "as_script", "check_rates"]

KEY_LENGTH_MAX = 200  # characters of a request key that count; the ledger keeps as many

_SUM_SLACK = 1e-9  # ten rates of 0.1 sum to 0.9999…; a sum may exceed 1 by as little

Script = tuple[str, tuple[Fault | None, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """What goes wrong; the default is silence.

    ``seed`` makes random parts a function of (seed, request key, attempt). ``rates`` are (fault,
    probability) pairs, each fault once, together at most 1. ``scripts`` are (key, faults) pairs:
    the n-th attempt of that key meets the n-th fault, None is none, as is everything beyond the
    end. PlanError names the value and the legal range.
    """

    seed: int = 0
    rates: tuple[tuple[Fault, float], ...] = ()
    bursts: tuple[Burst, ...] = ()
    scripts: tuple[Script, ...] = ()
    limit: Limit | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int) or isinstance(self.seed, bool):
            raise PlanError(f"seed must be an integer, got {self.seed!r}")
        for field in ("rates", "bursts", "scripts"):
            if not isinstance(getattr(self, field), tuple):
                raise PlanError(f"{field} must be a tuple; FaultPlan.of takes other forms")
        check_rates(self.rates)
        for burst in self.bursts:
            if not isinstance(burst, Burst):
                raise PlanError(f"bursts must be Burst values, got {burst!r}")
        for key, faults in self.scripts:
            if as_script(key, faults) != faults:
                raise PlanError(f"script of {key!r} must be a tuple of faults, got {faults!r}")
        if len({key for key, _ in self.scripts}) < len(self.scripts):
            raise PlanError(f"scripts name a key twice: {[key for key, _ in self.scripts]!r}")
        if self.limit is not None and not isinstance(self.limit, TokenLimit | ConcurrencyCap):
            raise PlanError(f"limit must be TokenLimit, ConcurrencyCap or None, got {self.limit!r}")

    @classmethod
    def of(
        cls,
        rates: Mapping[Fault | str, float] | None = None,
        *,
        bursts: Iterable[Burst] = (),
        scripts: Mapping[str, Iterable[Fault | str | None]] | None = None,
        limit: Limit | None = None,
        seed: int = 0,
    ) -> FaultPlan:
        """A plan from mappings, where a fault may be written as text: ``{"status_429": 0.3}``."""
        return cls(
            seed=seed,
            rates=tuple((as_fault(fault), rate) for fault, rate in (rates or {}).items()),
            bursts=tuple(bursts),
            scripts=tuple((key, as_script(key, faults)) for key, faults in (scripts or {}).items()),
            limit=limit,
        )


def as_fault(fault: Fault | str) -> Fault:
    """``fault`` itself, or the one its text names; PlanError for anything else."""
    if isinstance(fault, str):
        return parse_fault(fault)
    if not isinstance(fault, Fault):
        raise PlanError(f"a fault must be a Fault or its name, got {fault!r}")
    return fault


def as_script(key: str, faults: Iterable[Fault | str | None]) -> tuple[Fault | None, ...]:
    """The script of ``key`` as faults; PlanError for an empty or overlong key."""
    if not isinstance(key, str) or not 1 <= len(key) <= KEY_LENGTH_MAX:
        raise PlanError(f"a script's key must have 1 to {KEY_LENGTH_MAX} characters, got {key!r}")
    return tuple(None if fault is None else as_fault(fault) for fault in faults)


def check_rates(rates: Iterable[tuple[Fault, float]]) -> None:
    """Refuse a rate outside [0, 1], a fault given twice, and a sum above 1 (PlanError)."""
    pairs = tuple(rates)
    for fault, rate in pairs:
        if not isinstance(fault, Fault):
            raise PlanError(f"a fault must be a Fault, got {fault!r}")
        require_rate(repr(fault), rate)
    if len({fault for fault, _ in pairs}) < len(pairs):
        raise PlanError(f"rates name a fault twice: {_listed(pairs)}")
    total = sum(rate for _, rate in pairs)
    if total > 1 + _SUM_SLACK:
        raise PlanError(f"rates must sum to at most 1, got {total:.6g}: {_listed(pairs)}")


def _listed(pairs: tuple[tuple[Fault, float], ...]) -> str:
    return ", ".join(f"{fault!r}={rate!r}" for fault, rate in pairs)
