"""Streamed replies: what was said comes out whole, and each defect has its own name.

A stream is generated as the events that a provider sends, so what it says is known beforehand;
only then it is written down, in every way that server-sent events may be written.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chaoscheck.components.llm_reply import LlmReply
from chaoscheck.components.llm_stream import event_data, read_stream
from chaoscheck.components.query import QueryError
from models.llm_fates import status_fate

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
COUNTS = st.integers(0, 10**6)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}
DONE = "[DONE]"

Chunk = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A good stream: its pieces, its model, and its usage (None: the provider sends none)."""

    pieces: list[str]
    model: str
    usage: dict[str, int] | None

    def chunks(self) -> list[Chunk]:
        """The events of the stream in order, but for its end."""
        made = [chunk({"role": "assistant", "content": None})]
        made += [chunk({"content": piece}) for piece in self.pieces]
        made += [chunk({}, finish="stop")]
        if self.usage is not None:
            made += [{"choices": [], "usage": self.usage}]
        return [{"model": self.model, **each} for each in made]

    def reply(self) -> LlmReply:
        """What a reader must make of it."""
        return LlmReply(content="".join(self.pieces), model=self.model, usage=self.usage or {})


def chunk(delta: Chunk, *, finish: str | None = None) -> Chunk:
    """One event of a stream, without its model."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None}


USAGES = st.none() | st.fixed_dictionaries(
    {"prompt_tokens": COUNTS, "completion_tokens": COUNTS, "total_tokens": COUNTS}
)
SAID = st.builds(
    Said,
    pieces=st.lists(TEXTS, max_size=4).filter(lambda pieces: "".join(pieces).strip() != ""),
    model=TEXTS.filter(bool),
    usage=USAGES,
)
ONE = Said(
    pieces=["a", "b"],
    model="m",
    usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
)


def written(chunks: list[Chunk], *, end: str = "\n", extra: str = "", done: bool = True) -> bytes:
    """A body: ``extra`` lines stand before every event, ``end`` ends each line."""
    events = [json.dumps(each) for each in chunks] + [DONE] * done
    return "".join(f"{extra}data: {each}{end}{end}" for each in events).encode()


def reason_of(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> str | None:
    """Why a stream is refused: ``kind: reason``; None when it is taken."""
    try:
        read_stream(status=status, headers=EVENT_STREAM if headers is None else headers, body=body)
    except QueryError as error:
        return f"{error.kind}: {error.reason}" if error.status_code == status else "another status"
    return None


@example(ONE, "\n", "")
@example(ONE, "\r\n", ": keep-alive\r\n\r\n")
@given(
    SAID, LINE_ENDS, st.sampled_from(["", ": comment", "event: chunk", "id: 7", "data", "other: x"])
)
def test_what_was_said_comes_out_whole(said: Said, end: str, line: str) -> None:
    """Content, model and usage to the last token, in any way of writing the events down."""
    if line == "data":
        extra = f": data: not one{end}{end}"
    else:
        extra = line if line.endswith(("\n", "\r")) or not line else f"{line}{end}"
    body = written(said.chunks(), end=end, extra=extra)

    assert said.reply() == read_stream(status=200, headers=EVENT_STREAM, body=body)


@given(SAID)
def test_what_follows_the_end_is_not_read(said: Said) -> None:
    """After [DONE] a provider may say what it likes."""
    body = written(said.chunks()) + b"data: {nonsense\n\n"

    assert said.reply() == read_stream(status=200, headers=EVENT_STREAM, body=body)


@given(SAID, st.data())
def test_a_stream_that_is_cut_anywhere_is_worth_another_attempt(
    said: Said, data: st.DataObject
) -> None:
    """However much of it came: without its end nothing is taken, and nothing is final."""
    body = written(said.chunks())
    length = data.draw(st.integers(0, len(body) - 1))
    cut_within_the_last_line_end = length == len(body) - 1

    expected = "transient: stream_truncated"
    assert reason_of(body[:length]) == expected or cut_within_the_last_line_end
    assert reason_of(written(said.chunks(), done=False)) == expected


def with_event(new: Any, place: int = 2) -> bytes:
    """A good stream with ``new`` in the place of one of its events."""
    chunks: list[Any] = ONE.chunks()
    chunks[place] = new
    return written(chunks)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"type": "invalid_request_error"}, "permanent: stream_error"),
        ({"type": "authentication_error"}, "permanent: stream_error"),
        ({"type": "permission_error"}, "permanent: stream_error"),
        ({"type": "server_error"}, "transient: stream_error"),
        ({"message": "overloaded"}, "transient: stream_error"),
        ("overloaded", "transient: stream_error"),
        (None, "transient: stream_error"),
    ],
)
@pytest.mark.parametrize("place", [0, 2, 3])
def test_an_error_inside_a_stream_is_final_only_if_the_request_is_wrong(
    error: object, expected: str, place: int
) -> None:
    """What a provider reports in the place of an event, wherever it does so."""
    assert expected == reason_of(with_event({"error": error}, place))


@pytest.mark.parametrize("place", range(5))
def test_usage_may_come_with_any_event(place: int) -> None:
    """Some providers send it early; an event without any takes nothing back."""
    chunks = [{**each, "usage": None} for each in ONE.chunks()]
    chunks[place]["usage"] = ONE.usage

    assert ONE.reply() == read_stream(status=200, headers=EVENT_STREAM, body=written(chunks))


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ([], "an event must be an object, got list"),
        ({"model": "m"}, "choices is missing"),
        ({"choices": []}, "model is missing"),
        ({"model": "m", "choices": {}}, "choices must be an array, got dict"),
        ({"model": 1, "choices": []}, "model must be a string, got int"),
        ({"model": "m", "choices": ["x"]}, "choices[0] must be an object, got str"),
        ({"model": "m", "choices": [{}]}, "choices[0].delta is missing"),
        (
            {"model": "m", "choices": [{"delta": {"content": 1}}]},
            "choices[0].delta.content must be a string, got int",
        ),
        (
            {"model": "m", "choices": [{"delta": {}, "finish_reason": 1}]},
            "choices[0].finish_reason must be a string, got int",
        ),
        ({"a": math.nan}, "an event holds NaN"),
    ],
)
def test_a_defect_of_an_event_is_named_with_its_place(new: object, message: str) -> None:
    """As it is of plain replies."""
    with pytest.raises(QueryError) as refused:
        read_stream(status=200, headers=EVENT_STREAM, body=with_event(new))

    error = refused.value
    assert (message, "reply_error", "permanent") == (error.message, error.error_type, error.kind)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (written(ONE.chunks(), done=False), "stream_truncated"),
        (with_event({"error": {"type": "server_error"}}), "stream_error"),
    ],
)
def test_what_another_attempt_may_mend_is_an_error_of_the_stream(body: bytes, reason: str) -> None:
    """And no wait is asked for."""
    with pytest.raises(QueryError) as refused:
        read_stream(status=201, headers=EVENT_STREAM, body=body)

    error = refused.value
    assert (error.kind, error.reason, error.error_type) == ("transient", reason, "stream_error")
    assert (error.status_code, error.retry_after_s) == (201, None)


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ([], "mistyped_field"),
        ("text", "mistyped_field"),
        ({"model": "m"}, "missing_field"),
        ({"choices": []}, "missing_field"),
        ({"model": 1, "choices": []}, "mistyped_field"),
        ({"model": "m", "choices": {}}, "mistyped_field"),
        ({"model": "m", "choices": ["x"]}, "mistyped_field"),
        ({"model": "m", "choices": [{}]}, "missing_field"),
        ({"model": "m", "choices": [{"delta": []}]}, "mistyped_field"),
        ({"model": "m", "choices": [{"delta": {"content": 1}}]}, "mistyped_field"),
        ({"model": "m", "choices": [{"delta": {}, "finish_reason": 1}]}, "mistyped_field"),
        ({"model": "m", "choices": [], "usage": []}, "mistyped_field"),
        ({"model": "m", "choices": [], "usage": {}}, "missing_field"),
        ({"model": "m", "choices": [], "usage": {"prompt_tokens": True}}, "mistyped_field"),
        ({"model": "m", **chunk({}, finish="length")}, "response_truncated"),
        ({"model": "m", **chunk({}, finish="content_filter")}, "content_filtered"),
        ({"model": "m", **chunk({}, finish="tired")}, "unknown_finish_reason"),
    ],
)
def test_each_defect_of_an_event_has_its_own_name(new: object, reason: str) -> None:
    """One thing wrong in an otherwise good stream fails the row for good, by that thing's name."""
    place = 3 if "finish" in reason or "content_f" in reason or "trunc" in reason else 2

    assert f"permanent: {reason}" == reason_of(with_event(new, place))


def test_a_stream_needs_a_finish_a_text_and_its_type() -> None:
    """No finish_reason, nothing but blanks, another content type, no JSON: each by its name."""
    chunks = ONE.chunks()
    blank = Said(pieces=[" ", "\n"], model="m", usage=None)

    assert reason_of(written(chunks[:3])) == "permanent: missing_field"
    assert reason_of(written(blank.chunks())) == "permanent: blank_content"
    assert reason_of(written(chunks), headers={"content-type": "text/html"}) == (
        "permanent: wrong_content_type"
    )
    assert reason_of(written(chunks), headers={}) is None
    assert reason_of(b"data: {\n\n") == "permanent: invalid_json"
    assert reason_of(b"data: [DONE]\n\n") == "permanent: missing_field"


@given(st.integers(100, 599))
def test_a_failed_status_decides_before_the_stream(status: int) -> None:
    """As it does of plain replies, whatever the body holds."""
    fate = status_fate(status)
    reason = reason_of(written(ONE.chunks()), status)

    assert reason is None if fate == "ok" else (reason or "").startswith(f"{fate}: ")


@given(
    st.lists(st.lists(st.text("ab: {}", max_size=4), min_size=1, max_size=3), max_size=4),
    LINE_ENDS,
    st.booleans(),
)
def test_the_data_of_events_is_what_their_lines_say(
    events: list[list[str]], end: str, space: bool
) -> None:
    """Lines of one event are joined; one space after the colon is not part of the data."""
    colon = "data: " if space else "data:"
    lines = [[line.lstrip(" ") for line in event] for event in events]
    body = "".join("".join(f"{colon}{line}{end}" for line in event) + end for event in lines)
    unfinished = f"{body}data: never ended{end}"

    expected = ["\n".join(event).encode() for event in lines]
    assert expected == list(event_data(body.encode()))
    assert expected == list(event_data(unfinished.encode()))


def test_two_blanks_after_the_colon_are_one_blank_of_the_data() -> None:
    """And a field without a colon is one without a value."""
    assert list(event_data(b"data:  x\n\ndata\n\ndatum: y\n\n\n\n")) == [b" x", b""]
