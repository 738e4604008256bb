"""How long a regular expression may take on a short text: bounded before it is tried.

Python's ``re`` backtracks: ``(a?){50}`` has C(50, 8) ways to match eight letters, and it tries
them all before it gives up. A client sends patterns, so one that has too many ways is not tried.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

__all__ = ["searcher_of"]

_PATTERN_LENGTH_MAX = 1_000  # characters: to compile as many takes a millisecond or two
_WAYS_MAX = 20_000  # of matching one text from one place: about 2 ms
_SINGLE = ("LITERAL", "NOT_LITERAL", "IN", "ANY", "AT", "CATEGORY", "GROUPREF")

_parser: Any = importlib.import_module("re._parser")  # private; `re` has no public syntax tree


def searcher_of(pattern: str, text_length_max: int) -> Callable[[str], object] | None:
    """``re.compile(pattern).search`` for texts of up to so many characters.

    None for what is no pattern, for a long one, and for one that could take above milliseconds.
    """
    if len(pattern) > _PATTERN_LENGTH_MAX:
        return None
    try:
        if _ways(_parser.parse(pattern), text_length_max) > _WAYS_MAX:
            return None
        return re.compile(pattern).search
    except (re.error, RecursionError, OverflowError):
        return None


def _ways(parts: Any, length: int) -> int:
    """In how many ways, at most, a sequence of parts matches from one place."""
    ways = 1
    for kind, argument in parts:
        ways *= _ways_of(str(kind), argument, length)
        if ways > _WAYS_MAX:
            return _WAYS_MAX + 1
    return ways


def _ways_of(kind: str, argument: Any, length: int) -> int:
    if kind in _SINGLE:
        return 1
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, body = argument
        return _ways_of_repeat(int(least), min(int(most), least + length), _ways(body, length))
    if kind == "SUBPATTERN":
        return _ways(argument[-1], length)
    if kind == "BRANCH":
        return sum([_ways(branch, length) for branch in argument[1]])
    if kind in ("ASSERT", "ASSERT_NOT"):
        return _ways(argument[1], length)
    if kind == "ATOMIC_GROUP":
        return _ways(argument, length)
    return _WAYS_MAX + 1  # A conditional group, or what a later Python adds.


def _ways_of_repeat(least: int, most: int, of_one: int) -> int:
    if of_one == 1:
        return most - least + 1
    # Each repetition may match in each of its ways, as often as the text is long.
    ways = int(of_one ** min(most, 64)) * (most - least + 1)
    return min(ways, _WAYS_MAX + 1)
