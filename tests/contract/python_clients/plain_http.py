"""Clients that speak HTTP and know nothing of providers: requests, aiohttp, and tenacity on top."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import requests
import tenacity

from tests.contract.python_clients.client import (
    CONNECT_TIMEOUT_S,
    FORECAST,
    TEXT,
    Client,
    shown,
)

__all__ = ["CLIENTS"]

PATH = "/v1/chat/completions"
BODY: Any = {"model": "m", "messages": [{"role": "user", "content": TEXT}]}
CALLING: Any = {
    **BODY,
    "tools": [{"type": "function", "function": FORECAST}],
    "tool_choice": "required",
}
STREAMED: Any = {**BODY, "stream": True}
ATTEMPTS_MAX = 3


def ask_requests(url: str, timeout_s: float) -> str:
    timeout = (CONNECT_TIMEOUT_S, timeout_s)
    with requests.post(url + PATH, json=BODY, timeout=timeout) as response:
        response.raise_for_status()
        return _text_of(response.json())


def stream_requests(url: str, timeout_s: float) -> str:
    timeout = (CONNECT_TIMEOUT_S, timeout_s)
    with requests.post(url + PATH, json=STREAMED, timeout=timeout, stream=True) as response:
        response.raise_for_status()
        return "".join(_pieces(response.iter_lines()))


def call_requests(url: str, timeout_s: float) -> str:
    timeout = (CONNECT_TIMEOUT_S, timeout_s)
    with requests.post(url + PATH, json=CALLING, timeout=timeout) as response:
        response.raise_for_status()
        return _arguments_of(response.json())


# As a user of tenacity writes it: any error is worth another attempt, none is waited for here.
_again = tenacity.retry(
    stop=tenacity.stop_after_attempt(ATTEMPTS_MAX), wait=tenacity.wait_none(), reraise=True
)
ask_tenacity = _again(ask_requests)
stream_tenacity = _again(stream_requests)
call_tenacity = _again(call_requests)


def ask_aiohttp(url: str, timeout_s: float) -> str:
    async def ask() -> str:
        async with _session(timeout_s) as session, session.post(url + PATH, json=BODY) as response:
            response.raise_for_status()
            return _text_of(await response.json())

    return asyncio.run(ask())


def call_aiohttp(url: str, timeout_s: float) -> str:
    async def ask() -> str:
        async with (
            _session(timeout_s) as session,
            session.post(url + PATH, json=CALLING) as response,
        ):
            response.raise_for_status()
            return _arguments_of(await response.json())

    return asyncio.run(ask())


def stream_aiohttp(url: str, timeout_s: float) -> str:
    async def ask() -> str:
        async with (
            _session(timeout_s) as session,
            session.post(url + PATH, json=STREAMED) as response,
        ):
            response.raise_for_status()
            lines = [line.rstrip(b"\r\n") async for line in _until_done(response.content)]
            return "".join(_pieces(iter(lines)))

    return asyncio.run(ask())


def _session(timeout_s: float) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S, sock_read=timeout_s)
    return aiohttp.ClientSession(timeout=timeout)


async def _until_done(lines: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    async for line in lines:
        yield line
        if line.startswith(b"data: [DONE]"):
            return


def _pieces(lines: Iterator[bytes]) -> Iterator[str]:
    """The text of each event, up to ``[DONE]`` or the end of the lines."""
    for line in lines:
        data = line.removeprefix(b"data: ")
        if data == line:
            continue
        if data == b"[DONE]":
            return
        for choice in json.loads(data)["choices"]:
            yield choice["delta"].get("content") or ""


def _arguments_of(reply: Any) -> str:
    (call,) = reply["choices"][0]["message"]["tool_calls"]
    return shown(json.loads(call["function"]["arguments"]))


def _text_of(reply: Any) -> str:
    return str(reply["choices"][0]["message"]["content"])


CLIENTS = {
    "requests": Client(
        package="requests",
        ask=ask_requests,
        stream=stream_requests,
        waits_s=None,
        call=call_requests,
    ),
    "tenacity": Client(
        package="tenacity",
        ask=ask_tenacity,
        stream=stream_tenacity,
        waits_s=None,
        call=call_tenacity,
    ),
    "aiohttp": Client(
        package="aiohttp",
        ask=ask_aiohttp,
        stream=stream_aiohttp,
        waits_s=aiohttp.client.DEFAULT_TIMEOUT.total,
        call=call_aiohttp,
    ),
}
