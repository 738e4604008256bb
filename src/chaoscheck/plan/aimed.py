"""Aimed parts of a plan: faults for the requests of a provider, of a model or of a path alone.

A request goes by the plan's own parts and by the first of its aims that fits, whose parts come
first: ``FaultPlan.reduced_to`` is the plan that they make together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.burst import Burst
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.retry_after_fault import RetryAfterFault
from chaoscheck.plan.limits import ConcurrencyCap, Limit
from chaoscheck.plan.outage import Outage
from chaoscheck.plan.ramp import Ramp

__all__ = ["AIM_LENGTH_MAX", "TARGETS", "Aimed", "Target", "overridden"]

AIM_LENGTH_MAX = 200  # characters of what an aim names

F = TypeVar("F", bound=Fault)

#: What an aim may name.
TARGETS = ("provider", "model", "path")


class Target(NamedTuple):
    """What a request is meant for. ``model`` is None where the request names none."""

    provider: str
    model: str | None
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aimed:
    """Faults for requests of this ``provider``, ``model`` and ``path``: all that are given fit.

    At least one is given. In a model and a path ``*`` stands for any text, slashes too. A model is
    the deployment or model that the path names, else the body's; a request without one fits no aim
    at a model. Paths have no query.

    The other fields are those of a plan. A rate takes the place of the plan's own for faults of the
    same name, 0 removes that one, and ``first`` that of its ``first``. A limit has a state of its
    own. PlanError for an aim that names nothing, for a fault of connections, and for a
    ConcurrencyCap.
    """

    provider: str | None = None
    model: str | None = None
    path: str | None = None
    rates: tuple[tuple[Fault, float], ...] = ()
    headers: tuple[tuple[RetryAfterFault, float], ...] = ()
    bursts: tuple[Burst, ...] = ()
    outages: tuple[Outage, ...] = ()
    ramps: tuple[Ramp, ...] = ()
    first: tuple[Fault | None, ...] = ()
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        for name in TARGETS:
            _require_pattern(name, getattr(self, name))
        if self.where() == {}:
            raise PlanError(f"an aim must name a {', a '.join(TARGETS[:-1])} or a {TARGETS[-1]}")
        if self.provider is not None and "*" in self.provider:
            raise PlanError(f"provider must be a name without '*', got {self.provider!r}")
        if self.path is not None and not self.path.startswith(("/", "*")):
            raise PlanError(f"path must begin with '/' or '*', got {self.path!r}")
        if self.path is not None and "?" in self.path:
            raise PlanError(f"path must have no query, got {self.path!r}")
        for part in ("rates", "headers", "bursts", "outages", "ramps", "first", "limits"):
            if not isinstance(getattr(self, part), tuple):
                raise PlanError(f"{part} must be a tuple; FaultPlan.of takes other forms")
        for fault in self._faults():
            if isinstance(fault, Fault) and fault.strikes == "connection":
                raise PlanError(
                    f"{fault!r} cannot be aimed: it strikes a connection when that is accepted, "
                    "before a request names a provider, a model or a path"
                )
        for limit in self.limits:
            if isinstance(limit, ConcurrencyCap):
                raise PlanError(
                    "a ConcurrencyCap cannot be aimed: it counts all requests that are in flight"
                )

    def where(self) -> dict[str, str]:
        """What it names, such as ``{"provider": "anthropic"}``."""
        given = {name: getattr(self, name) for name in TARGETS}
        return {name: text for name, text in given.items() if text is not None}

    def fits(self, target: Target) -> bool:
        """Whether a request for ``target`` goes by this aim."""
        if self.provider is not None and self.provider != target.provider:
            return False
        if self.path is not None and not _fits(self.path, target.path):
            return False
        return self.model is None or (target.model is not None and _fits(self.model, target.model))

    def covers(self, other: Aimed) -> bool:
        """Whether whatever fits ``other`` surely fits this aim too."""
        return (
            self.provider in (None, other.provider)
            and _covers(self.model, other.model)
            and _covers(self.path, other.path)
        )

    def _faults(self) -> Iterable[object]:
        for fault, _ in self.rates:
            yield fault
        yield from self.first
        for window in (*self.bursts, *self.outages, *self.ramps):
            yield getattr(window, "fault", None)


def _require_pattern(name: str, pattern: object) -> None:
    if pattern is None:
        return
    if not isinstance(pattern, str) or not 1 <= len(pattern) <= AIM_LENGTH_MAX:
        raise PlanError(f"{name} must be text of 1 to {AIM_LENGTH_MAX} characters, got {pattern!r}")


def _fits(pattern: str, text: str) -> bool:
    """Whether ``text`` is ``pattern``, where ``*`` stands for any text.

    Without backtracking: what stands between two stars is taken where it first occurs.
    """
    begin, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    end = rest.pop()
    if len(text) < len(begin) + len(end) or not (text.startswith(begin) and text.endswith(end)):
        return False
    at, stop = len(begin), len(text) - len(end)
    for piece in rest:
        found = text.find(piece, at, stop)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _covers(wider: str | None, narrower: str | None) -> bool:
    if wider is None or wider == narrower:
        return True
    if narrower is None:
        return False
    # A star of the narrower one is any text: it stands for a character that no pattern has.
    return _fits(wider, narrower.replace("*", "\0"))


def overridden(
    own: tuple[tuple[F, float], ...], aimed: tuple[tuple[F, float], ...]
) -> tuple[tuple[F, float], ...]:
    """Rates of a plan with those of an aim in the place of faults of the same name."""
    names = {fault.name for fault, _ in aimed}
    kept = [pair for pair in own if pair[0].name not in names]
    return (*[pair for pair in aimed if pair[1] > 0], *kept)
