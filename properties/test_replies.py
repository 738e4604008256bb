"""A complete reply is taken as it was sent, or refused by the name and place of what is wrong.

What can be listed is listed and not drawn: every status, every field, every kind of defect.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.components.llm_reply import LlmReply, read_reply
from chaoscheck.components.llm_stream import read_stream
from chaoscheck.components.query import QueryError
from models.status_meaning import error_type_of, meaning_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "id": "1",
    "model": "served/m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": " hi\n"}}
    ],
    "usage": {"prompt_tokens": 0, "completion_tokens": 2, "total_tokens": 2},
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(TEXTS, parts, max_size=3),
    max_leaves=5,
)
GONE = object()
CHOICE = "choices[0]"
MESSAGE = f"{CHOICE}.message"
CONTENT, FINISH = f"{MESSAGE}.content", f"{CHOICE}.finish_reason"
COUNTS = ("usage.prompt_tokens", "usage.completion_tokens", "usage.total_tokens")
KINDS: Mapping[str, str] = {
    "model": "a string",
    "choices": "an array",
    CHOICE: "an object",
    FINISH: "a string",
    MESSAGE: "an object",
    CONTENT: "a string",
    "usage": "an object",
    **dict.fromkeys(COUNTS, "a number"),
}
VALUES: Mapping[str, list[Any]] = {
    "a string": ["text"],
    "an array": [[]],
    "an object": [{}],
    "a number": [7],
    "no JSON type that a reply has here": [True, False, 0.5],
}


def steps_of(path: str) -> list[str | int]:
    """Where in a document a path leads."""
    parts = path.replace("[", ".").replace("]", "").split(".")
    return [int(part) if part.isdigit() else part for part in parts]


def with_value(path: str, value: object) -> bytes:
    """The good reply as JSON, with ``value`` at ``path``."""
    reply: Any = copy.deepcopy(GOOD)
    *steps, last = steps_of(path)
    holder = reply
    for step in steps:
        holder = holder[step]
    if value is GONE:
        del holder[last]
    else:
        holder[last] = value
    return json.dumps(reply).encode()


def read(body: bytes, status: int = 200, **headers: str) -> LlmReply:
    """The reply, at a fixed date."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_reply(status=status, headers=named, body=body, utc_now=lambda: NOW)


def refusal_of(body: bytes, **headers: str) -> tuple[str, str]:
    """(reason, message) of the permanent refusal of a reply with status 203."""
    with pytest.raises(QueryError) as refused:
        read(body, 203, **headers)
    error = refused.value
    assert (error.kind, error.error_type, error.status_code, error.retry_after_s) == (
        ("permanent", "reply_error", 203, None)
    )
    assert str(error) == error.message
    assert error.__cause__ is None
    assert error.__suppress_context__
    return error.reason, error.message


# ---------------------------------------------------------------------- good replies


@pytest.mark.parametrize("status", [200, 201, 299])
def test_a_good_reply_is_taken_as_it_was_sent(status: int) -> None:
    """Blanks around the text, the model and the counts: to the last character."""
    taken = read(json.dumps(GOOD).encode(), status)

    assert taken == LlmReply(content=" hi\n", model="served/m", usage=GOOD["usage"])


@pytest.mark.parametrize("usage", [GONE, None])
def test_a_reply_without_usage_is_good(usage: object) -> None:
    """Some providers send none."""
    assert read(with_value("usage", usage)).usage == {}


def test_the_first_choice_is_the_answer() -> None:
    """However many were sent."""
    other = {"finish_reason": "length", "message": {"content": "other"}}

    assert read(with_value("choices", [*GOOD["choices"], other])).content == " hi\n"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", " ", ""],
)
@pytest.mark.parametrize("name", ["content-type", "Content-Type"])
def test_a_content_type_is_read_as_http_has_it(name: str, content_type: str) -> None:
    """In any case, with parameters, or not at all."""
    other = {"X-Other": "text/html", name: content_type}
    taken = read_reply(status=200, headers=other, body=json.dumps(GOOD).encode())

    assert taken.content == " hi\n"


# ---------------------------------------------------------------------- defects


@pytest.mark.parametrize("path", [path for path in KINDS if path not in (CHOICE, "usage")])
def test_a_missing_field_is_named_with_its_place(path: str) -> None:
    """Every field that a reply needs; of usage, each count or none of them."""
    assert refusal_of(with_value(path, GONE)) == ("missing_field", f"{path} is missing")


@pytest.mark.parametrize("path", KINDS)
def test_a_field_of_another_type_is_named_with_its_place(path: str) -> None:
    """Whatever other type it has; a boolean is no number, and a number with a fraction none."""
    expected = KINDS[path]
    others = [value for kind, values in VALUES.items() if kind != expected for value in values]
    for value in others:
        reason, message = refusal_of(with_value(path, value))

        assert reason == "mistyped_field"
        assert message == f"{path} must be {expected}, got {type(value).__name__}"


@pytest.mark.parametrize("path", COUNTS)
def test_a_negative_count_is_named_with_its_place(path: str) -> None:
    """Zero is a count, minus one is not."""
    reason, message = refusal_of(with_value(path, -1))

    assert (reason, message) == ("mistyped_field", f"{path} must be >= 0, got -1")
    assert read(with_value(path, 0)).usage[path.removeprefix("usage.")] == 0


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("choices", [], "empty_choices"),
        (CONTENT, None, "null_content"),
        *((CONTENT, blank, "blank_content") for blank in ("", " ", "\t\r\n", "\u00a0\u2003")),
        (FINISH, "length", "response_truncated"),
        (FINISH, "content_filter", "content_filtered"),
        (FINISH, "", "unknown_finish_reason"),
        (FINISH, "Stop", "unknown_finish_reason"),
        (FINISH, "tool_calls", "unknown_finish_reason"),
    ],
)
def test_each_defect_of_a_reply_has_its_own_name(path: str, value: object, reason: str) -> None:
    """One thing wrong in an otherwise good reply fails the row for good, by that thing's name."""
    found, message = refusal_of(with_value(path, value))

    assert found == reason
    assert repr(value) in message or value is None or value == []


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("length", "response_truncated"), ("content_filter", "content_filtered")],
)
@pytest.mark.parametrize("message", [None, {}, {"content": None}, {"content": " "}])
def test_a_reply_that_was_cut_short_is_named_so_whatever_else_is_wrong(
    finish: str, reason: str, message: object
) -> None:
    """It may well have no content at all."""
    choice = {"finish_reason": finish, "message": message}

    assert refusal_of(with_value("choices", [choice]))[0] == reason


@pytest.mark.parametrize("path", ["id", *KINDS])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "1e400", "-1e400"])
def test_a_number_that_is_none_is_refused_wherever_it_stands(path: str, value: object) -> None:
    """NaN and infinities, also where a number only becomes one when it is read."""
    body = with_value(path, value)
    if isinstance(value, str):
        body = body.replace(f'"{value}"'.encode(), value.encode())

    reason, message = refusal_of(body)

    assert reason == "not_a_number"
    assert message == f"the body holds {json.dumps(value).strip(chr(34))}"


def test_a_long_number_is_named_by_its_beginning() -> None:
    """A message is for readers: 40 characters are enough of it."""
    number = f"{'1' * 60}.5e400"
    body = with_value("id", 1).replace(b"1,", f"{number},".encode(), 1)

    assert refusal_of(body) == ("not_a_number", f"the body holds {number[:40]}")


def test_a_large_number_that_is_one_is_read() -> None:
    """In a field that nobody asks for, as well."""
    assert read(with_value("id", 1e308)).content == " hi\n"


@pytest.mark.parametrize(
    ("document", "twice"),
    [
        (b'{"a": 1, "a": 1}', "'a'"),
        (b'{"b": 0, "a": {"c": [{"d": 1, "e": 2, "d": 3}]}}', "'d'"),
    ],
)
def test_a_name_that_stands_twice_is_refused(document: bytes, twice: str) -> None:
    """On any level, with equal values as well."""
    assert refusal_of(document) == ("duplicate_key", f"the body holds {twice} twice")


@pytest.mark.parametrize("body", [b"", b"{", b"nul", b"{}x", b'"\xff"', b"[" * 100_000])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    """Nothing, half of it, more than it, another encoding, nested beyond reason."""
    assert refusal_of(body)[0] == "invalid_json"


@pytest.mark.parametrize("body", [b"1", b"[]", b"null", b'"text"', b"true"])
def test_a_body_is_an_object(body: bytes) -> None:
    """As every reply is."""
    reason, message = refusal_of(body)

    assert (reason, message[:26]) == ("mistyped_field", "the body must be an object")


@pytest.mark.parametrize("said", ["text/html", "text/event-stream", "application/jsonl", "json"])
def test_another_content_type_is_refused_before_the_body(said: str) -> None:
    """Whatever the body holds."""
    reason, message = refusal_of(b"{", Content_Type=said)

    assert reason == "wrong_content_type"
    assert message == f"the reply must be application/json, got {said!r}"


@given(st.integers(0, len(json.dumps(GOOD)) - 1))
def test_a_reply_that_is_cut_is_not_json(length: int) -> None:
    """No prefix of a good reply passes for a reply."""
    assert refusal_of(json.dumps(GOOD).encode()[:length])[0] == "invalid_json"


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_at_all_makes_the_check_fail(body: bytes) -> None:
    """Whatever a server sends, the answer is a named error and never a crash."""
    reasons = {"invalid_json", "mistyped_field", "missing_field", "not_a_number"}
    assert refusal_of(body)[0] in reasons


# ---------------------------------------------------------------------- statuses


@pytest.mark.parametrize("reader", [read_reply, read_stream])
def test_the_status_alone_says_whether_to_try_again(reader: Callable[..., LlmReply]) -> None:
    """Its kind, its name and the wait that it asks for, for every status, whatever the body."""
    headers = {"retry-after": "Sun, 01 Mar 2026 12:00:07 GMT"}
    for status in [*range(100, 200), *range(300, 600), 600]:
        fate, reason = meaning_of(status)
        with pytest.raises(QueryError) as refused:
            reader(status=status, headers=headers, body=b"{", utc_now=lambda: NOW)

        error = refused.value
        assert (fate, reason, status) == (error.kind, error.reason, error.status_code)
        assert (error.error_type, error.retry_after_s) == (error_type_of(fate), 7.0)
        assert (error.retryable, error.capacity) == (fate != "permanent", fate == "capacity")


def test_a_failed_status_without_headers_asks_for_no_wait() -> None:
    """Neither does a calendar of one's own have to be given."""
    with pytest.raises(QueryError) as refused:
        read_reply(status=503, headers={}, body=b"")

    assert refused.value.retry_after_s is None
