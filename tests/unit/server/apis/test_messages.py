"""Anthropic's Messages API as the good provider speaks it, and its errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.document import has_part, remove_part
from chaoscheck.plan.fault_kinds.status_fault import StatusFault
from chaoscheck.plan.tool_calls import ToolCall
from chaoscheck.server.apis.speaker import Echo
from chaoscheck.server.chaos_server import ChaosServer
from tests.contract.carriers import VIRTUAL, client
from tests.unit.server.apis.message_calls import (
    HELLO,
    TOOLS,
    WEATHER,
    Caller,
    answered,
    refusal,
    said,
)

MESSAGES = "/v1/messages"


def _ask(
    body: object, *, path: str = MESSAGES, method: str = "POST", fault: Fault | None = None
) -> tuple[int, Any, dict[str, str]]:
    """Status, parsed body and headers of one request."""
    server = ChaosServer()
    if fault is not None:
        server.next_fault(fault)

    async def scene(host: str, port: int) -> tuple[int, Any, dict[str, str]]:
        async with client(host, port) as http:
            reply = await http.request(method, path, content=json.dumps(body))
            return reply.status_code, reply.json(), dict(reply.headers)

    return VIRTUAL.play(server, scene)


def test_a_message_echoes_the_last_user_message() -> None:
    """The whole answer, field by field: a function of the request and its number."""
    status, said, headers = _ask(HELLO | {"system": "be kind"})

    expected = {
        "id": "msg_000001",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "hello there"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 4,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 2,
            "service_tier": "standard",
        },
    }
    assert (200, expected) == (status, said)
    assert ("application/json", "req_000001") == (headers["content-type"], headers["request-id"])


@pytest.mark.parametrize(
    ("content", "limits", "text", "reason", "stop"),
    [
        ('ü "\n\ud800', {}, 'ü "\n\ud800', "end_turn", None),
        ("one  two\nthree", {"max_tokens": 3}, "one  two\nthree", "end_turn", None),
        ("one  two\nthree", {"max_tokens": 2}, "one  two", "max_tokens", None),
        ("one two", {"max_tokens": 2**31 - 1}, "one two", "end_turn", None),
        ("", {"max_tokens": 1}, "", "end_turn", None),
        ("one two, three", {"stop_sequences": [","]}, "one two", "stop_sequence", ","),
        ("one two three", {"stop_sequences": ["three", "wo"]}, "one t", "stop_sequence", "wo"),
        ("abcd", {"stop_sequences": ["bcd", "bc"]}, "a", "stop_sequence", "bc"),
        ("one two three", {"stop_sequences": ["four"]}, "one two three", "end_turn", None),
        (
            "one two three",
            {"stop_sequences": ["three"], "max_tokens": 2},
            "one two",
            "max_tokens",
            None,
        ),
    ],
)
def test_the_echo_is_exact_up_to_where_it_must_end(
    content: str, limits: dict[str, Any], text: str, reason: str, stop: str | None
) -> None:
    """What I sent comes back character by character, and ends where I said it must."""
    begun = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": "I begin to say"},
    ]
    answer = said(HELLO | {"messages": begun} | limits)

    assert (text, reason, stop) == (
        answer["content"][0]["text"],
        answer["stop_reason"],
        answer["stop_sequence"],
    )
    assert len(text.split()) == answer["usage"]["output_tokens"]


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
CALLED = {"type": "tool_use", "id": "t1", "name": "weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "rain"}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a "}, IMAGE, {"type": "text", "text": "b"}], "a b"),
        ([{"type": "document", "source": {"type": "text", "data": "read me"}}], "read me"),
        ([IMAGE], ""),
        ([RESULT], "rain"),
        ([{**RESULT, "content": [{"type": "text", "text": "snow"}, IMAGE]}], "snow"),
        ([{"type": "tool_result", "tool_use_id": "t1"}, {"type": "text", "text": "so?"}], "so?"),
    ],
)
def test_blocks_count_by_their_text(content: list[Any], text: str) -> None:
    """Texts and tool results are read, images are seen and not spoken of."""
    answers = any(block["type"] == "tool_result" for block in content)
    called = [CALLED] if answers else [{"type": "thinking", "thinking": "x", "signature": "y"}]
    messages = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": called},
        {"role": "user", "content": content},
    ]
    answer = said(HELLO | {"messages": messages, "metadata": {"user_id": "u"}})

    assert text == answer["content"][0]["text"]
    assert 1 + len(text.split()) == answer["usage"]["input_tokens"]


@pytest.mark.parametrize(
    ("choice", "name", "tool_input"),
    [
        ({"type": "any"}, "weather", {"place": "hello there", "days": 1}),
        ({"type": "tool", "name": "weather"}, "weather", {"place": "hello there", "days": 1}),
        ({"type": "tool", "name": "clock"}, "clock", {}),
    ],
)
def test_a_tool_is_called_when_i_insist(
    choice: dict[str, str], name: str, tool_input: dict[str, Any]
) -> None:
    """The input of the call fits the schema that I gave."""
    answer, tag = answered(HELLO | TOOLS | {"tool_choice": choice})
    message = json.loads(answer.body)

    block = {"type": "tool_use", "id": "toolu_000007_0", "name": name, "input": tool_input}
    assert ([block], "tool_use") == (message["content"], message["stop_reason"])
    assert tool_input == json.loads(tag or "")


@pytest.mark.parametrize("choice", [None, {"type": "auto"}, {"type": "none"}])
def test_no_tool_is_called_unless_i_insist(choice: dict[str, str] | None) -> None:
    """Tools that I merely offer are left alone by an echo."""
    answer = said(HELLO | TOOLS | ({"tool_choice": choice} if choice else {}))

    assert (["text"], "end_turn") == (
        [it["type"] for it in answer["content"]],
        answer["stop_reason"],
    )


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "auto"}, ["weather", "clock"]),
        ({"type": "auto", "disable_parallel_tool_use": True}, ["weather"]),
        ({"type": "none"}, []),
    ],
)
def test_a_speaker_calls_as_many_tools_as_i_allow(choice: dict[str, Any], names: list[str]) -> None:
    """Calls in parallel come only where I take them."""
    calls = (
        ToolCall(name="weather", arguments='{"place":"x"}'),
        ToolCall(name="clock", arguments="["),
    )
    answer = said(HELLO | TOOLS | {"tool_choice": choice}, speaker=Caller(calls=calls))

    blocks = [block for block in answer["content"] if block["type"] == "tool_use"]
    assert names == [block["name"] for block in blocks]
    assert [{"place": "x"}, {}][: len(names)] == [block["input"] for block in blocks]


@pytest.mark.parametrize(
    ("text", "lasts_s"), [("", 0.0), ("one", 2.0), ("one two three", 3.0), (" ", 2.0)]
)
def test_a_whole_message_takes_as_long_as_its_tokens(text: str, lasts_s: float) -> None:
    """What is not streamed comes when all of it has been thought of."""
    body = HELLO | {"messages": [{"role": "user", "content": text}]}
    answer, _ = answered(body, speaker=Echo(first_token_s=2.0, token_s=0.5))

    assert lasts_s == answer.delay_s


def test_what_an_answer_holds_is_where_its_shape_says() -> None:
    """Faults that edit a message find its parts."""
    for body in (HELLO, HELLO | TOOLS | {"tool_choice": {"type": "any"}}):
        answer, _ = answered(body)
        for part in ("items", "content", "number", "usage"):
            assert has_part(answer, part)
            assert answer != remove_part(answer, part)


def _user(content: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": None}, "model: Field required"),
        ({"model": 3}, "model: Input should be a valid string"),
        ({"model": ""}, "model: String should have at least 1 character"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
        ({"stream": "yes"}, "stream: Input should be a valid boolean"),
        ({"metadata": "u"}, "metadata: Input should be a valid dictionary"),
        ({"messages": None}, "messages: Field required"),
        ({"messages": {}}, "messages: Input should be a valid list"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": ["x"]}, "messages.0: Input should be a valid dictionary or object"),
        ({"messages": [{"content": "x"}]}, "messages.0.role: Field required"),
        (
            {"messages": [{"role": "tool"}]},
            "messages.0.role: Input should be 'user' or 'assistant'",
        ),
        ({"messages": [{"role": "system"}]}, 'messages: Unexpected role "system".'),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        (_user(7), "messages.0.content: Input should be a valid list"),
        (_user(["x"]), "messages.0.content.0: Input should be a valid dictionary or object"),
        (_user([{}]), "messages.0.content.0.type: Field required"),
        (_user([{"type": "image_url"}]), "messages.0.content.0: Input tag 'image_url' found"),
        (_user([{"type": ["text"]}]), "messages.0.content.0: Input tag '['text']' found"),
        (_user([{"type": "text"}]), "messages.0.content.0.text.text: Field required"),
        (
            _user([{"type": "text", "text": ["x"]}]),
            "messages.0.content.0.text.text: Input should be a valid string",
        ),
        (_user([{"type": "image"}]), "messages.0.content.0.image.source: Field required"),
        (
            _user([{"type": "image", "source": "x"}]),
            "messages.0.content.0.image.source: Input should be a valid dictionary or object",
        ),
        (
            _user([{"type": "image", "source": {}}]),
            "messages.0.content.0.image.source.type: Field required",
        ),
        (
            _user([{"type": "image", "source": {"type": "ftp"}}]),
            "messages.0.content.0.image.source.type: Input should be one of 'base64'",
        ),
        (
            _user([{**RESULT, "tool_use_id": ["t1"]}]),
            "messages.0.content.0.tool_result.tool_use_id: Input should be a valid string",
        ),
        (
            _user([{**RESULT, "content": [CALLED]}]),
            "messages.0.content.0.tool_result.content.0.type: Input should be one of 'text'",
        ),
        (_user([RESULT]), "messages.0.content.0: unexpected `tool_use_id` found"),
        (
            {
                "messages": [{"role": "assistant", "content": [CALLED]}, *_user("so?")["messages"]]
                * 2
            },
            "messages.0: `tool_use` ids were found without `tool_result` blocks immediately after",
        ),
        ({"system": 7}, "system: Input should be a valid string or a list of text blocks"),
        ({"system": ["x"]}, "system.0.type: Input should be 'text'"),
        ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
        ({"stop_sequences": [7]}, "stop_sequences.0: Input should be a valid string"),
        ({"stop_sequences": [" "]}, "stop_sequences: each stop sequence must contain"),
        ({"tools": {}}, "tools: Input should be a valid list"),
        ({"tools": ["x"]}, "tools.0: Input should be a valid dictionary or object"),
        ({"tools": [{}]}, "tools.0.custom.name: Field required"),
        ({"tools": [{"name": "a b"}]}, "tools.0.custom.name: String should match pattern"),
        ({"tools": [{"name": "a"}]}, "tools.0.custom.input_schema: Field required"),
        (
            {"tools": [{"name": "a", "input_schema": 7}]},
            "tools.0.custom.input_schema: Input should be a valid dictionary or object",
        ),
        (
            {"tools": [{"name": "a", "input_schema": {}}]},
            "tools.0.custom.input_schema.type: Field required",
        ),
        ({"tools": [WEATHER, WEATHER]}, "tools: Tool names must be unique."),
        ({"tool_choice": {"type": "any"}}, "tool_choice: tool_choice may only be specified while"),
        (TOOLS | {"tool_choice": "any"}, "tool_choice: Input should be a valid dictionary"),
        (TOOLS | {"tool_choice": {}}, "tool_choice.type: Field required"),
        (TOOLS | {"tool_choice": {"type": "all"}}, "tool_choice.type: Input should be one of"),
        (TOOLS | {"tool_choice": {"type": "tool"}}, "tool_choice.tool.name: Field required"),
        (
            TOOLS | {"tool_choice": {"type": "tool", "name": "x"}},
            "tool_choice: Tool 'x' not found in provided tools",
        ),
    ],
    ids=repr,
)
def test_a_bad_request_is_told_what_is_wrong(change: dict[str, Any], told: str) -> None:
    """My client's mistakes are named as Anthropic names them: where, and what was expected."""
    asked = {name: value for name, value in (HELLO | change).items() if value is not None}

    assert told == refusal(asked)[: len(told)]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{,", "The request body is not valid JSON: Expecting property name"),
        (b'{"model": NaN}', "The request body is not valid JSON: NaN is not JSON"),
        (b"[" * 100_000, "The request body is not valid JSON: nested too deeply"),
        (b"\xff", "The request body is not valid JSON: 'utf-8' codec"),
        (b"[]", "The request body must be a JSON object"),
    ],
    ids=lambda it: str(it)[:20],
)
def test_what_is_not_json_is_told_so(body: bytes, told: str) -> None:
    """A body that nobody can read is refused, whatever it is."""
    assert told == refusal(body)[: len(told)]


def test_neighbouring_messages_of_one_role_are_one_turn() -> None:
    """The results of two calls may come in two messages."""
    messages = [
        {"role": "assistant", "content": [CALLED, {**CALLED, "id": "t2"}]},
        {"role": "user", "content": [RESULT]},
        {"role": "user", "content": [{**RESULT, "tool_use_id": "t2", "content": "sun"}]},
        {"role": "assistant", "content": "so it is"},
    ]

    assert "sun" == said(HELLO | {"messages": messages})["content"][0]["text"]


def test_a_bad_request_meets_no_fault() -> None:
    """My client's mistakes are answered truthfully, in Anthropic's error body."""
    status, answer, _ = _ask(HELLO | {"max_tokens": 0}, fault=FAULTS[0]())

    assert (400, "error", "req_000001") == (status, answer["type"], answer["request_id"])
    assert "invalid_request_error" == answer["error"]["type"]


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if issubclass(fault, StatusFault)], ids=lambda f: f.name
)
def test_a_status_fault_speaks_as_anthropic_does(fault: type[StatusFault]) -> None:
    """Each injected error comes in Anthropic's envelope, with the id of my request."""
    status, said, headers = _ask(HELLO, fault=fault())

    assert (fault.status, "error", headers["request-id"]) == (
        status,
        said["type"],
        said["request_id"],
    )
    assert {"type", "message"} == set(said["error"])


@pytest.mark.parametrize(
    ("path", "method", "status", "kind"),
    [
        ("/v1/messages/threads", "POST", 404, "not_found_error"),
        (MESSAGES, "GET", 405, "invalid_request_error"),
    ],
)
def test_what_is_not_offered_is_an_error_of_anthropics(
    path: str, method: str, status: int, kind: str
) -> None:
    """A path or method that does not exist here says so in the words of the API I meant."""
    answered, said, _ = _ask(HELLO, path=path, method=method)

    assert (status, kind) == (answered, said["error"]["type"])
