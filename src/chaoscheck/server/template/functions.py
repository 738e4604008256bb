"""The names that a template knows: filters, tests, methods of mappings, functions.

Each takes the budget, the value that it is applied to (a function has none), and its arguments.
A wrong argument raises what Python raises for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chaoscheck.server.template.budget import ITEMS_MAX, Budget, OverBudget
from chaoscheck.server.template.list_functions import LIST_FILTERS, attribute_along, joined
from chaoscheck.server.template.text_functions import TEXT_FILTERS
from chaoscheck.server.template.text_functions import TEXT_METHODS as _TEXT_METHODS
from chaoscheck.server.template.values import (
    Applied,
    Namespace,
    combined,
    compared,
    equal,
    is_scalar,
    items_of,
    number_within_bounds,
    require_key,
)

__all__ = ["FILTERS", "FUNCTIONS", "MAPPING_METHODS", "TESTS", "TEXT_METHODS"]

_NUMERAL_LENGTH_MAX = 400  # characters of a text that becomes a number
_DECIMALS_MAX = 20


def _map(budget: Budget, value: Any, *names: Any, attribute: str | None = None) -> list[Any]:
    items = items_of(budget, value)
    if attribute is not None:
        return [attribute_along(item, attribute) for item in items]
    apply = _named(FILTERS, "filter", names)
    return [apply(budget, item, *names[1:]) for item in items]


def _chosen(*, wanted: bool, by_attribute: bool) -> Applied:
    def apply(budget: Budget, value: Any, *names: Any) -> list[Any]:
        attribute, names = (names[0], names[1:]) if by_attribute else (None, names)
        test = _named(TESTS, "test", names) if names else _is_true
        kept = []
        for item in items_of(budget, value):
            found = attribute_along(item, attribute) if by_attribute else item
            if bool(test(budget, found, *names[1:])) == wanted:
                kept.append(item)
        return kept

    return apply


def _named(table: Mapping[str, Applied], kind: str, names: tuple[Any, ...]) -> Applied:
    found = table.get(names[0]) if names and isinstance(names[0], str) else None
    if found is None:
        raise TypeError(f"no such {kind}")
    return found


def _is_true(budget: Budget, value: Any) -> bool:
    budget.spend()
    return bool(value)


def _as_int(budget: Budget, value: Any, default: Any = 0) -> Any:
    budget.spend()
    try:
        if isinstance(value, str) and len(value) > _NUMERAL_LENGTH_MAX:
            return default
        return number_within_bounds(int(value))
    except (TypeError, ValueError, OverflowError):
        found = _as_float(budget, value, None)
        whole = found is not None and -1e18 < found < 1e18
        return int(found) if whole else default


def _as_float(budget: Budget, value: Any, default: Any = 0.0) -> Any:
    budget.spend()
    if isinstance(value, str) and len(value) > _NUMERAL_LENGTH_MAX:
        return default
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return default


def _round(budget: Budget, value: Any, precision: int = 0) -> float:
    budget.spend()
    if abs(precision) > _DECIMALS_MAX:
        raise ValueError(f"a precision must be in [-{_DECIMALS_MAX}, {_DECIMALS_MAX}]")
    return round(float(value), precision)


def _tojson(budget: Budget, value: Any) -> str:
    _charge_json(budget, value)
    text = json.dumps(value, ensure_ascii=False, default=list)
    for mark in "<>&'":  # as Jinja2, so that the text can stand in a page
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return budget.made(text)


def _charge_json(budget: Budget, value: Any) -> None:
    if isinstance(value, str):
        budget.make_text(len(value))
        return
    budget.spend()
    if isinstance(value, Mapping):
        for key, each in value.items():
            _charge_json(budget, key)
            _charge_json(budget, each)
    elif isinstance(value, list | tuple | range):
        for each in value:
            _charge_json(budget, each)
    elif not is_scalar(value):
        raise TypeError("a namespace is no JSON")


def _abs(budget: Budget, value: Any) -> Any:
    budget.spend()
    return number_within_bounds(abs(value))


def _same(budget: Budget, value: Any) -> Any:
    budget.spend()
    return value


FILTERS: dict[str, Applied] = {
    **TEXT_FILTERS,
    **LIST_FILTERS,
    "abs": _abs,
    "float": _as_float,
    "int": _as_int,
    "items": lambda budget, value: [(key, value[key]) for key in items_of(budget, value)],
    "map": _map,
    "reject": _chosen(wanted=False, by_attribute=False),
    "rejectattr": _chosen(wanted=False, by_attribute=True),
    "round": _round,
    "safe": _same,
    "select": _chosen(wanted=True, by_attribute=False),
    "selectattr": _chosen(wanted=True, by_attribute=True),
    "tojson": _tojson,
}


def _comparison(name: str) -> Applied:
    return lambda budget, value, other: compared(budget, name, value, other)


def _of_type(*kinds: type) -> Applied:
    return lambda budget, value: (
        isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)
    )


TESTS: dict[str, Applied] = {
    **{name: _comparison("eq") for name in ("==", "eq", "equalto")},
    **{name: _comparison("ne") for name in ("!=", "ne")},
    **{name: _comparison("gt") for name in (">", "gt", "greaterthan")},
    **{name: _comparison("lt") for name in ("<", "lt", "lessthan")},
    **{name: _comparison("gteq") for name in (">=", "ge")},
    **{name: _comparison("lteq") for name in ("<=", "le")},
    "in": _comparison("in"),
    "boolean": _of_type(bool),
    "divisibleby": lambda budget, value, by: combined(budget, "%", value, by) == 0,
    "even": lambda budget, value: combined(budget, "%", value, 2) == 0,
    "false": lambda budget, value: value is False,
    "float": _of_type(float),
    "integer": _of_type(int),
    "iterable": _of_type(str, list, tuple, range, dict),
    "mapping": _of_type(dict),
    "none": lambda budget, value: value is None,
    "number": _of_type(int, float, bool),
    "odd": lambda budget, value: combined(budget, "%", value, 2) == 1,
    "sameas": lambda budget, value, other: is_scalar(value) and equal(budget, value, other),
    "sequence": _of_type(str, list, tuple, range),
    "string": _of_type(str),
    "true": lambda budget, value: value is True,
}

TEXT_METHODS: dict[str, Applied] = {
    **_TEXT_METHODS,
    "join": lambda budget, value, items: joined(budget, items, value),
}


def _get(budget: Budget, value: Any, key: Any, default: Any = None) -> Any:
    budget.spend()
    require_key(key)
    return value.get(key, default)


MAPPING_METHODS: dict[str, Applied] = {
    "cycle": lambda budget, loop, *items: items[loop["index0"] % len(items)],
    "get": _get,
    "items": lambda budget, value: [(key, value[key]) for key in items_of(budget, value)],
    "keys": items_of,
    "values": lambda budget, value: [value[key] for key in items_of(budget, value)],
}


def _range(budget: Budget, *bounds: int) -> range:
    budget.spend()
    made = range(*bounds)
    # A length beyond a machine word is an OverflowError of Python's own.
    if len(made) > ITEMS_MAX:
        raise OverBudget(f"a range has more than {ITEMS_MAX} numbers")
    return made


FUNCTIONS: dict[str, Applied] = {
    "dict": lambda budget, **items: dict(items),
    "namespace": lambda budget, **names: Namespace(names),
    "range": _range,
}
