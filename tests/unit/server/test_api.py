"""What the good provider says: echoes, and errors in each provider's own words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.server.chaos_server import ChaosServer
from tests.contract.carriers import VIRTUAL, client

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


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (CHAT, "m"),
        ("/api" + CHAT, "m"),
        (AZURE + "?api-version=2024-02-01", "m"),
        (AZURE + "?api-version=2024-02-01-preview", "m"),
    ],
)
def test_each_provider_echoes_the_last_user_message(path: str, model: str) -> None:
    """The whole answer, field by field: a function of the request, its number and the clock."""
    status, said, headers = _ask(path, HELLO)

    message = {"role": "assistant", "content": "hello there", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    expected = {
        "id": "chatcmpl-000001",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [choice],
        "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4},
    }
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
        (HELLO | {"stream": True}, "stream"),
        ([HELLO], None),
    ],
)
def test_a_bad_request_is_told_which_parameter_is_wrong(body: object, param: str | None) -> None:
    """My client's mistakes are answered as OpenAI answers them."""
    status, said, _ = _ask(CHAT, body)

    error = said["error"]
    assert (400, "invalid_request_error", param) == (status, error["type"], error["param"])


@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000, b"\xef\xbb\xbf{}", b"1" * 5000]
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
