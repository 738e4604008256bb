"""Long texts: counted and parted in bounded steps, with the same words as short ones."""

from __future__ import annotations

import pytest

from chaoscheck.server.apis.pieces import PIECES_MAX, first_words, pieces_of, words_in


@pytest.mark.parametrize(
    "text",
    ["a " * 50_000, " " * 200_000, "x" * 200_000, "  lead" * 40_000, "\u00e9\u2003b\t" * 40_000],
    ids=["short words", "no word", "one word", "leading space", "other spaces"],
)
def test_a_long_text_is_counted_and_parted_as_a_short_one(text: str) -> None:
    """Counting in steps sees the same words; pieces joined are the text, and not too many."""
    assert len(text.split()) == words_in(text)
    pieces = pieces_of(text)
    assert text == "".join(pieces)
    assert len(pieces) <= PIECES_MAX


def test_a_text_of_the_most_pieces_has_one_for_each_word() -> None:
    """Only beyond the bound are words said together."""
    at_most, beyond = "word " * PIECES_MAX, "word " * (PIECES_MAX + 1)

    assert ["word "] * PIECES_MAX == pieces_of(at_most)
    assert len(pieces_of(beyond)) < PIECES_MAX


def test_the_first_words_are_found_without_the_rest() -> None:
    """A limit of tokens cuts where it says."""
    assert ["a b", None, None] == [first_words("a b c", count) for count in (2, 3, 4)]
