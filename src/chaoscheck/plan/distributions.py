"""Distributions of waits in seconds: constant, uniform, normal, lognormal, exponential.

A distribution is a frozen value, written as faults are: ``lognormal(p50_s=0.3, p99_s=2.0)``. Its
``sampler`` is its quantile function, so that a draw is a function of one number in (0, 1). All are
truncated to [0, max_s]: values beyond it are not moved to its edge, but never drawn.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import SECONDS_MAX, require_at_least, shown

if TYPE_CHECKING:
    from statistics import NormalDist

__all__ = [
    "DISTRIBUTIONS",
    "SIGMA_MAX",
    "Constant",
    "Distribution",
    "Exponential",
    "LogNormal",
    "Normal",
    "Seconds",
    "Uniform",
    "require_seconds",
]

#: Of a lognormal: at 10 the 99th percentile is 10 milliards times the median.
SIGMA_MAX = 10.0

Sampler = Callable[[float], float]

_Z99 = 2.3263478740408408  # the 99th percentile of the standard normal distribution
_SHARE_MIN, _SHARE_MAX = 1e-300, 1 - 2.0**-53  # what the normal quantile function can take


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Distribution:
    """Base of all distributions; ``repr`` is the way users write one."""

    name: ClassVar[str] = ""

    def sampler(self) -> Sampler:
        """The quantile function: from a share in (0, 1) to seconds in [0, max_s]."""
        raise NotImplementedError

    def __repr__(self) -> str:
        given = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{self.name}({', '.join(given)})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Constant(Distribution):
    """Always ``wait_s`` seconds, as a plain number means too."""

    name: ClassVar[str] = "constant"

    wait_s: float

    def __post_init__(self) -> None:
        require_at_least(self.name, "wait_s", self.wait_s, 0)

    def sampler(self) -> Sampler:
        """The same for every share."""
        wait_s = float(self.wait_s)
        return lambda share: wait_s


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Uniform(Distribution):
    """Any wait from ``low_s`` to ``high_s``, each as likely."""

    name: ClassVar[str] = "uniform"

    low_s: float
    high_s: float

    def __post_init__(self) -> None:
        require_at_least(self.name, "low_s", self.low_s, 0)
        require_at_least(self.name, "high_s", self.high_s, 0)
        if self.high_s < self.low_s:
            raise PlanError(
                f"{self.name}: high_s must be >= low_s = {self.low_s}, got {shown(self.high_s)}"
            )

    def sampler(self) -> Sampler:
        """Linear from ``low_s`` to ``high_s``."""
        low_s, width_s = self.low_s, self.high_s - self.low_s
        return lambda share: low_s + share * width_s


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Normal(Distribution):
    """A normal distribution of ``mean_s`` and ``sigma_s``, truncated to [0, ``max_s``].

    What is cut off moves the mean: of ``mean_s=0`` half a bell is left.
    """

    name: ClassVar[str] = "normal"

    mean_s: float
    sigma_s: float
    max_s: float = SECONDS_MAX

    def __post_init__(self) -> None:
        _require_above_zero(self.name, "max_s", self.max_s)
        require_at_least(self.name, "mean_s", self.mean_s, 0, self.max_s)
        _require_above_zero(self.name, "sigma_s", self.sigma_s)

    def sampler(self) -> Sampler:
        """The quantiles of what lies in [0, ``max_s``]."""
        mean_s, sigma_s, max_s = float(self.mean_s), float(self.sigma_s), float(self.max_s)
        cdf = _standard().cdf
        lowest = cdf(-mean_s / sigma_s)
        width = cdf((max_s - mean_s) / sigma_s) - lowest
        return lambda share: min(max(0.0, mean_s + sigma_s * _z_at(lowest + share * width)), max_s)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LogNormal(Distribution):
    """A wait whose logarithm is normal, as latencies of networks and services mostly are.

    Given by ``median_s`` and ``sigma`` (of the natural logarithm), or by the percentiles ``p50_s``
    and ``p99_s`` before it is truncated at ``max_s``.
    """

    name: ClassVar[str] = "lognormal"

    median_s: float | None = None
    sigma: float | None = None
    p50_s: float | None = None
    p99_s: float | None = None
    max_s: float = SECONDS_MAX

    def __post_init__(self) -> None:
        _require_above_zero(self.name, "max_s", self.max_s)
        given = tuple(
            field.name
            for field in dataclasses.fields(self)
            if field.name != "max_s" and getattr(self, field.name) is not None
        )
        if given == ("median_s", "sigma"):
            self._require_median("median_s", self.median_s)
            _require_above_zero(self.name, "sigma", self.sigma, SIGMA_MAX)
        elif given == ("p50_s", "p99_s"):
            self._require_median("p50_s", self.p50_s)
            _require_above_zero(self.name, "p99_s", self.p99_s)
            if not 0 < self._sigma() <= SIGMA_MAX:
                most = min((self.p50_s or 0.0) * math.exp(SIGMA_MAX * _Z99), SECONDS_MAX)
                raise PlanError(
                    f"{self.name}: p99_s must be > p50_s = {self.p50_s} and <= {most:g}, "
                    f"got {shown(self.p99_s)}"
                )
        else:
            raise PlanError(
                f"{self.name}: takes median_s and sigma, or p50_s and p99_s, "
                f"got {' and '.join(given) or 'neither'}"
            )

    def sampler(self) -> Sampler:
        """The quantiles of what lies in (0, ``max_s``]."""
        median_s = self._median_s()
        sigma, max_s = self._sigma(), float(self.max_s)
        highest = _standard().cdf(math.log(max_s / median_s) / sigma)
        return lambda share: min(median_s * math.exp(sigma * _z_at(share * highest)), max_s)

    def _median_s(self) -> float:
        return float(self.median_s or self.p50_s or 0.0)

    def _sigma(self) -> float:
        if self.sigma is not None:
            return float(self.sigma)
        return math.log((self.p99_s or 0.0) / self._median_s()) / _Z99

    def _require_median(self, parameter: str, value: float | None) -> None:
        # A picosecond is far below any clock, and keeps every ratio a finite number.
        require_at_least(self.name, parameter, value or 0, _MEDIAN_MIN_S, self.max_s)


_MEDIAN_MIN_S = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Exponential(Distribution):
    """An exponential distribution of ``mean_s``, truncated at ``max_s``: many short waits."""

    name: ClassVar[str] = "exponential"

    mean_s: float
    max_s: float = SECONDS_MAX

    def __post_init__(self) -> None:
        _require_above_zero(self.name, "max_s", self.max_s)
        _require_above_zero(self.name, "mean_s", self.mean_s)

    def sampler(self) -> Sampler:
        """The quantiles of what lies in [0, ``max_s``]."""
        mean_s, max_s = float(self.mean_s), float(self.max_s)
        highest = -math.expm1(-max_s / mean_s)
        return lambda share: min(-mean_s * math.log1p(-share * highest), max_s)


#: Every kind; its name is how users write it.
DISTRIBUTIONS: tuple[type[Distribution], ...] = (
    Constant,
    Uniform,
    Normal,
    LogNormal,
    Exponential,
)

#: A wait as plans have it: a number of seconds, always the same, or a distribution.
Seconds = float | Distribution


def require_seconds(where: str, parameter: str, value: object) -> None:
    """Refuse what is neither a number of seconds in [0, 315360000] nor a distribution."""
    if not isinstance(value, Distribution):
        require_at_least(where, parameter, value, 0)  # type: ignore[arg-type]


def _require_above_zero(
    where: str, parameter: str, value: float | None, high: float = SECONDS_MAX
) -> None:
    require_at_least(where, parameter, 0 if value is None else value, 0, high)
    if not value:
        raise PlanError(f"{where}: {parameter} must be > 0, got {value!r}")


@functools.cache
def _standard() -> NormalDist:
    # The module takes 3 ms to import, which a server's start need not wait for.
    from statistics import NormalDist

    return NormalDist()


def _z_at(share: float) -> float:
    return _standard().inv_cdf(min(max(share, _SHARE_MIN), _SHARE_MAX))
