"""Anthropic's Messages API as the good provider speaks it, and its errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.status_fault import StatusFault
from chaoscheck.server.chaos_server import ChaosServer
from tests.contract.carriers import VIRTUAL, client

MESSAGES = "/v1/messages"
HELLO: dict[str, Any] = {
    "model": "m",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "hello there"}],
}

# Anthropic's API reference, "Errors".
ERROR_TYPES = {429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}


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
        "usage": {"input_tokens": 4, "output_tokens": 2},
    }
    assert (200, expected) == (status, said)
    assert ("application/json", "req_000001") == (headers["content-type"], headers["request-id"])


@pytest.mark.parametrize(
    ("content", "max_tokens", "text", "reason"),
    [
        ('ü "\n\ud800', 10, 'ü "\n\ud800', "end_turn"),
        ("one  two\nthree", 3, "one  two\nthree", "end_turn"),
        ("one  two\nthree", 2, "one  two", "max_tokens"),
        ([{"type": "text", "text": "x"}, {"type": "image", "source": {}}], 1, "x", "end_turn"),
        ("", 1, "", "end_turn"),
    ],
)
def test_the_echo_is_exact_up_to_the_tokens_allowed(
    content: object, max_tokens: int, text: str, reason: str
) -> None:
    """What I sent comes back character by character, and ends where I said it must."""
    messages = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": "I begin to say"},
    ]
    _, said, _ = _ask(HELLO | {"messages": messages, "max_tokens": max_tokens})

    assert (text, reason) == (said["content"][0]["text"], said["stop_reason"])
    assert len(text.split()) == said["usage"]["output_tokens"]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "system"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"system": 7}, "system"),
        ({"system": ["x"]}, "system"),
        ({"stream": True}, "stream"),
    ],
    ids=repr,
)
def test_a_bad_request_is_told_what_is_wrong(change: dict[str, Any], names: str) -> None:
    """My client's mistakes are answered in Anthropic's error body, and meet no fault."""
    asked = {name: value for name, value in (HELLO | change).items() if value is not None}
    status, said, _ = _ask(asked, fault=FAULTS[0]())

    assert (400, "error", "invalid_request_error", "req_000001") == (
        status,
        said["type"],
        said["error"]["type"],
        said["request_id"],
    )
    assert names in said["error"]["message"]


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if issubclass(fault, StatusFault)], ids=lambda f: f.name
)
def test_a_status_fault_speaks_as_anthropic_does(fault: type[StatusFault]) -> None:
    """Each injected error has the type that Anthropic documents for its status."""
    status, said, headers = _ask(HELLO, fault=fault())

    expected = {
        "type": "error",
        "error": {
            "type": ERROR_TYPES.get(fault.status, "api_error"),
            "message": fault.error.message,
        },
        "request_id": headers["request-id"],
    }
    assert (fault.status, expected) == (status, said)


@pytest.mark.parametrize(
    ("path", "method", "status", "kind"),
    [
        ("/v1/messages/count_tokens", "POST", 404, "not_found_error"),
        (MESSAGES, "GET", 405, "invalid_request_error"),
    ],
)
def test_what_is_not_offered_is_an_error_of_anthropics(
    path: str, method: str, status: int, kind: str
) -> None:
    """A path or method that does not exist here says so in the words of the API I meant."""
    answered, said, _ = _ask(HELLO, path=path, method=method)

    assert (status, kind) == (answered, said["error"]["type"])
