"""Clients that ask a chaos server for a stream, and say what came of it: twins of ``clients``."""

from __future__ import annotations

from functools import partial
from typing import Any

import anthropic
import httpx
import httpx2
import openai

from tests.contract.clients import (
    OF_A_BAD_BODY,
    TEXT,
    Ask,
    Outcome,
    ask_http,
    ask_raw,
    pool,
    refused,
)

__all__ = ["STREAM_CLIENTS"]

_MESSAGES: list[Any] = [{"role": "user", "content": TEXT}]
_USAGE: Any = {"include_usage": True}


async def ask_openai(host: str, port: int, patience_s: float) -> Outcome:
    """The openai SDK as it is: what its stream delivered until it ended or failed."""
    said = ""
    async with openai.AsyncOpenAI(
        base_url=f"http://{host}:{port}/v1",
        api_key="k",
        max_retries=0,
        http_client=pool(httpx, patience_s),
    ) as client:
        try:
            stream = await client.chat.completions.create(
                model="m", messages=_MESSAGES, stream=True, stream_options=_USAGE
            )
            async for chunk in stream:
                said += "".join(each.delta.content or "" for each in chunk.choices)
        except (openai.OpenAIError, httpx.TransportError, *OF_A_BAD_BODY) as error:
            return _cut_short(error, said)
    return Outcome(ended="whole", status=200, delivered=said.encode())


async def ask_anthropic(host: str, port: int, patience_s: float) -> Outcome:
    """The anthropic SDK as it is: what its stream delivered until it ended or failed."""
    said = ""
    async with anthropic.AsyncAnthropic(
        base_url=f"http://{host}:{port}",
        api_key="k",
        max_retries=0,
        http_client=pool(httpx2, patience_s),
    ) as client:
        try:
            stream = await client.messages.create(
                model="m", max_tokens=99, messages=_MESSAGES, stream=True
            )
            async for event in stream:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    said += event.delta.text or ""
        except (anthropic.AnthropicError, httpx2.TransportError, *OF_A_BAD_BODY) as error:
            return _cut_short(error, said)
    return Outcome(ended="whole", status=200, delivered=said.encode())


def _cut_short(error: Exception, said: str) -> Outcome:
    outcome = refused(error)
    if not said:
        return outcome
    return Outcome(ended=outcome.ended, status=outcome.status, delivered=said.encode())


STREAM_CLIENTS: dict[str, Ask] = {
    "raw": partial(ask_raw, streamed=True),
    "httpx": partial(ask_http, httpx, streamed=True),
    "httpx2": partial(ask_http, httpx2, streamed=True),
    "openai": ask_openai,
    "anthropic": ask_anthropic,
}
