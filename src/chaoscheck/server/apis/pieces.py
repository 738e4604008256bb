"""Tokens: a text's words, each with the white space that follows it.

That is the server's tokenizer everywhere: usage counts these, limits end after them, and a stream
says one of them at a time, so that the pieces joined are the text.
"""

from __future__ import annotations

import re
from itertools import islice

__all__ = ["first_words", "pieces_of", "slices_of"]

_SLICE_LENGTH = 8  # characters of a tool call's arguments, about what real providers stream

# Leading white space is taken apart by hand: a pattern that begins with \s* would try it from
# every position of a text that is nothing else, which is quadratic.
_WORD_WITH_SPACE = re.compile(r"\S+\s*")
_WORD = re.compile(r"\S+")


def pieces_of(text: str) -> list[str]:
    """The pieces of ``text``, in order; none of an empty text. White space alone is one piece."""
    pieces = _WORD_WITH_SPACE.findall(text)
    if not text or (pieces and not text[0].isspace()):
        return pieces
    leading = text[: len(text) - len(text.lstrip())]
    return [leading + pieces[0], *pieces[1:]] if pieces else [text]


def first_words(text: str, count: int) -> str | None:
    """``text`` up to the end of its ``count``-th word, count >= 1; None if it has no more."""
    words = list(islice(_WORD.finditer(text), count + 1))
    return text[: words[count - 1].end()] if len(words) > count else None


def slices_of(arguments: str) -> list[str]:
    """The tokens of a tool call's arguments, which hold few spaces: slices of equal length."""
    return [arguments[at : at + _SLICE_LENGTH] for at in range(0, len(arguments), _SLICE_LENGTH)]
