"""Each defect of a reply has its own name, and only some of them are worth another attempt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.components.llm_reply import LlmReply, read_reply
from chaoscheck.components.query import QueryError
from models.llm_fates import status_fate


def completion(**changes: object) -> dict[str, Any]:
    """A good chat completion, with ``changes`` at its top."""
    message = {"role": "assistant", "content": "blue"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    return {"id": "c1", "model": "m", "choices": [choice], "usage": usage} | changes


def choice_with(**changes: object) -> dict[str, Any]:
    """A completion whose only choice has ``changes``."""
    return completion(choices=[completion()["choices"][0] | changes])


def body_of(value: object) -> bytes:
    """JSON in bytes; NaN as Python writes it."""
    return json.dumps(value).encode()


def failure_of(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> QueryError:
    """The error that reading this reply raises."""
    with pytest.raises(QueryError) as caught:
        read_reply(status=status, headers=headers or {}, body=body)
    return caught.value


def test_a_good_reply_yields_exactly_what_was_sent() -> None:
    """Content, model and usage come through unchanged."""
    expected = LlmReply(
        content=" ünï\n",
        model="m",
        usage={"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    )
    body = body_of(choice_with(message={"content": " ünï\n"}))

    assert expected == read_reply(status=200, headers={}, body=body)


@settings(max_examples=40)
@given(st.text(max_size=20).map(lambda text: f"{text}."))
def test_any_content_survives_unchanged(content: str) -> None:
    """Not one character is lost or added."""
    body = body_of(choice_with(message={"content": content}))

    assert content == read_reply(status=200, headers={}, body=body).content


@pytest.mark.parametrize("usage", [None, "absent"])
def test_usage_may_be_missing(usage: str | None) -> None:
    """Some providers do not count."""
    reply = completion(usage=None)
    if usage == "absent":
        del reply["usage"]

    assert read_reply(status=200, headers={}, body=body_of(reply)).usage == {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "invalid_json"),
        (b'{"choices": [', "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"n": ' + b"9" * 5000 + b"}", "invalid_json"),
        (body_of(completion(created=float("nan"))), "not_a_number"),
        (b'{"created": 1e999}', "not_a_number"),
        (b"[]", "mistyped_field"),
        (b"{}", "missing_field"),
        (body_of(completion(choices=None)), "mistyped_field"),
        (body_of(completion(choices=[])), "empty_choices"),
        (body_of(completion(choices=["x"])), "mistyped_field"),
        (body_of(completion(model=7)), "mistyped_field"),
        (body_of(completion(usage=[])), "mistyped_field"),
        (body_of(completion(usage={"prompt_tokens": 1})), "missing_field"),
        (
            body_of(
                completion(usage={"prompt_tokens": 1, "completion_tokens": -1, "total_tokens": 0})
            ),
            "mistyped_field",
        ),
        (
            body_of(
                completion(usage={"prompt_tokens": True, "completion_tokens": 1, "total_tokens": 0})
            ),
            "mistyped_field",
        ),
        (body_of(choice_with(message=None)), "mistyped_field"),
        (body_of(choice_with(message={})), "missing_field"),
        (body_of(choice_with(message={"content": None})), "null_content"),
        (body_of(choice_with(message={"content": 5})), "mistyped_field"),
        (body_of(choice_with(message={"content": " \n"})), "blank_content"),
        (body_of(choice_with(finish_reason="length")), "response_truncated"),
        (body_of(choice_with(finish_reason="content_filter", message={})), "content_filtered"),
        (body_of(choice_with(finish_reason="bored")), "unknown_finish_reason"),
        (body_of(choice_with(finish_reason=None)), "mistyped_field"),
    ],
    ids=range(26),
)
def test_each_defect_of_a_complete_reply_is_its_own_permanent_error(
    body: bytes, reason: str
) -> None:
    """A complete reply that is wrong would be wrong again, so it is named and not retried."""
    error = failure_of(body)

    assert (reason, "permanent", "reply_error", 200) == (
        error.reason,
        error.kind,
        error.error_type,
        error.status_code,
    )


@given(st.integers(100, 599))
def test_the_status_decides_whether_another_attempt_may_help(status: int) -> None:
    """408, 409, 425, 429 and every 5xx are retryable, all else but 2xx is permanent."""
    if status_fate(status) == "ok":
        assert read_reply(status=status, headers={}, body=body_of(completion())).content == "blue"
    else:
        error = failure_of(b"", status)
        assert (status_fate(status), status) == (error.kind, error.status_code)
        assert (error.kind == "capacity", error.kind != "permanent") == (
            error.capacity,
            error.retryable,
        )


@pytest.mark.parametrize("status", [429, 503, 408, 500])
def test_a_refusal_carries_what_the_server_asked_for(status: int) -> None:
    """Retry-After is read on every reply that may be retried."""
    assert failure_of(b"", status, {"Retry-After": "7"}).retry_after_s == 7.0


@given(st.binary(max_size=60))
def test_no_body_ever_crashes_a_client(body: bytes) -> None:
    """Whatever arrives, the outcome is a typed error."""
    assert failure_of(body).kind == "permanent"


def test_a_name_that_stands_twice_is_refused() -> None:
    """Of two contents nobody knows which was meant."""
    body = body_of(completion()).replace(b'"content"', b'"content": "red", "content"')

    assert ("duplicate_key", "permanent") == (failure_of(body).reason, failure_of(body).kind)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("application/json", None),
        ("Application/JSON; charset=utf-8", None),
        ("text/html", "wrong_content_type"),
        ("text/event-stream", "wrong_content_type"),
        ("", None),
    ],
)
def test_a_reply_that_says_it_is_something_else_is_refused(said: str, reason: str | None) -> None:
    """A proxy's error page is no answer, even if it parses."""
    body = body_of(completion())
    if reason is None:
        assert "blue" == read_reply(status=200, headers={"Content-Type": said}, body=body).content
    else:
        assert reason == failure_of(body, headers={"Content-Type": said}).reason
