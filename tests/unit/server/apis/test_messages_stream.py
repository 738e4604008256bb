"""Anthropic's Messages API as a stream: every event, in order, at its time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault_kinds.document import has_part, remove_part
from chaoscheck.plan.tool_calls import ToolCall
from chaoscheck.server.apis.speaker import Echo, Speaker
from tests.unit.server.apis.message_calls import HELLO, TOOLS, Caller, answered

STREAMED = HELLO | {"stream": True}
TWO_CALLS = (
    ToolCall(name="weather", arguments='{"place": "Ürümqi", "days": 12}'),
    ToolCall(name="clock", arguments="{}"),
)


def _stream(body: object, *, speaker: Speaker | None = None) -> Answer:
    answer, _ = answered(body, speaker=speaker)
    assert (200, True, b"") == (answer.status, answer.streamed, answer.body)
    return answer


def _said(answer: Answer) -> list[tuple[str, str, Any]]:
    """Each event as (kind, name, data)."""
    said: list[tuple[str, str, Any]] = []
    for event in answer.events:
        name, data, *end = event.payload.decode().split("\n")
        assert ["", ""] == end
        assert (name[:7], data[:6]) == ("event: ", "data: ")
        said.append((event.kind, name[7:], json.loads(data[6:])))
    return said


def _message_start() -> dict[str, Any]:
    return {
        "type": "message_start",
        "message": {
            "id": "msg_000007",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 2,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 1,
                "service_tier": "standard",
            },
        },
    }


def _text_delta(text: str) -> dict[str, Any]:
    delta = {"type": "text_delta", "text": text}
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def test_a_stream_is_a_message_piece_by_piece() -> None:
    """Event by event it is what Anthropic documents, one delta for each word."""
    start = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    }
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    }
    answer = _stream(STREAMED)

    assert _said(answer) == [
        ("start", "message_start", _message_start()),
        ("start", "content_block_start", start),
        ("start", "ping", {"type": "ping"}),
        ("content", "content_block_delta", _text_delta("hello ")),
        ("content", "content_block_delta", _text_delta("there")),
        ("finish", "content_block_stop", {"type": "content_block_stop", "index": 0}),
        ("finish", "message_delta", end),
        ("end", "message_stop", {"type": "message_stop"}),
    ]
    assert "text/event-stream; charset=utf-8" == dict(answer.headers)["content-type"]


@pytest.mark.parametrize("text", ['ü "\n\ud800 日本\t x ', " a", "", "  ", "one two three four"])
@pytest.mark.parametrize(
    "limits", [{}, {"max_tokens": 2}, {"stop_sequences": ["three", '"'], "max_tokens": 99}]
)
def test_a_stream_says_what_the_whole_message_says(text: str, limits: dict[str, Any]) -> None:
    """Streamed or not, I get the same text, the same reason to end and the same counts."""
    body = HELLO | {"messages": [{"role": "user", "content": text}]} | limits
    whole, whole_tag = answered(body)
    streamed, tag = answered(body | {"stream": True})
    events = _said(streamed)
    message = json.loads(whole.body)
    [ended] = [data for _, name, data in events if name == "message_delta"]

    pieces = [data["delta"]["text"] for kind, _, data in events if kind == "content"]
    assert whole_tag == tag == message["content"][0]["text"] == "".join(pieces)
    assert message["stop_reason"] == ended["delta"]["stop_reason"]
    assert message["stop_sequence"] == ended["delta"]["stop_sequence"]
    assert message["usage"]["output_tokens"] == ended["usage"]["output_tokens"]


def test_calls_of_tools_are_blocks_of_json_piece_by_piece() -> None:
    """Each call is a block of its own, and its pieces joined are its input."""
    answer = _stream(STREAMED | TOOLS, speaker=Caller(calls=TWO_CALLS))
    events = _said(answer)
    blocks = [data["content_block"] for _, name, data in events if name == "content_block_start"]
    deltas = [data for kind, _, data in events if kind == "content"]

    assert blocks == [
        {"type": "tool_use", "id": "toolu_000007_0", "name": "weather", "input": {}},
        {"type": "tool_use", "id": "toolu_000007_1", "name": "clock", "input": {}},
    ]
    assert [call.arguments for call in TWO_CALLS] == [
        "".join([it["delta"]["partial_json"] for it in deltas if it["index"] == index])
        for index in (0, 1)
    ]
    assert {"input_json_delta"} == {it["delta"]["type"] for it in deltas}
    assert ["tool_use"] == [
        data["delta"]["stop_reason"] for _, name, data in events if name == "message_delta"
    ]
    assert 1 == [name for _, name, _ in events].count("ping")


@pytest.mark.parametrize(
    ("body", "calls"), [(STREAMED, ()), (STREAMED | TOOLS, TWO_CALLS)], ids=["text", "calls"]
)
def test_tokens_come_at_their_time(body: dict[str, Any], calls: tuple[ToolCall, ...]) -> None:
    """The first token takes its time, each other one its own, and nothing else takes any."""
    speaker: Speaker = Echo(first_token_s=2.0, token_s=0.5)
    if calls:
        speaker = Caller(calls=calls, first_token_s=2.0, token_s=0.5)
    answer = _stream(body, speaker=speaker)
    whole, _ = answered(body | {"stream": False}, speaker=speaker)
    content = [event.delay_s for event in answer.events if event.kind == "content"]

    assert [2.0] + [0.5] * (len(content) - 1) == content
    assert whole.delay_s == sum(content) == sum([event.delay_s for event in answer.events])


@pytest.mark.parametrize("tool_choice", [{}, TOOLS | {"tool_choice": {"type": "any"}}])
def test_what_a_delta_holds_is_where_its_shape_says(tool_choice: dict[str, Any]) -> None:
    """Faults that edit a stream's content find its parts."""
    answer = _stream(STREAMED | tool_choice)
    for part in ("items", "content", "number"):
        assert has_part(answer, part)
        assert answer != remove_part(answer, part)
