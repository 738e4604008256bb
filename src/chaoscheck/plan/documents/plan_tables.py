"""Parsed TOML or JSON, table by table: what is not as it should be is refused by its key.

``where`` is the key path that a message begins with, such as ``bursts[0]``; empty is the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.suggestions import meant

__all__ = [
    "INTEGER_MAX",
    "INTEGER_MIN",
    "brief",
    "each_key_once",
    "key_path",
    "list_of",
    "require_given",
    "require_known",
    "require_plain",
    "shown",
    "table_of",
]

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1  # what TOML and every JSON reader can say

_DEPTH_MAX = 32  # tables within tables; a plan needs four, a recorded call's arguments some more
_SHOWN_MAX = 80  # characters of a wrong value that a message shows


def table_of(where: str, value: object) -> Mapping[str, Any]:
    """``value`` as a table (PlanError)."""
    if not isinstance(value, Mapping):
        raise PlanError(f"{where}: must be a table, got {shown(value)}")
    return value


def list_of(where: str, value: object) -> list[Any] | tuple[Any, ...]:
    """``value`` as a list (PlanError)."""
    if not isinstance(value, list | tuple):
        raise PlanError(f"{where}: must be a list, got {shown(value)}")
    return value


def require_known(where: str, table: Mapping[str, Any], legal: Iterable[str]) -> None:
    """Refuse a key that is not legal, with the nearest one that is (PlanError)."""
    known = list(legal)
    for key in table:
        if key not in known:
            raise PlanError(f"{key_path(where, key)}: unknown key{meant(key, known)}")


def require_given(where: str, table: Mapping[str, Any], needed: Iterable[str]) -> None:
    """Refuse a table without one of these keys (PlanError)."""
    for key in needed:
        if key not in table:
            raise PlanError(f"{key_path(where, key)}: is missing")


def require_plain(where: str, value: object, depth: int) -> None:
    """Refuse what JSON cannot say, and what is nested or numbered beyond all sense."""
    if depth > _DEPTH_MAX:
        raise PlanError(f"{where[:_SHOWN_MAX]}…: nested deeper than {_DEPTH_MAX}")
    match value:
        case None | bool() | str():
            legal = True
        case int():
            legal = INTEGER_MIN <= value <= INTEGER_MAX
        case float():
            legal = math.isfinite(value)
        case Mapping():
            legal = all(isinstance(key, str) for key in value)
            for key, item in value.items():
                require_plain(key_path(where, str(key)), item, depth + 1)
        case list() | tuple():
            legal = True
            for at, item in enumerate(value):
                require_plain(f"{where}[{at}]", item, depth + 1)
        case _:
            legal = False
    if not legal:
        raise PlanError(
            f"{where or 'plan'}: must be a table, a list, text, true, false, an integer of 64 bits "
            f"or a finite number, got {shown(value)}"
        )


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a table; ValueError for a key that it gives twice."""
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:_SHOWN_MAX]!r} is given twice")
    return table


def key_path(where: str, key: str) -> str:
    """The path of ``key`` within ``where``."""
    return f"{where}.{key}" if where else key


def shown(value: object) -> str:
    """A wrong value as a message shows it: cut to 80 characters."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number beyond 64 bits"
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


def brief(error: BaseException) -> str:
    """What a parser says, in short."""
    return "nested too deep" if isinstance(error, RecursionError) else str(error)[: _SHOWN_MAX * 2]
