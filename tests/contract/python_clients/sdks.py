"""The SDKs of OpenAI and Anthropic, as they are: sync, with their default retries."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai

from tests.contract.python_clients.client import (
    CONNECT_TIMEOUT_S,
    FORECAST,
    TEXT,
    Client,
    shown,
)

__all__ = ["CLIENTS"]

MESSAGES: list[Any] = [{"role": "user", "content": TEXT}]


def ask_openai(url: str, timeout_s: float) -> str:
    with _openai(url, timeout_s) as client:
        said = client.chat.completions.create(model="m", messages=MESSAGES)
        return said.choices[0].message.content or ""


def stream_openai(url: str, timeout_s: float) -> str:
    with _openai(url, timeout_s) as client:
        chunks = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        return "".join([each.delta.content or "" for chunk in chunks for each in chunk.choices])


def call_openai(url: str, timeout_s: float) -> str:
    tools: Any = [{"type": "function", "function": FORECAST}]
    with _openai(url, timeout_s) as client:
        said: Any = client.chat.completions.create(
            model="m", messages=MESSAGES, tools=tools, tool_choice="required"
        )
    (call,) = said.choices[0].message.tool_calls
    return shown(json.loads(call.function.arguments))


def call_anthropic(url: str, timeout_s: float) -> str:
    tools: Any = [{"name": FORECAST["name"], "input_schema": FORECAST["parameters"]}]
    with _anthropic(url, timeout_s) as client:
        said = client.messages.create(
            model="m", max_tokens=99, messages=MESSAGES, tools=tools, tool_choice={"type": "any"}
        )
    (used,) = [block for block in said.content if block.type == "tool_use"]
    return shown(used.input)


def ask_anthropic(url: str, timeout_s: float) -> str:
    with _anthropic(url, timeout_s) as client:
        said = client.messages.create(model="m", max_tokens=99, messages=MESSAGES)
        return "".join([block.text for block in said.content if block.type == "text"])


def stream_anthropic(url: str, timeout_s: float) -> str:
    with (
        _anthropic(url, timeout_s) as client,
        client.messages.stream(model="m", max_tokens=99, messages=MESSAGES) as stream,
    ):
        return "".join(stream.text_stream)


def _openai(url: str, timeout_s: float) -> openai.OpenAI:
    timeout = openai.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    return openai.OpenAI(base_url=f"{url}/v1", api_key="k", timeout=timeout)


def _anthropic(url: str, timeout_s: float) -> anthropic.Anthropic:
    timeout = anthropic.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    return anthropic.Anthropic(base_url=url, api_key="k", timeout=timeout)


CLIENTS = {
    "openai": Client(
        package="openai",
        ask=ask_openai,
        stream=stream_openai,
        waits_s=openai.DEFAULT_TIMEOUT.read,
        call=call_openai,
    ),
    "anthropic": Client(
        package="anthropic",
        ask=ask_anthropic,
        stream=stream_anthropic,
        waits_s=anthropic.DEFAULT_TIMEOUT.read,
        call=call_anthropic,
    ),
}
