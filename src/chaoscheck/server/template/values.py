"""Values of a template and what operators do with them, each charged to a budget.

A value is None, a boolean, a whole number of 64 bits, a float, a text, or a list, tuple or mapping
of values. Lists may share parts, so that a short template builds a value whose whole text is
exponentially long: nothing here hands one to Python's own ``str``, ``==`` or ``<``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from chaoscheck.server.template.budget import Budget, OverBudget

__all__ = [
    "Applied",
    "Namespace",
    "attribute_of",
    "combined",
    "compared",
    "contains",
    "equal",
    "formatted",
    "is_scalar",
    "items_of",
    "number_within_bounds",
    "require_key",
    "shown",
    "sort_key",
    "text_of",
]

# A filter, test, method or function: it takes the budget, then what it is applied to.
Applied = Callable[..., Any]

NUMBER_MAX = 2**63  # of whole numbers, by magnitude
FORMAT_WIDTH_MAX = 1_000  # characters of one field of a format
_DIGITS_MAX = 350  # of a number that a format writes: 1e308 has 309 digits before its point

_SPEC = re.compile(
    r"%(?:\((?P<name>[^()]*)\))?[#0\- +]*(?P<width>\*|\d+)?"
    r"(?:\.(?P<precision>\*|\d*))?(?P<kind>.)?",
    re.DOTALL,
)
_KINDS = frozenset("diuoxXeEfFgGcs%")


class Namespace:
    """What ``namespace()`` gives: names that a loop can set."""

    __slots__ = ("names",)

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = dict(names)


def is_scalar(value: object) -> bool:
    """Whether Python's own comparison takes a time bounded by the lengths of texts."""
    return value is None or isinstance(value, str | int | float)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float)


def number_within_bounds(value: Any) -> Any:
    """``value``; OverflowError for a whole number beyond 64 bits, TypeError for a complex one."""
    if isinstance(value, complex):
        raise TypeError("a complex number is no value of a template")
    if isinstance(value, int) and not -NUMBER_MAX <= value < NUMBER_MAX:
        raise OverflowError("a whole number must have 64 bits at most")
    return value


def text_of(budget: Budget, value: Any) -> str:
    """The text of a value as Jinja2 writes it; a text is itself."""
    if isinstance(value, str):
        return value
    if is_scalar(value):
        return str(value)
    return _written(budget, value)


def _written(budget: Budget, value: Any) -> str:
    budget.spend(1)
    if isinstance(value, str):
        budget.look_at(value)
        return budget.made(repr(value))
    if is_scalar(value):
        return repr(value)
    if isinstance(value, Mapping):
        pairs = [
            f"{_written(budget, key)}: {_written(budget, each)}" for key, each in value.items()
        ]
        return budget.made("{" + ", ".join(pairs) + "}")
    if isinstance(value, list | range):
        return budget.made("[" + ", ".join([_written(budget, each) for each in value]) + "]")
    if isinstance(value, tuple):
        inner = ", ".join([_written(budget, each) for each in value])
        return budget.made(f"({inner},)" if len(value) == 1 else f"({inner})")
    return "namespace"


def items_of(budget: Budget, value: Any) -> list[Any]:
    """The items of a list, the characters of a text, the keys of a mapping, in a new list."""
    if not isinstance(value, list | tuple | range | str | Mapping):
        raise TypeError(f"{type(value).__name__} has no items")
    budget.make_items(len(value))
    return list(value)


def shown(name: object) -> str:
    """The beginning of a name, for a message: messages are not charged."""
    return repr(name[:40]) if isinstance(name, str) else f"{name!r:.40}"


def require_key(name: object) -> None:
    """TypeError for what is no key: to hash a tuple of shared tuples could take for ever."""
    if not is_scalar(name):
        raise TypeError("a key must be a text or a number")


def attribute_of(value: Any, name: Any) -> Any:
    """What ``value.name`` or ``value[name]`` is; LookupError where there is nothing."""
    if isinstance(value, Namespace):
        value = value.names
    if isinstance(value, Mapping):
        require_key(name)
        return value[name]
    raise LookupError(f"a value has no attribute {shown(name)}")


def equal(budget: Budget, left: Any, right: Any) -> bool:
    """Whether two values are equal, compared part by part."""
    budget.spend(2)  # two microseconds
    if left is right:
        return True
    if isinstance(left, str) and isinstance(right, str):
        if len(left) != len(right):
            return False
        budget.look_at(left)
        return left == right
    if is_scalar(left) or is_scalar(right):
        return bool(is_scalar(left) and is_scalar(right) and left == right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        budget.spend(len(left))
        return left.keys() == right.keys() and all(
            equal(budget, each, right[key]) for key, each in left.items()
        )
    for kind in (list, tuple, range):
        if isinstance(left, kind) and isinstance(right, kind):
            return len(left) == len(right) and all(
                equal(budget, one, other) for one, other in zip(left, right, strict=True)
            )
    return False


def contains(budget: Budget, value: Any, item: Any) -> bool:
    """Whether ``item in value``."""
    if isinstance(value, str):
        if not isinstance(item, str):
            raise TypeError("only a text is in a text")
        budget.search(value, item)
        return item in value
    if isinstance(value, Mapping):
        return is_scalar(item) and item in value
    if not isinstance(value, list | tuple | range):
        raise TypeError(f"{type(value).__name__} has no items")
    return any(equal(budget, each, item) for each in value)


_ORDERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}


def compared(budget: Budget, name: str, left: Any, right: Any) -> bool:
    """One comparison, by Jinja2's name of its operator."""
    match name:
        case "eq":
            return equal(budget, left, right)
        case "ne":
            return not equal(budget, left, right)
        case "in":
            return contains(budget, right, left)
        case "notin":
            return not contains(budget, right, left)
    if isinstance(left, str) and isinstance(right, str):
        budget.look_at(min(left, right, key=len))
    elif not (_is_number(left) and _is_number(right)):
        raise TypeError("only two numbers or two texts have an order")
    return bool(_ORDERS[name](left, right))


def sort_key(budget: Budget, value: Any, *, case: bool = False) -> Any:
    """What a value is sorted by; TypeError for what has no order."""
    if isinstance(value, str):
        budget.look_at(value)
        return value if case else value.lower()
    if not _is_number(value):
        raise TypeError("only numbers or texts have an order")
    budget.spend(1)
    return value


# ---------------------------------------------------------------------- operators


def combined(budget: Budget, sign: str, left: Any, right: Any) -> Any:
    """``left sign right`` for one of + - * / // % **."""
    budget.spend(1)
    if sign == "%" and isinstance(left, str):
        return formatted(budget, left, right)
    if _is_number(left) and _is_number(right):
        if sign == "**":
            return _power(left, right)
        return number_within_bounds(_ARITHMETIC[sign](left, right))
    if sign == "+":
        return _joined(budget, left, right)
    if sign == "*":
        return _repeated(budget, left, right)
    raise TypeError(f"{type(left).__name__} {sign} {type(right).__name__} is not defined")


_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


def _power(left: int | float, right: int | float) -> Any:
    # Any power above the 63rd of a whole number from 2 on is beyond the bounds.
    whole = isinstance(left, int) and isinstance(right, int)
    if whole and abs(left) > 1 and right >= 64:
        raise OverflowError("a whole number must have 64 bits at most")
    return number_within_bounds(left**right)


def _joined(budget: Budget, left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        budget.make_text(len(left) + len(right))
        return left + right
    for kind in (list, tuple):
        if isinstance(left, kind) and isinstance(right, kind):
            budget.make_items(len(left) + len(right))
            return operator.add(left, right)
    raise TypeError(f"{type(left).__name__} + {type(right).__name__} is not defined")


def _repeated(budget: Budget, left: Any, right: Any) -> Any:
    series, times = (right, left) if isinstance(left, int) else (left, right)
    if not isinstance(times, int):
        raise TypeError(f"{type(left).__name__} * {type(right).__name__} is not defined")
    if isinstance(series, str):
        budget.make_text(len(series) * max(times, 0))
    elif isinstance(series, list | tuple):
        budget.make_items(len(series) * max(times, 0))
    else:
        raise TypeError(f"{type(left).__name__} * {type(right).__name__} is not defined")
    return series * times


def formatted(budget: Budget, text: str, values: Any) -> str:
    """``text % values``; OverBudget for a field that is too wide."""
    budget.look_at(text)
    named = isinstance(values, Mapping) and "%(" in text
    given = values if isinstance(values, tuple) else (values,)
    fields = list(_SPEC.finditer(text))
    length = len(text) + sum([_width_of(field, named=named) for field in fields])
    if named:
        budget.make_items(len(values))
        texts = {key: _printable(budget, each) for key, each in values.items()}
        length += sum([len(str(texts.get(field["name"], ""))) for field in fields])
        budget.make_text(length)
        return text % texts
    plain = tuple([_printable(budget, each) for each in given])
    budget.make_text(length + sum([len(each) for each in plain if isinstance(each, str)]))
    return text % plain


def _printable(budget: Budget, value: Any) -> Any:
    return value if _is_number(value) else text_of(budget, value)


def _width_of(spec: re.Match[str], *, named: bool) -> int:
    """The most that one field takes beside the text that it is given."""
    if named and spec["name"] is None and spec["kind"] != "%":
        raise ValueError("a format names all of its values or none")
    if spec["kind"] not in _KINDS:
        raise ValueError(f"a format knows no {spec[0][:20]!r}")
    width = 0 if spec["kind"] in "s%" else _DIGITS_MAX
    for size in (spec["width"], spec["precision"]):
        if size == "*":
            raise ValueError("a format takes no width from its values")
        if size:
            number = int(size) if len(size) <= 9 else NUMBER_MAX
            if number > FORMAT_WIDTH_MAX:
                raise OverBudget(f"a format's field has more than {FORMAT_WIDTH_MAX} characters")
            width += number
    return width
