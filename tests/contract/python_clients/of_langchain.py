"""LangChain's chat models of both providers."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

from tests.contract.python_clients.client import FORECAST, TEXT, Client, shown

__all__ = ["CLIENTS"]


def _openai(url: str, timeout_s: float) -> Any:
    return ChatOpenAI(model="m", base_url=f"{url}/v1", api_key="k", timeout=timeout_s)


def _anthropic(url: str, timeout_s: float) -> Any:
    return ChatAnthropic(
        model_name="m", base_url=url, api_key="k", timeout=timeout_s, max_tokens_to_sample=99
    )


def ask_openai(url: str, timeout_s: float) -> str:
    return str(_openai(url, timeout_s).invoke(TEXT).text)


def stream_openai(url: str, timeout_s: float) -> str:
    return "".join([str(chunk.text) for chunk in _openai(url, timeout_s).stream(TEXT)])


def ask_anthropic(url: str, timeout_s: float) -> str:
    return str(_anthropic(url, timeout_s).invoke(TEXT).text)


def stream_anthropic(url: str, timeout_s: float) -> str:
    return "".join([str(chunk.text) for chunk in _anthropic(url, timeout_s).stream(TEXT)])


def call_openai(url: str, timeout_s: float) -> str:
    return _called(_openai(url, timeout_s))


def call_anthropic(url: str, timeout_s: float) -> str:
    return _called(_anthropic(url, timeout_s))


def _called(model: Any) -> str:
    tool = {"type": "function", "function": FORECAST}
    said = model.bind_tools([tool], tool_choice="forecast").invoke(TEXT)
    # What could not be read stands in invalid_tool_calls, which few look at.
    (call,) = said.tool_calls
    return shown(call["args"])


CLIENTS = {
    "langchain-openai": Client(
        package="langchain-openai",
        ask=ask_openai,
        stream=stream_openai,
        waits_s=openai.DEFAULT_TIMEOUT.read,
        call=call_openai,
    ),
    "langchain-anthropic": Client(
        package="langchain-anthropic",
        ask=ask_anthropic,
        stream=stream_anthropic,
        waits_s=anthropic.DEFAULT_TIMEOUT.read,
        call=call_anthropic,
    ),
}
