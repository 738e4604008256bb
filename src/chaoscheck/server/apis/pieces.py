"""Tokens: a text's words, each with the white space that follows it.

That is the server's tokenizer everywhere: usage counts these, limits end after them, and a stream
says one of them at a time, so that the pieces joined are the text. A text of more than 8 192 words
is streamed several words at a time: what a stream costs is bounded, however long its text is.
"""

from __future__ import annotations

import re
from itertools import islice

__all__ = [
    "LENGTH_MAX",
    "PIECES_MAX",
    "first_words",
    "pieces_of",
    "share_of",
    "slices_of",
    "words_in",
]

PIECES_MAX = 8_192  # of an answer: more words than a model says at a time, and some 20 ms of work
LENGTH_MAX = 4 * 2**20  # characters of all an answer's choices as JSON: some 30 ms of work
_COUNTED_LENGTH = 64 * 1024  # characters that are split at a time: a millisecond or so

_SLICE_LENGTH = 8  # characters of a tool call's arguments, about what real providers stream

# Leading white space is taken apart by hand: a pattern that begins with \s* would try it from
# every position of a text that is nothing else, which is quadratic.
_WORD_WITH_SPACE = re.compile(r"\S+\s*")
_SPACE_BEFORE_WORD = re.compile(r"\s(?=\S)")
_WORD = re.compile(r"\S+")


def share_of(choices: int) -> int:
    """How many pieces each of several choices is streamed in at most, so that all are bounded.

    Each of several has an event for its beginning and one for its end as well, and their events
    are larger: together they have half as many as the only one would have.
    """
    return PIECES_MAX if choices == 1 else max(1, PIECES_MAX // 2 // choices - 2)


def pieces_of(text: str, at_most: int = PIECES_MAX) -> list[str]:
    """The pieces of ``text``, in order; none of an empty text. White space alone is one piece."""
    if len(text) > 2 * at_most and words_in(text) > at_most:
        return _long_pieces(text, at_most)
    pieces = _WORD_WITH_SPACE.findall(text)
    if not text or (pieces and not text[0].isspace()):
        return pieces
    leading = text[: len(text) - len(text.lstrip())]
    return [leading + pieces[0], *pieces[1:]] if pieces else [text]


def _long_pieces(text: str, at_most: int) -> list[str]:
    """At most so many pieces of about equal length, each ending behind white space."""
    step = -(-len(text) // at_most)
    pieces, begin = [], 0
    while begin < len(text):
        found = _SPACE_BEFORE_WORD.search(text, begin + step)
        end = len(text) if found is None else found.end()
        pieces.append(text[begin:end])
        begin = end
    return pieces


def words_in(text: str) -> int:
    """How many words ``text`` has, counted without a copy of each where there are many."""
    if len(text) <= _COUNTED_LENGTH:
        return len(text.split())
    words, begin = 0, 0
    while begin < len(text):
        found = _SPACE_BEFORE_WORD.search(text, begin + _COUNTED_LENGTH)
        end = len(text) if found is None else found.end()
        words += len(text[begin:end].split())
        begin = end
    return words


def first_words(text: str, count: int) -> str | None:
    """``text`` up to the end of its ``count``-th word; None if it has no more words."""
    if count < 1:
        return "" if _WORD.search(text) else None
    words = islice(_WORD.finditer(text), count - 1, count + 1)
    last = next(words, None)
    return text[: last.end()] if last is not None and next(words, None) is not None else None


def slices_of(arguments: str, at_most: int = PIECES_MAX) -> list[str]:
    """The tokens of a tool call's arguments, which hold few spaces: slices of equal length."""
    step = max(_SLICE_LENGTH, -(-len(arguments) // at_most))
    return [arguments[at : at + step] for at in range(0, len(arguments), step)]
