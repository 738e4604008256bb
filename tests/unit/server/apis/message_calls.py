"""Calls of Anthropic's APIs without a server: a body goes in, an answer comes out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.tool_calls import ToolCall
from chaoscheck.server.apis.call import Api, Call
from chaoscheck.server.apis.messages.answer import answer_message
from chaoscheck.server.apis.speaker import Echo, Prompt, Reply, Speaker

__all__ = ["HELLO", "TOOLS", "WEATHER", "Caller", "answered", "called", "refusal", "said"]

HELLO: dict[str, Any] = {
    "model": "m",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "hello there"}],
}
WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "The weather at a place",
    "input_schema": {
        "type": "object",
        "properties": {"place": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
        "required": ["place", "days"],
    },
}
CLOCK: dict[str, Any] = {"name": "clock", "input_schema": {"type": "object"}}
TOOLS = {"tools": [WEATHER, CLOCK]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A speaker that calls these tools, whatever it is asked."""

    calls: tuple[ToolCall, ...]
    first_token_s: float = 0.0
    token_s: float = 0.0
    costly: bool = False

    def reply(self, prompt: Prompt) -> Reply:
        """The calls."""
        return Reply(text="", tool_calls=self.calls)


def answered(body: object, *, speaker: Speaker | None = None) -> tuple[Answer, str | None]:
    """The answer to a message, the seventh request of its server, and what it says."""
    return called(answer_message, body, speaker=speaker)


def called(
    api: Api,
    body: object = None,
    *,
    speaker: Speaker | None = None,
    query: str = "",
    model: str | None = None,
) -> tuple[Answer, str | None]:
    """The answer of an API, whose body is made JSON unless it is bytes."""
    return api(
        Call(
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers={},
            number=7,
            created_s=0,
            key="k",
            attempt=1,
            speaker=speaker or Echo(),
            model=model,
            query=query,
        )
    )


def said(body: object, *, speaker: Speaker | None = None) -> Any:
    """The parsed body of a good answer to a message."""
    answer, _ = answered(body, speaker=speaker)
    assert 200 == answer.status
    return json.loads(answer.body)


def refusal(body: object) -> str:
    """What is wrong with a message."""
    answer, tag = answered(body)
    assert (400, None) == (answer.status, tag)
    assert answer.error is not None
    assert "invalid_request_error" == answer.error.type
    return answer.error.message
