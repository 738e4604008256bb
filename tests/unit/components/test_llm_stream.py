"""A streamed reply is taken whole or not at all, and each of its defects has its own name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.components.llm_reply import LlmReply
from chaoscheck.components.llm_stream import event_data, read_stream
from chaoscheck.components.query import QueryError

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
DONE = b"data: [DONE]\n\n"


def chunk(finish: str | None = None, **delta: object) -> dict[str, object]:
    """A chunk of one choice."""
    return {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def event(value: object) -> bytes:
    """A value as an event."""
    return f"data: {json.dumps(value)}\n\n".encode()


def stream(*pieces: str, finish: str = "stop") -> list[bytes]:
    """The events of a good stream that says these pieces."""
    said = [event(chunk(content=piece)) for piece in pieces]
    usage = event({"model": "m", "choices": [], "usage": USAGE})
    return [event(chunk(role="assistant", content="")), *said, event(chunk(finish)), usage, DONE]


GOOD = stream("blue ", "sky")


def failure_of(body: bytes, **headers: str) -> QueryError:
    """The error that reading this stream raises."""
    with pytest.raises(QueryError) as caught:
        read_stream(status=200, headers=headers, body=body)
    return caught.value


def test_a_good_stream_yields_exactly_what_was_sent() -> None:
    """All pieces in order, and the usage of the last chunk."""
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    reply = read_stream(status=200, headers=headers, body=b"".join(GOOD))

    assert LlmReply(content="blue sky", model="m", usage=USAGE) == reply


@given(st.lists(st.text(min_size=1), max_size=5), st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_text_survives_any_line_end(pieces: list[str], end: str) -> None:
    """Not one character is lost or added, whichever line ends the server uses."""
    body = b"".join(stream("x", *pieces)).replace(b"\n", end.encode())

    assert "x" + "".join(pieces) == read_stream(status=200, headers={}, body=body).content


@given(st.integers(0, len(b"".join(GOOD)) - 1))
def test_a_stream_cut_at_any_byte_is_worth_another_attempt(length: int) -> None:
    """Even where HTTP says that it is whole: [DONE] and its empty line are missing."""
    failure = failure_of(b"".join(GOOD)[:length])

    assert ("stream_truncated", "transient") == (failure.reason, failure.kind)


@pytest.mark.parametrize(
    ("events", "reason", "kind"),
    [
        (GOOD[:-1], "stream_truncated", "transient"),
        ([], "stream_truncated", "transient"),
        ([DONE], "missing_field", "permanent"),
        (stream("blue", finish="length"), "response_truncated", "permanent"),
        (stream("blue", finish="content_filter"), "content_filtered", "permanent"),
        (stream(" ", "\n"), "blank_content", "permanent"),
        ([GOOD[0], b"data: {,\n\n", *GOOD[1:]], "invalid_json", "permanent"),
        ([GOOD[0], b"data: \xff\n\n", *GOOD[1:]], "invalid_json", "permanent"),
        ([GOOD[0], b'data: {"a": NaN}\n\n', *GOOD[1:]], "not_a_number", "permanent"),
        ([GOOD[0], b'data: {"a": 1, "a": 2}\n\n', *GOOD[1:]], "duplicate_key", "permanent"),
        ([event(chunk(content=7)), *GOOD[1:]], "mistyped_field", "permanent"),
        ([event({"model": "m", "choices": "x"}), *GOOD[1:]], "mistyped_field", "permanent"),
        ([event({"model": "m"}), *GOOD[1:]], "missing_field", "permanent"),
        ([*GOOD[:2], event({"error": {"type": "overloaded"}})], "stream_error", "transient"),
        ([*GOOD[:2], event({"error": "?"})], "stream_error", "transient"),
        (
            [*GOOD[:2], event({"error": {"type": "invalid_request_error"}})],
            "stream_error",
            "permanent",
        ),
    ],
    ids=str,
)
def test_each_defect_has_its_name(events: list[bytes], reason: str, kind: str) -> None:
    """I can tell from the reason what was wrong, and whether to ask again."""
    failure = failure_of(b"".join(events))

    assert (reason, kind, 200) == (failure.reason, failure.kind, failure.status_code)


def test_comments_and_what_follows_the_end_are_ignored() -> None:
    """Keep-alives, other fields and a second [DONE] change nothing."""
    noise = b": keep-alive\n\nevent: x\nid: 1\n\n"
    body = noise.join([b"", *GOOD]) + DONE + event(chunk(content="more"))

    assert "blue sky" == read_stream(status=200, headers={}, body=body).content


def test_an_event_may_have_several_lines() -> None:
    """Data lines of one event are joined by line ends."""
    assert [b"a\nb", b"c"] == list(event_data(b"data: a\ndata:b\n\ndata: c\n\ndata: cut"))


def test_a_stream_that_is_json_is_refused() -> None:
    """The server did not stream, although it was asked to."""
    failure = failure_of(b"".join(GOOD), **{"content-type": "application/json"})

    assert "wrong_content_type" == failure.reason
