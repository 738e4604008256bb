"""Clients that ask a chaos server one thing, and say what came of it.

Each is built as cheaply as its maker allows: one connection pool, no CA bundle, no retries.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import trio

from tests.contract.raw_client import RawClient, chat_request

__all__ = [
    "CLIENTS",
    "CONNECT_TIMEOUT_S",
    "OF_A_BAD_BODY",
    "TEXT",
    "Ask",
    "Outcome",
    "ask_http",
    "ask_raw",
    "pool",
    "refused",
]

TEXT = "hello there"
CONNECT_TIMEOUT_S = 5.0

_MESSAGES: list[Any] = [{"role": "user", "content": TEXT}]
# SDKs hand a bad body through, so that it is their caller who meets what is wrong with it.
OF_A_BAD_BODY = (ValueError, TypeError, AttributeError, LookupError)
_BODY = {"model": "m", "messages": _MESSAGES}
_STREAMED = {**_BODY, "stream": True, "stream_options": {"include_usage": True}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a client made of one answer.

    ``ended`` is ``whole`` or what the client raised, with the error behind it where it wraps
    one; ``delivered`` is the part of the body that it shows to its caller.
    """

    ended: str
    status: int | None = None
    delivered: bytes = b""

    def __str__(self) -> str:
        return f"{self.ended} {self.status} {len(self.delivered)} bytes"


Ask = Callable[[str, int, float], Awaitable[Outcome]]


async def ask_raw(host: str, port: int, patience_s: float, *, streamed: bool = False) -> Outcome:
    """A bare trio stream; silence is ``patience_s`` without a byte."""
    try:
        with trio.fail_after(CONNECT_TIMEOUT_S):
            stream = await trio.open_tcp_stream(host, port)
    except (OSError, trio.TooSlowError) as error:
        return Outcome(ended=type(error).__name__)
    async with stream:
        try:
            await stream.send_all(chat_request(TEXT, streamed=streamed))
        except trio.BrokenResourceError:
            return Outcome(ended="reset")
        seen = await RawClient(stream).look(patience_s=patience_s)
    return Outcome(ended=seen.ended, status=seen.status, delivered=seen.body)


async def ask_http(
    library: Any, host: str, port: int, patience_s: float, *, streamed: bool = False
) -> Outcome:
    """httpx or httpx2 with its own pool, reading the body as it comes."""
    status, received = None, b""
    async with pool(library, patience_s) as client:
        url = f"http://{host}:{port}/v1/chat/completions"
        try:
            async with client.stream(
                "POST", url, json=_STREAMED if streamed else _BODY
            ) as response:
                status = response.status_code
                async for chunk in response.aiter_raw():
                    received += chunk
        except library.TransportError as error:
            return Outcome(ended=type(error).__name__, status=status, delivered=received)
    return Outcome(ended="whole", status=status, delivered=received)


async def ask_openai(host: str, port: int, patience_s: float) -> Outcome:
    """The openai SDK as it is; a good answer delivers its text."""
    async with openai.AsyncOpenAI(
        base_url=f"http://{host}:{port}/v1",
        api_key="k",
        max_retries=0,
        http_client=pool(httpx, patience_s),
    ) as client:
        try:
            said = await client.chat.completions.create(model="m", messages=_MESSAGES)
            text = said.choices[0].message.content or ""
            delivered = text.encode()
        except (openai.OpenAIError, *OF_A_BAD_BODY) as error:
            return refused(error)
    return Outcome(ended="whole", status=200, delivered=delivered)


async def ask_anthropic(host: str, port: int, patience_s: float) -> Outcome:
    """The anthropic SDK as it is; a good answer delivers its text."""
    async with anthropic.AsyncAnthropic(
        base_url=f"http://{host}:{port}",
        api_key="k",
        max_retries=0,
        http_client=pool(httpx2, patience_s),
    ) as client:
        try:
            said = await client.messages.create(model="m", max_tokens=99, messages=_MESSAGES)
            text = "".join(block.text for block in said.content if block.type == "text")
            delivered = text.encode()
        except (anthropic.AnthropicError, *OF_A_BAD_BODY) as error:
            return refused(error)
    return Outcome(ended="whole", status=200, delivered=delivered)


def pool(library: Any, patience_s: float) -> Any:
    """A client of this library that waits ``patience_s`` for the next byte, without CA bundle."""
    timeout = library.Timeout(CONNECT_TIMEOUT_S, read=patience_s)
    return library.AsyncClient(verify=False, trust_env=False, timeout=timeout)


def refused(error: Exception) -> Outcome:
    """What an exception of an SDK says: its name, and that of the error behind it."""
    name = type(error).__name__
    if error.__cause__ is not None and not isinstance(error, json.JSONDecodeError):
        name += f" from {type(error.__cause__).__name__}"
    response = getattr(error, "response", None)
    if response is None:
        return Outcome(ended=name)
    try:
        delivered = response.content
    except (httpx.ResponseNotRead, httpx2.ResponseNotRead):
        delivered = b""  # an error inside a stream has no body of its own
    return Outcome(ended=name, status=response.status_code, delivered=delivered)


CLIENTS: dict[str, Ask] = {
    "raw": ask_raw,
    "httpx": partial(ask_http, httpx),
    "httpx2": partial(ask_http, httpx2),
    "openai": ask_openai,
    "anthropic": ask_anthropic,
}
