"""What a template does with lists: filters, each charged before it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaoscheck.server.template.budget import Budget
from chaoscheck.server.template.values import (
    Applied,
    attribute_of,
    combined,
    items_of,
    sort_key,
    text_of,
)

__all__ = ["LIST_FILTERS", "attribute_along", "joined"]

_PATH_LENGTH_MAX = 100  # characters of a dotted path
_COMPARISONS = 16  # with each of 20 000 items, as they are sorted


def joined(budget: Budget, value: Any, between: Any = "", attribute: str | None = None) -> str:
    items = items_of(budget, value)
    texts = [text_of(budget, attribute_along(it, attribute) if attribute else it) for it in items]
    separator = text_of(budget, between)
    budget.make_text(sum([len(it) for it in texts]) + len(separator) * max(len(texts) - 1, 0))
    return separator.join(texts)


def attribute_along(value: Any, path: Any) -> Any:
    """What a dotted path leads to."""
    if not isinstance(path, str | int) or (isinstance(path, str) and len(path) > _PATH_LENGTH_MAX):
        raise TypeError(f"an attribute must be a text of at most {_PATH_LENGTH_MAX} characters")
    for part in str(path).split("."):
        if part.isdigit() and isinstance(value, list | tuple | str):
            value = value[int(part)]
        else:
            value = attribute_of(value, part)
    return value


def _length(budget: Budget, value: Any) -> int:
    budget.spend()
    return len(value)


def _first(budget: Budget, value: Any) -> Any:
    budget.spend()
    return value[0] if len(value) else _no_item()


def _last(budget: Budget, value: Any) -> Any:
    budget.spend()
    return value[-1] if len(value) else _no_item()


def _no_item() -> Any:
    raise LookupError("there is no item")


def _reverse(budget: Budget, value: Any) -> Any:
    if isinstance(value, str):
        budget.make_text(len(value))
        return value[::-1]
    return items_of(budget, value)[::-1]


def _batch(budget: Budget, value: Any, count: int, fill: Any = None) -> list[list[Any]]:
    if count < 1:
        raise ValueError("a batch has at least one item")
    items = items_of(budget, value)
    rows = [items[at : at + count] for at in range(0, len(items), count)]
    budget.make_items(len(rows))
    if rows and fill is not None:
        missing = count - len(rows[-1])
        budget.make_items(missing)
        rows[-1] += [fill] * missing
    return rows


def _sort(
    budget: Budget,
    value: Any,
    reverse: bool = False,
    case_sensitive: bool = False,
    attribute: str | None = None,
) -> list[Any]:
    items = items_of(budget, value)
    keys = _keys(budget, items, attribute, _COMPARISONS, case=case_sensitive)
    order = sorted(range(len(items)), key=keys.__getitem__, reverse=reverse)
    return [items[at] for at in order]


def _keys(
    budget: Budget, items: list[Any], attribute: str | None, times: int, *, case: bool = False
) -> list[Any]:
    """What items are ordered by; each is charged as often as it is looked at."""
    keys = []
    for item in items:
        before = budget.left
        found = attribute_along(item, attribute) if attribute else item
        keys.append(sort_key(budget, found, case=case))
        # Short keys are compared in no time; long ones are gone over again and again.
        budget.spend((times - 1) * max(before - budget.left - 1, 0))
    return keys


def _unique(budget: Budget, value: Any, case_sensitive: bool = False) -> list[Any]:
    items = items_of(budget, value)
    keys = _keys(budget, items, None, 2, case=case_sensitive)
    seen = dict(zip(reversed(keys), reversed(items), strict=True))  # the first of each stays
    return [seen[key] for key in dict.fromkeys(keys)]


def _extreme(choose: Callable[..., Any]) -> Applied:
    def apply(budget: Budget, value: Any, attribute: str | None = None) -> Any:
        items = items_of(budget, value)
        if not items:
            _no_item()
        keys = _keys(budget, items, attribute, 2)
        return items[choose(range(len(items)), key=keys.__getitem__)]

    return apply


def _sum(budget: Budget, value: Any, attribute: str | None = None, start: Any = 0) -> Any:
    total = start
    for item in items_of(budget, value):
        found = attribute_along(item, attribute) if attribute else item
        if not isinstance(found, int | float):
            raise TypeError("only numbers have a sum")
        total = combined(budget, "+", total, found)
    return total


LIST_FILTERS: dict[str, Applied] = {
    "batch": _batch,
    "count": _length,
    "first": _first,
    "join": joined,
    "last": _last,
    "length": _length,
    "list": items_of,
    "max": _extreme(max),
    "min": _extreme(min),
    "reverse": _reverse,
    "sort": _sort,
    "sum": _sum,
    "unique": _unique,
}
