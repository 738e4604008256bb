"""Suggestions: what a wrong name was probably meant to be. This module imports nothing of ours."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["meant", "near_name", "unknown_name"]

# Below it a suggestion sends the reader the wrong way: "banana" is no "outage".
_LIKENESS_MIN = 0.6


def near_name(name: object, legal: Iterable[str]) -> str | None:
    """The legal name that is most like ``name``, upper and lower case alike; None if none is."""
    by_folded = {each.casefold(): each for each in legal}
    near = difflib.get_close_matches(str(name).casefold(), by_folded, n=1, cutoff=_LIKENESS_MIN)
    return by_folded[near[0]] if near else None


def meant(name: object, legal: Iterable[str]) -> str:
    """The end of a message about a wrong name: which was probably meant, and which are legal."""
    names = list(legal)
    near = near_name(name, names)
    start = "; " if near is None else f"; did you mean {near!r}? "
    return f"{start}legal: {', '.join(names) or 'none'}"


def unknown_name(what: str, name: object, legal: Iterable[str]) -> str:
    """A message for a wrong name; ``what`` says what kind of name it is: "fault", "preset"."""
    return f"unknown {what} {name!r}{meant(name, legal)}"
