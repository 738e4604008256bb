"""Monotonic: a sequence of values never goes back; each key has its own sequence."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Literal, TypeVar, get_args

from chaoscheck.checks.verdict import Breach, Verdict
from chaoscheck.errors import PlanError

__all__ = ["Order", "monotonic"]

V = TypeVar("V")

Order = Literal["non-decreasing", "increasing"]


def monotonic(
    items: Iterable[V],
    *,
    order: Order = "non-decreasing",
    of: Callable[[V], Any] = lambda item: item,
    key: Callable[[V], Hashable] = lambda item: None,
) -> Verdict:
    """Judge ``of(item)`` for each item against the item before it that has the same ``key``.

    The witness is the first step back of each key. PlanError for an unknown order, and for values
    that have none: NaN, or two that cannot be compared.
    """
    if order not in get_args(Order):
        raise PlanError(f"order must be one of {list(get_args(Order))}, got {order!r}")
    before: dict[Hashable, tuple[int, Any]] = {}
    breaches: dict[Hashable, Breach] = {}
    for place, item in enumerate(items):
        value, own = of(item), key(item)
        _check_has_order(value, place)
        earlier, last = before.get(own, (-1, value))
        if earlier >= 0 and own not in breaches and not _follows(last, value, place, order):
            of_key = "" if own is None else f" of {own!r}"
            breaches[own] = Breach(
                law=order.replace("-", "_"),
                what=f"{value!r} at place {place}{of_key} follows {last!r} at place {earlier}",
                evidence=(last, value),
            )
        before[own] = place, value
    return Verdict.of(tuple(breaches.values()))


def _check_has_order(value: object, place: int) -> None:
    # NaN alone differs from itself, and is neither before nor after anything.
    if value != value:
        raise PlanError(f"a monotonic value must have an order, got {value!r} at place {place}")


def _follows(last: Any, value: Any, place: int, order: Order) -> bool:
    try:
        return bool(last < value) or (order == "non-decreasing" and bool(last == value))
    except TypeError as error:
        raise PlanError(
            f"monotonic values must be comparable, got {value!r} at place {place} after {last!r}"
        ) from error
