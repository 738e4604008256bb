"""Chat completions as a stream: the order, the pieces and the timing of its events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.plan.answer import Answer
from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.chat.answer import (
    answer_azure_chat,
    answer_chat,
    answer_openrouter_chat,
)
from chaoscheck.server.apis.speaker import Echo, Speaker
from tests.unit.server.apis.calls import ask, at, chat, document, says

CALLING: dict[str, Any] = {
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {"const": {"a": 1234}}}}
    ],
    "tool_choice": "required",
}
APIS = [answer_chat, answer_azure_chat, answer_openrouter_chat]
every_api = pytest.mark.parametrize("api", APIS, ids=["openai", "azure", "openrouter"])


def stream(
    text: str = "hello there",
    *,
    api: Api = answer_chat,
    speaker: Speaker | None = None,
    **parameters: object,
) -> Answer:
    """The streamed answer to a chat request."""
    return ask(api, chat(text, stream=True, **parameters), speaker=speaker)[0]


def said_by(answer: Answer, choice: int = 0) -> str:
    """The text of a stream's choice."""
    chunks = says(answer, "start", "content", "finish")
    deltas = [
        each["delta"] for chunk in chunks for each in chunk["choices"] if each["index"] == choice
    ]
    return "".join([delta.get("content") or "" for delta in deltas])


def test_a_stream_comes_in_the_order_of_openai() -> None:
    """Role, words, finish reason, usage, and the line that ends it."""
    answer = stream(stream_options={"include_usage": True})

    kinds = [event.kind for event in answer.events]
    assert ["start", "content", "content", "finish", "usage", "end"] == kinds
    deltas = [chunk["choices"][0]["delta"] for chunk in says(answer)[:-1]]
    role = {"role": "assistant", "content": "", "refusal": None}
    assert [role, {"content": "hello "}, {"content": "there"}, {}] == deltas
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in says(answer)[:-1]]
    assert [None, None, None, "stop"] == reasons
    assert b"data: [DONE]\n\n" == answer.events[-1].payload
    assert (True, ("content-type", "text/event-stream; charset=utf-8")) == (
        answer.streamed,
        answer.headers[0],
    )


def test_usage_comes_only_if_asked_for() -> None:
    """include_usage adds a last chunk without choices, and a null to the others."""
    without = says(stream())
    *others, last = says(stream(stream_options={"include_usage": True}))

    assert [] == [chunk for chunk in without if "usage" in chunk]
    assert [None] * 4 == [chunk["usage"] for chunk in others]
    usage = {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
    assert ([], usage) == (last["choices"], last["usage"])


@every_api
@settings(max_examples=40)
@given(text=st.text(max_size=40), limit=st.none() | st.integers(1, 4))
def test_a_stream_says_what_the_whole_answer_says(api: Api, text: str, limit: int | None) -> None:
    """Streamed or not, my text is the same to the character."""
    parameters: dict[str, Any] = {} if limit is None else {"max_tokens": limit}
    whole, said = ask(api, chat(text, **parameters))
    choice = document(whole)["choices"][0]

    streamed = stream(text, api=api, **parameters)

    assert choice["message"]["content"] == said == said_by(streamed)
    (finish,) = says(streamed, "finish")
    assert choice["finish_reason"] == finish["choices"][0]["finish_reason"]


def test_choices_take_turns() -> None:
    """Of several choices each has its role, its words and its finish, side by side."""
    answer = stream(n=2)

    indexes = [chunk["choices"][0]["index"] for chunk in says(answer)]
    assert [0, 1] * 4 == indexes
    assert ("hello there", "hello there") == (said_by(answer, 0), said_by(answer, 1))


def test_a_tool_call_comes_id_first() -> None:
    """The first delta of a call names it, the others grow its arguments."""
    answer = stream(**CALLING)

    deltas = [chunk["choices"][0]["delta"] for chunk in says(answer, "start", "content")]
    role, first, *rest = deltas
    (call,) = first["tool_calls"]
    assert (None, "call_000007_0", "f", "") == (
        role["content"],
        call["id"],
        call["function"]["name"],
        call["function"]["arguments"],
    )
    arguments = [delta["tool_calls"][0]["function"]["arguments"] for delta in rest]
    assert {"a": 1234} == json.loads("".join(arguments))
    assert "tool_calls" == says(answer, "finish")[0]["choices"][0]["finish_reason"]


def test_each_word_comes_at_its_time() -> None:
    """The first word waits for the first token, each other one for the next."""
    answer = stream("a b c", speaker=Echo(first_token_s=0.5, token_s=0.1))

    assert [0.0, 0.5, 0.1, 0.1, 0.0, 0.0] == [event.delay_s for event in answer.events]


@pytest.mark.parametrize("parameters", [{"n": 3}, CALLING, {"n": 2, **CALLING}])
def test_a_stream_takes_as_long_as_the_whole_answer(parameters: dict[str, Any]) -> None:
    """However many choices there are, they are said at the same time."""
    speaker = Echo(first_token_s=0.5, token_s=0.125)

    whole, _ = ask(answer_chat, chat("a b", **parameters), speaker=speaker)
    streamed = stream("a b", speaker=speaker, **parameters)

    assert whole.delay_s == sum([event.delay_s for event in streamed.events]) >= 0.625


def test_a_reply_without_a_word_takes_its_time() -> None:
    """Nothing said is still an answer: it is late by the time of the first token."""
    answer = stream("", speaker=Echo(first_token_s=0.5))

    assert [("start", 0.0), ("finish", 0.5), ("end", 0.0)] == [
        (event.kind, event.delay_s) for event in answer.events
    ]


def test_azure_begins_with_what_its_filter_thinks_of_the_prompt() -> None:
    """A first chunk without choices, and a verdict on each piece of text."""
    first, role, *rest = says(stream(api=answer_azure_chat))

    assert ([], True) == (first["choices"], "prompt_filter_results" in first)
    assert "content_filter_results" not in role["choices"][0]
    assert all("content_filter_results" in chunk["choices"][0] for chunk in rest[:2])


def test_openrouter_begins_with_a_comment() -> None:
    """Clients must skip it; every chunk names who served."""
    answer = stream(api=answer_openrouter_chat)

    assert ("comment", b": OPENROUTER PROCESSING\n\n") == answer.events[0][:2]
    assert {"chaoscheck"} == {chunk["provider"] for chunk in says(answer)}
    assert ["stop"] == [
        chunk["choices"][0]["native_finish_reason"] for chunk in says(answer, "finish")
    ]


@every_api
@pytest.mark.parametrize("parameters", [{}, CALLING], ids=["text", "call"])
def test_the_shape_leads_to_the_text_of_each_piece(api: Api, parameters: dict[str, Any]) -> None:
    """Faults that edit a stream find what a client reads in every content event."""
    answer = stream(api=api, **parameters)

    assert answer.shape is not None
    content = says(answer, "content")
    pieces = [at(chunk, answer.shape.content) for chunk in content]
    assert "".join(pieces) in ("hello there", '{"a":1234}')
    assert {1_700_000_000} == {at(chunk, answer.shape.number) for chunk in content}
    assert {list} == {type(at(chunk, answer.shape.items)) for chunk in content}
