"""litellm, which speaks to both providers through one function."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import httpx
import litellm

from tests.contract.python_clients.client import (
    CONNECT_TIMEOUT_S,
    FORECAST,
    TEXT,
    Client,
    shown,
)

__all__ = ["CLIENTS"]

MESSAGES: list[Any] = [{"role": "user", "content": TEXT}]


def ask(model: str, path: str, url: str, timeout_s: float) -> str:
    said: Any = litellm.completion(**_asked(model, url + path, timeout_s))
    return said.choices[0].message.content or ""


def stream(model: str, path: str, url: str, timeout_s: float) -> str:
    chunks: Any = litellm.completion(**_asked(model, url + path, timeout_s), stream=True)
    return "".join([each.delta.content or "" for chunk in chunks for each in chunk.choices])


def call(model: str, path: str, url: str, timeout_s: float) -> str:
    tools = [{"type": "function", "function": FORECAST}]
    said: Any = litellm.completion(
        **_asked(model, url + path, timeout_s), tools=tools, tool_choice="required"
    )
    (called,) = said.choices[0].message.tool_calls
    return shown(json.loads(called.function.arguments))


def _asked(model: str, base: str, timeout_s: float) -> dict[str, Any]:
    return {
        "model": model,
        "messages": MESSAGES,
        "api_base": base,
        "api_key": "k",
        "max_tokens": 99,
        "timeout": httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
    }


def _client(model: str, path: str) -> Client:
    return Client(
        package="litellm",
        ask=partial(ask, model, path),
        stream=partial(stream, model, path),
        waits_s=float(litellm.request_timeout),
        call=partial(call, model, path),
    )


CLIENTS = {
    "litellm/openai": _client("openai/m", "/v1"),
    "litellm/anthropic": _client("anthropic/m", ""),
}
