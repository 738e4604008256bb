"""What the good provider says in a chat: echoes, and errors in each provider's own words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan.tool_calls import ToolCall
from chaoscheck.server.apis.chat.answer import answer_chat
from chaoscheck.server.apis.speaker import Echo, Prompt, Reply
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.escapes import EPOCH_S
from tests.contract.carriers import VIRTUAL, client
from tests.unit.server.apis.calls import ask, at, chat, document

CHAT = "/v1/chat/completions"
AZURE = "/openai/deployments/gpt/chat/completions"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}


def _ask(
    path: str, body: object = None, *, raw: bytes | None = None, method: str = "POST"
) -> tuple[int, Any, dict[str, str]]:
    """Status, parsed body and headers of one request on a silent server."""

    async def scene(host: str, port: int) -> tuple[int, Any, dict[str, str]]:
        async with client(host, port) as http:
            content = json.dumps(body).encode() if raw is None else raw
            reply = await http.request(method, path, content=content)
            return reply.status_code, reply.json() if reply.content else None, dict(reply.headers)

    return VIRTUAL.play(ChaosServer(), scene)


SAFE = {
    category: {"filtered": False, "severity": "safe"}
    for category in ("hate", "self_harm", "sexual", "violence")
}
FILTERED = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}]}


@pytest.mark.parametrize(
    ("path", "own_id", "in_body", "in_choice"),
    [
        (CHAT, "chatcmpl-000001", {}, {}),
        (
            "/api" + CHAT,
            "gen-000001",
            {"provider": "chaoscheck"},
            {"native_finish_reason": "stop"},
        ),
        (
            AZURE + "?api-version=2024-02-01",
            "chatcmpl-000001",
            FILTERED,
            {"content_filter_results": SAFE},
        ),
        (
            AZURE + "?api-version=2024-02-01-preview",
            "chatcmpl-000001",
            FILTERED,
            {"content_filter_results": SAFE},
        ),
    ],
)
def test_each_provider_echoes_the_last_user_message(
    path: str, own_id: str, in_body: dict[str, object], in_choice: dict[str, object]
) -> None:
    """The whole answer, field by field: a function of the request, its number and the clock."""
    status, said, headers = _ask(path, HELLO)

    message = {"role": "assistant", "content": "hello there", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    expected = {
        "id": own_id,
        "object": "chat.completion",
        "created": int(EPOCH_S),
        "model": "m",
        "choices": [choice | in_choice],
        "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4},
    } | in_body
    assert (200, expected, "application/json") == (status, said, headers["content-type"])


def test_on_azure_the_deployment_is_the_model() -> None:
    """An Azure request need not name a model."""
    _, said, _ = _ask(AZURE + "?api-version=2024-02-01", {"messages": HELLO["messages"]})

    assert "gpt" == said["model"]


@pytest.mark.parametrize(
    ("messages", "echo"),
    [
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "a"),
        (
            [{"role": "user", "content": "a"}, {"role": "user", "content": 'ü "\n\ud800'}],
            'ü "\n\ud800',
        ),
        ([{"role": "system", "content": "only"}], "only"),
        (
            [
                {"role": "assistant", "content": None, "tool_calls": []},
                {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image"}]},
            ],
            "x",
        ),
    ],
)
def test_the_echo_is_exact(messages: list[object], echo: str) -> None:
    """What I sent comes back character by character."""
    _, said, _ = _ask(CHAT, {"model": "m", "messages": messages})

    assert echo == said["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": HELLO["messages"]}, "model"),
        ({"model": "", "messages": HELLO["messages"]}, "model"),
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": ["x"]}, "messages[0]"),
        ({"model": "m", "messages": [{"role": "user"}]}, "messages[0].content"),
        ({"model": "m", "messages": [{"role": "user", "content": [1]}]}, "messages[0].content"),
        ([HELLO], None),
    ],
)
def test_a_bad_request_is_told_which_parameter_is_wrong(body: object, param: str | None) -> None:
    """My client's mistakes are answered as OpenAI answers them."""
    status, said, _ = _ask(CHAT, body)

    error = said["error"]
    assert (400, "invalid_request_error", param) == (status, error["type"], error["param"])


@pytest.mark.parametrize(
    ("parameters", "param", "code"),
    [
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
        ({"top_p": -1}, "top_p", "decimal_below_min_value"),
        ({"presence_penalty": 3}, "presence_penalty", "decimal_above_max_value"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"n": 1.5}, "n", "invalid_type"),
        ({"n": 10**4000}, "n", "integer_above_max_value"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_completion_tokens": -1}, "max_completion_tokens", "integer_below_min_value"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens", None),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"stream": True, "stream_options": 1}, "stream_options", "invalid_type"),
        ({"stop": 1}, "stop", "invalid_type"),
        ({"stop": [1]}, "stop[0]", "invalid_type"),
        ({"stop": ["a"] * 5}, "stop", "array_above_max_length"),
        ({"tools": "f"}, "tools", "invalid_type"),
        ({"tool_choice": "required"}, "tool_choice", None),
        ({"response_format": "json"}, "response_format", "invalid_type"),
        ({"response_format": {}}, "response_format.type", "missing_required_parameter"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema",
            "missing_required_parameter",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {"type": "number"}},
                }
            },
            "response_format.json_schema.schema",
            None,
        ),
        ({"messages": [{"role": "king", "content": ""}]}, "messages[0].role", "invalid_value"),
        ({"messages": {"role": "user"}}, "messages", "invalid_type"),
        ({"user": 1}, "user", "invalid_type"),
        ({"logprobs": 1}, "logprobs", "invalid_type"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
        ({"top_logprobs": 2}, "top_logprobs", None),
        ({"modalities": ["text", "audio"]}, "modalities", "unsupported_value"),
        ({"modalities": ["smell"]}, "modalities[0]", "invalid_value"),
        ({"audio": {"voice": "ash", "format": "mp3"}}, "audio", "unsupported_parameter"),
        ({"web_search_options": {}}, "web_search_options", "unsupported_parameter"),
        ({"moderation": {"model": "m"}}, "moderation", "unsupported_parameter"),
        ({"service_tier": "gold"}, "service_tier", "invalid_value"),
        ({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value"),
        ({"verbosity": 1}, "verbosity", "invalid_type"),
        ({"seed": 0.5}, "seed", "invalid_type"),
        ({"functions": [{}]}, "functions[0].name", "missing_required_parameter"),
        ({"function_call": "auto"}, "function_call", None),
        ({"functions": [{"name": "f"}], "function_call": "required"}, "function_call", None),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call", None),
        ({"functions": [{"name": "f"}], "tools": []}, "functions", None),
        ({"metadata": []}, "metadata", "invalid_type"),
    ],
)
def test_a_parameter_out_of_order_is_named(
    parameters: dict[str, Any], param: str, code: str | None
) -> None:
    """The provider's words for each mistake that its reference names."""
    answer, said = ask(answer_chat, chat(**parameters))

    assert answer.error is not None
    found = (answer.status, answer.error.type, answer.error.param, said)
    assert (400, "invalid_request_error", param, None) == found
    assert code is None or code == answer.error.code


@pytest.mark.parametrize(
    ("parameters", "text", "reason"),
    [
        ({}, "one two  three", "stop"),
        ({"max_tokens": 2}, "one two", "length"),
        ({"max_completion_tokens": 1}, "one", "length"),
        ({"max_tokens": 3}, "one two  three", "stop"),
        ({"stop": " t"}, "one", "stop"),
        ({"stop": ["x", "three", "two"]}, "one ", "stop"),
        ({"stop": ["one"]}, "", "stop"),
        ({"stop": [""], "max_tokens": None, "tools": []}, "one two  three", "stop"),
        ({"response_format": {"type": "text"}}, "one two  three", "stop"),
        ({"response_format": {"type": "json_object"}}, '{"text":"one two  three"}', "stop"),
    ],
)
def test_a_reply_ends_where_i_asked_it_to(
    parameters: dict[str, Any], text: str, reason: str
) -> None:
    """Limits, stop sequences and formats, with the finish reason and the usage to match."""
    answer, said = ask(answer_chat, chat("one two  three", **parameters))

    whole = document(answer)
    choice = whole["choices"][0]
    assert (text, text, reason) == (said, choice["message"]["content"], choice["finish_reason"])
    assert len(text.split()) == whole["usage"]["completion_tokens"]


def test_choices_are_as_many_as_asked_for() -> None:
    """n answers the same n times, and counts each."""
    answer, _ = ask(answer_chat, chat(n=3))

    whole = document(answer)
    assert [0, 1, 2] == [choice["index"] for choice in whole["choices"]]
    assert {"hello there"} == {choice["message"]["content"] for choice in whole["choices"]}
    assert 6 == whole["usage"]["completion_tokens"]


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


def test_a_demanded_tool_is_called() -> None:
    """tool_choice "required" gets a call whose arguments fit, in place of a text."""
    answer, _ = ask(answer_chat, chat("Oslo", tools=TOOLS, tool_choice="required"))

    choice = document(answer)["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert ("tool_calls", None) == (choice["finish_reason"], choice["message"]["content"])
    assert ("weather", '{"city":"Oslo"}') == (
        call["function"]["name"],
        call["function"]["arguments"],
    )
    assert ("call_000007_0", "function") == (call["id"], call["type"])


def test_an_offered_tool_may_be_left_alone() -> None:
    """Echo says its text unless a call is demanded."""
    answer, said = ask(answer_chat, chat("Oslo", tools=TOOLS))

    assert ("Oslo", "stop") == (said, document(answer)["choices"][0]["finish_reason"])


def test_a_speaker_sees_what_was_asked_and_takes_its_time() -> None:
    """Prompt and timing reach whoever says the texts."""
    seen: list[Prompt] = []

    class Slow:
        first_token_s = 0.5
        token_s = 0.25
        costly = False

        def reply(self, prompt: Prompt) -> Reply:
            seen.append(prompt)
            call = ToolCall(name="weather", arguments="{}")
            return Reply(text="a b c", tool_calls=(call,) if prompt.must_call else ())

    plain, _ = ask(answer_chat, chat(), speaker=Slow())
    called, _ = ask(answer_chat, chat(tools=TOOLS, tool_choice=TOOLS[0] | {"x": 1}), speaker=Slow())

    assert 1.0 == plain.delay_s
    assert 0.5 == called.delay_s
    assert [(), ("weather",)] == [prompt.must_call for prompt in seen]
    assert (("user", "hello there"),) == seen[0].messages


@pytest.mark.parametrize(
    "parameters", [{}, {"tools": TOOLS, "tool_choice": "required"}], ids=["text", "call"]
)
def test_the_shape_leads_to_what_a_client_reads(parameters: dict[str, Any]) -> None:
    """Faults that edit an answer find the text, the numbers and the list in it."""
    answer, _ = ask(answer_chat, chat("Oslo", **parameters))

    whole, shape = document(answer), answer.shape
    assert shape is not None
    assert "Oslo" in at(whole, shape.content)
    assert 1_700_000_000 == at(whole, shape.number)
    assert (list, dict) == (type(at(whole, shape.items)), type(at(whole, shape.usage)))


def test_a_plain_echo_takes_no_time() -> None:
    """The default speaker answers at once."""
    assert (0.0, 0.0) == (Echo().first_token_s, ask(answer_chat, chat())[0].delay_s)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000, b"\xef\xbb\xbf{}", b"1" * 5000, b"1e999"],
)
def test_a_body_that_is_not_json_is_a_bad_request(raw: bytes) -> None:
    """No body brings the server down."""
    status, said, _ = _ask(CHAT, raw=raw)

    assert (400, "invalid_request_error") == (status, said["error"]["type"])


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        (
            "/v1/chat",
            404,
            {
                "message": "Invalid URL (POST /v1/chat)",
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            },
        ),
        ("/api/v1/x", 404, {"code": 404, "message": "Invalid URL (POST /api/v1/x)"}),
        (AZURE, 404, {"code": "404", "message": "Resource not found"}),
        (
            AZURE + "?api-version=1",
            400,
            {
                "code": "BadRequest",
                "message": "api-version must be YYYY-MM-DD or YYYY-MM-DD-preview, got '1'",
            },
        ),
    ],
)
def test_errors_have_the_shape_of_the_provider_asked(
    path: str, status: int, error: dict[str, object]
) -> None:
    """The path tells whose error object a client gets."""
    assert (status, {"error": error}) == _ask(path, HELLO)[:2]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_only_post_is_allowed(method: str) -> None:
    """A wrong method is 405 and says which one is right; HEAD has no body."""
    status, said, headers = _ask(CHAT, HELLO, method=method)

    assert (405, "POST") == (status, headers["allow"])
    assert (said is None) is (method == "HEAD")
