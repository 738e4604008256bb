"""Context windows as a pure function: what becomes of a request, given how its API goes about it.

``refuses_both`` refuses a prompt that does not fit together with the tokens asked for,
``refuses_prompt`` one that does not fit by itself, and ``truncates`` none: it drops the beginning
until there is room for a token. An answer never has more tokens than the rest of the window.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Outcome", "Way", "outcome"]

Way = Literal["refuses_both", "refuses_prompt", "truncates"]


class Outcome(NamedTuple):
    """A refusal, or how many tokens are read and said, and whether the answer was cut."""

    refused: bool
    read: int = 0
    said: int = 0
    cut: bool = False


def outcome(way: Way, window: int | None, words: int, most: int | None) -> Outcome:
    """What an echo answers to a prompt of ``words`` words that asks for ``most`` tokens."""
    if window is None:
        return _said(words, words, most)
    if way == "truncates":
        read = words if words < window else max(1, window - 1)
        return _said(read, read, _least(most, window - read))
    if words + (most or 0 if way == "refuses_both" else 0) > window:
        return Outcome(refused=True)
    return _said(words, words, _least(most, window - words))


def _said(read: int, wanted: int, most: int | None) -> Outcome:
    said = wanted if most is None else min(wanted, most)
    return Outcome(False, read, said, said < wanted)


def _least(most: int | None, rest: int) -> int:
    return rest if most is None else min(most, rest)
