"""Whom an aimed part of a plan concerns: the first aim that a request fits, by plain words.

An aim names a provider, a model or a path, or several; each that is named fits. ``*`` stands for
any text, none included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["aim_of", "fits", "is_pattern_of"]


def aim_of(aims: Sequence[Mapping[str, str]], request: Mapping[str, str]) -> int | None:
    """The number of the first aim that fits, counted from 0; None if none does."""
    for number, aim in enumerate(aims):
        if fits(aim, request):
            return number
    return None


def fits(aim: Mapping[str, str], request: Mapping[str, str]) -> bool:
    """Whether all that the aim names is so of the request; what that lacks is never so."""
    return all(
        name in request and is_pattern_of(pattern, request[name]) for name, pattern in aim.items()
    )


def is_pattern_of(pattern: str, text: str) -> bool:
    """Whether ``text`` is what ``pattern`` says: by trying every length of each star."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(is_pattern_of(pattern[1:], text[skip:]) for skip in range(len(text) + 1))
    return bool(text) and pattern[0] == text[0] and is_pattern_of(pattern[1:], text[1:])
