"""The fault plan: which faults hit which requests, and what is said, as one frozen value.

A plan is any mix of rates, bursts, ramps, outages, scripts per request key and load-dependent
limits. Who wins when several apply is decided in ``server/decision.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypedDict, Unpack

from chaoscheck.errors import PlanError
from chaoscheck.plan.aimed import TARGETS, Aimed, overridden
from chaoscheck.plan.burst import Burst, require_rate
from chaoscheck.plan.context_window import (
    ContextWindows,
    as_context_windows,
    check_context_windows,
)
from chaoscheck.plan.documents.plan_tables import INTEGER_MAX, INTEGER_MIN
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault
from chaoscheck.plan.limits import ConcurrencyCap, Limit, Quota, TokenLimit, TokenQuota
from chaoscheck.plan.notation import parse_fault
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp
from chaoscheck.plan.replies import Replies

__all__ = [
    "KEY_LENGTH_MAX",
    "FaultPlan",
    "PlanParts",
    "Script",
    "as_fault",
    "as_script",
    "check_rates",
]

KEY_LENGTH_MAX = 200  # characters of a request key that count; the ledger keeps as many

_SUM_SLACK = 1e-9  # ten rates of 0.1 sum to 0.9999…; a sum may exceed 1 by as little

Script = tuple[str, tuple[Fault | None, ...]]
Written = Iterable[Fault | str | None]
Rates = Mapping[Fault | str, float]


class PlanParts(TypedDict, total=False):
    """What ``FaultPlan.of`` takes beside rates; faults may be written as text."""

    seed: int
    headers: Rates
    bursts: Iterable[Burst]
    outages: Iterable[Outage]
    ramps: Iterable[Ramp]
    scripts: Mapping[str, Written]
    first: Written
    limits: Iterable[Limit]
    context_window: int | Mapping[str, int] | ContextWindows
    replies: Replies
    aimed: Iterable[Aimed | Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """What goes wrong; the default is silence.

    ``seed`` makes random parts a function of (seed, request key, occurrence, attempt). A call of a
    key goes on, attempt by attempt, until one ended well; ``occurrence`` counts the calls of the
    key. ``rates`` are (fault, probability) pairs, each fault once, together at most 1. ``headers``
    are the same for faults of the Retry-After header: each is drawn by itself once a request has
    met an error status, and the first that is hit takes the place of that error's header.

    ``bursts``, ``ramps`` and ``outages`` go by the server's clock. ``scripts`` are (key, faults)
    pairs: the n-th attempt of each call of that key meets the n-th fault, or none where that is
    None; beyond the end the rest of the plan decides. A call goes on to its script's end. ``first``
    is the script of every other key. ``limits`` go by load. ``context_window`` are (pattern of
    model names, tokens) pairs, of which the first that fits counts: what does not fit is refused as
    its provider does, and no answer is longer than the rest. ``replies`` is what good answers say.
    ``aimed`` parts concern the requests of a provider, a model or a path alone: a request goes by
    the first of them that fits it, and by the rest of the plan (``reduced_to``). PlanError names
    the value and the legal range.
    """

    seed: int = 0
    rates: tuple[tuple[Fault, float], ...] = ()
    headers: tuple[tuple[RetryAfterFault, float], ...] = ()
    bursts: tuple[Burst, ...] = ()
    outages: tuple[Outage, ...] = ()
    ramps: tuple[Ramp, ...] = ()
    scripts: tuple[Script, ...] = ()
    first: tuple[Fault | None, ...] = ()
    limits: tuple[Limit, ...] = ()
    context_window: ContextWindows = ()
    replies: Replies = field(default_factory=Replies)
    aimed: tuple[Aimed, ...] = ()

    def __post_init__(self) -> None:
        seed = self.seed
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise PlanError(f"seed must be an integer, got {seed!r}")
        if not INTEGER_MIN <= seed <= INTEGER_MAX:
            raise PlanError("seed must be an integer in [-2**63, 2**63), got one beyond it")
        for name in ("rates", "headers", "scripts", "first", "aimed", *_KINDS):
            if not isinstance(getattr(self, name), tuple):
                raise PlanError(f"{name} must be a tuple; FaultPlan.of takes other forms")
        check_rates(self.rates)
        _check_headers(self.headers)
        for name, kinds in _KINDS.items():
            _check_kinds(name, getattr(self, name), kinds)
        _check_scripts(self.scripts)
        if _as_faults("first", self.first) != self.first:
            raise PlanError(f"first must be a tuple of faults, got {self.first!r}")
        check_context_windows(self.context_window)
        if not isinstance(self.replies, Replies):
            raise PlanError(f"replies must be a Replies value, got {self.replies!r}")
        _check_aims(self)

    def reduced_to(self, aim: Aimed | None) -> FaultPlan:
        """The plan, without aims, that requests go by which this is the first aim to fit.

        None is for requests that fit no aim. PlanError where the two together sum above 1.
        """
        if aim is None:
            return replace(self, aimed=())
        return replace(
            self,
            rates=overridden(self.rates, aim.rates),
            headers=overridden(self.headers, aim.headers),
            bursts=(*aim.bursts, *self.bursts),
            outages=(*aim.outages, *self.outages),
            ramps=(*aim.ramps, *self.ramps),
            first=aim.first or self.first,
            limits=(*aim.limits, *self.limits),
            aimed=(),
        )

    @classmethod
    def of(
        cls,
        rates: Rates | None = None,
        **parts: Unpack[PlanParts],
    ) -> FaultPlan:
        """A plan from mappings, where a fault may be written as text: ``{"status_429": 0.3}``.

        ``parts`` are the other fields of a plan; any iterable will do for a tuple.
        """
        for name in parts.keys() - PlanParts.__optional_keys__:
            legal = ", ".join(sorted(PlanParts.__optional_keys__))
            raise PlanError(f"a plan has no {name!r}; it has rates, {legal}")
        scripts = parts.get("scripts", {})
        return cls(
            seed=parts.get("seed", 0),
            rates=_as_pairs(rates or {}),
            headers=_as_pairs(parts.get("headers", {})),  # type: ignore[arg-type]
            bursts=tuple(parts.get("bursts", ())),
            outages=tuple(parts.get("outages", ())),
            ramps=tuple(parts.get("ramps", ())),
            scripts=tuple((key, as_script(key, faults)) for key, faults in scripts.items()),
            first=_as_faults("first", parts.get("first", ())),
            limits=tuple(parts.get("limits", ())),
            context_window=as_context_windows(parts.get("context_window", ())),
            replies=parts.get("replies", Replies()),
            aimed=tuple(map(_as_aimed, parts.get("aimed", ()))),
        )


_KINDS: dict[str, tuple[type, ...]] = {
    "bursts": (Burst,),
    "outages": (Outage,),
    "ramps": (Ramp,),
    "limits": (TokenLimit, ConcurrencyCap, Quota, TokenQuota),
}


def as_fault(fault: Fault | str) -> Fault:
    """``fault`` itself, or the one its text names; PlanError for anything else."""
    if isinstance(fault, str):
        return parse_fault(fault)
    if not isinstance(fault, Fault):
        raise PlanError(f"a fault must be a Fault or its name, got {fault!r}")
    return fault


def as_script(key: str, faults: Written) -> tuple[Fault | None, ...]:
    """The script of ``key`` as faults; PlanError for an empty or overlong key."""
    if not isinstance(key, str) or not 1 <= len(key) <= KEY_LENGTH_MAX:
        raise PlanError(f"a script's key must have 1 to {KEY_LENGTH_MAX} characters, got {key!r}")
    return _as_faults(f"script of {key!r}", faults)


def check_rates(rates: Iterable[tuple[Fault, float]]) -> None:
    """Refuse a rate outside [0, 1], a fault given twice, and a sum above 1 (PlanError)."""
    pairs = tuple(rates)
    _check_pairs("rates", pairs)
    total = sum(rate for _, rate in pairs)
    if total > 1 + _SUM_SLACK:
        raise PlanError(f"rates must sum to at most 1, got {total:.6g}: {_listed(pairs)}")


def _as_pairs(rates: Rates) -> tuple[tuple[Fault, float], ...]:
    return tuple((as_fault(fault), rate) for fault, rate in rates.items())


def _as_faults(where: str, faults: Written) -> tuple[Fault | None, ...]:
    if isinstance(faults, str):
        raise PlanError(f"{where} must be a list of faults, got the text {faults!r}")
    script = tuple(None if fault is None else as_fault(fault) for fault in faults)
    for fault in script:
        if fault is not None and fault.strikes != "request":
            raise PlanError(
                f"{where}: {fault!r} strikes a connection, which has no key and no attempts; "
                "give it a rate, a burst, a ramp or an outage"
            )
    return script


def _check_pairs(where: str, pairs: tuple[tuple[Fault, float], ...]) -> None:
    for fault, rate in pairs:
        if not isinstance(fault, Fault):
            raise PlanError(f"a fault must be a Fault, got {fault!r}")
        require_rate(repr(fault), rate)
    if len({fault for fault, _ in pairs}) < len(pairs):
        raise PlanError(f"{where} name a fault twice: {_listed(pairs)}")


def _check_headers(headers: tuple[tuple[RetryAfterFault, float], ...]) -> None:
    _check_pairs("headers", headers)
    for fault, _ in headers:
        if not isinstance(fault, RetryAfterFault):
            raise PlanError(f"headers takes faults named retry_after_…, got {fault!r}")


def _check_kinds(name: str, values: tuple[object, ...], kinds: tuple[type, ...]) -> None:
    for value in values:
        if not isinstance(value, kinds):
            words = " or ".join(kind.__name__ for kind in kinds)
            raise PlanError(f"{name} must be {words} values, got {value!r}")


def _check_scripts(scripts: tuple[Script, ...]) -> None:
    for key, faults in scripts:
        if as_script(key, faults) != faults:
            raise PlanError(f"script of {key!r} must be a tuple of faults, got {faults!r}")
    if len({key for key, _ in scripts}) < len(scripts):
        raise PlanError(f"scripts name a key twice: {[key for key, _ in scripts]!r}")


def _as_aimed(given: Aimed | Mapping[str, Any]) -> Aimed:
    """An aim from a mapping with the fields of one, where faults may be written as text."""
    if isinstance(given, Aimed):
        return given
    if not isinstance(given, Mapping):
        raise PlanError(f"aimed must be Aimed values or mappings, got {given!r}")
    legal = [each.name for each in fields(Aimed)]
    parts = {}
    for name, value in given.items():
        if name not in legal:
            raise PlanError(f"an aim has no {name!r}; it has {', '.join(legal)}")
        if name in ("rates", "headers"):
            value = _as_pairs(value)
        elif name == "first":
            value = _as_faults("first", value)
        elif name not in TARGETS:
            value = tuple(value)
        parts[name] = value
    return Aimed(**parts)


def _check_aims(plan: FaultPlan) -> None:
    for at, aim in enumerate(plan.aimed):
        if not isinstance(aim, Aimed):
            raise PlanError(f"aimed must be Aimed values, got {aim!r}")
        try:
            # What is wrong of its own is said by the rates as they are given, 0 among them.
            check_rates(aim.rates)
            _check_headers(aim.headers)
            plan.reduced_to(aim)
        except PlanError as error:
            raise PlanError(f"aimed[{at}]: {error}") from None
        for earlier, other in enumerate(plan.aimed[:at]):
            if other.covers(aim):
                raise PlanError(
                    f"aimed[{at}] at {aim.where()} is never reached: the first that fits counts, "
                    f"and aimed[{earlier}] at {other.where()} fits whatever it does"
                )


def _listed(pairs: tuple[tuple[Fault, float], ...]) -> str:
    return ", ".join(f"{fault!r}={rate!r}" for fault, rate in pairs)
