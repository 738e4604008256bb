"""What an event looks like on the wire, and how a text becomes pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.plan.answer import Event
from chaoscheck.server.apis.pieces import first_words, pieces_of, slices_of
from chaoscheck.server.apis.sse import DONE, Repeated, comment, event

# Half of what is drawn is space of one kind or another, since that is what splits a text.
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from(" \n\t\r\x1c\x85\u2003")))


@pytest.mark.parametrize(
    ("said", "payload"),
    [
        (event("start", "{}"), b"data: {}\n\n"),
        (event("end", "{}", name="message_stop"), b"event: message_stop\ndata: {}\n\n"),
        (comment("PROCESSING"), b": PROCESSING\n\n"),
        (DONE, b"data: [DONE]\n\n"),
    ],
)
def test_an_event_ends_with_an_empty_line(said: Event, payload: bytes) -> None:
    """Any SSE parser takes my events apart."""
    assert payload == said.payload


@given(st.lists(TEXTS, max_size=5))
def test_repeated_events_differ_in_one_string(pieces: list[str]) -> None:
    """Whatever a text holds, its event is one line of JSON that says exactly that."""
    repeated = Repeated(before='{"a":', after="}", name="n")

    events = repeated.events(pieces)

    lines = [said.payload.decode("utf-8").split("\n") for said in events]
    assert [["event: n", data, "", ""] for _, data, *_ in lines] == lines
    assert [{"a": piece} for piece in pieces] == [json.loads(data[6:]) for _, data, *_ in lines]


def test_the_first_piece_has_a_delay_of_its_own() -> None:
    """Time to the first token and time between tokens are two things."""
    events = Repeated(before="", after="").events(["a", "b", "c"], [0.5, 0.1, 0.1])

    assert [0.5, 0.1, 0.1] == [said.delay_s for said in events]


@given(TEXTS)
def test_the_pieces_of_a_text_are_its_words(text: str) -> None:
    """Joined they are the text; each is a word with the space that follows it."""
    pieces = pieces_of(text)

    assert text == "".join(pieces)
    assert text.split() == [piece.strip() for piece in pieces if piece.strip()]
    assert max(1, len(text.split())) == len(pieces) or not text


@given(TEXTS, st.integers(1, 5))
def test_a_text_is_cut_after_a_number_of_words(text: str, count: int) -> None:
    """A limit ends a text with a word; a text that keeps to it is left alone."""
    cut = first_words(text, count)

    words = text.split()
    assert (cut is None) is (len(words) <= count)
    assert cut is None or (words[:count] == cut.split() and text.startswith(cut))


def test_white_space_is_taken_apart_in_linear_time() -> None:
    """A megabyte of nothing is one piece, at once."""
    space = " " * 1_000_000

    assert [space] == pieces_of(space)
    assert first_words(space, 1) is None


@given(st.text())
def test_arguments_come_in_slices(arguments: str) -> None:
    """Joined they are the arguments, and none is longer than eight characters."""
    slices = slices_of(arguments)

    assert arguments == "".join(slices)
    assert all(1 <= len(part) <= 8 for part in slices)
