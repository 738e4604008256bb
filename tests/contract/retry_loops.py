"""Retry loops that users write around clients, which send a retry count of 0 or none at all.

Each takes a chaos server's URL and a prompt, and says whether the prompt was echoed within
``LOOP`` requests. What the client would do by itself is off, so that it waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import requests
import tenacity

__all__ = ["LOOP", "LOOPS", "Loop", "ask_once_openai"]

LOOP = 8
TIMEOUT_S = 30.0

Loop = Callable[[str, str], bool]
Ask = Callable[[str, str], str]


def _messages(prompt: str) -> list[Any]:
    return [{"role": "user", "content": prompt}]


def _ask_openai(url: str, prompt: str) -> str:
    pool = httpx2.Client(verify=False, trust_env=False)  # without the CA bundle: 20 ms
    with openai.OpenAI(
        base_url=f"{url}/v1", api_key="k", max_retries=0, timeout=TIMEOUT_S, http_client=pool
    ) as client:
        said = client.chat.completions.create(model="m", messages=_messages(prompt))
        return said.choices[0].message.content or ""


def _ask_anthropic(url: str, prompt: str) -> str:
    pool = httpx2.Client(verify=False, trust_env=False)
    with anthropic.Anthropic(
        base_url=url, api_key="k", max_retries=0, timeout=TIMEOUT_S, http_client=pool
    ) as client:
        said = client.messages.create(model="m", max_tokens=99, messages=_messages(prompt))
        return "".join([block.text for block in said.content if block.type == "text"])


def _ask_requests(url: str, prompt: str) -> str:
    body = {"model": "m", "messages": _messages(prompt)}
    with requests.post(f"{url}/v1/chat/completions", json=body, timeout=TIMEOUT_S) as answer:
        answer.raise_for_status()
        return str(answer.json()["choices"][0]["message"]["content"])


def _ask_httpx(url: str, prompt: str) -> str:
    """With the header that the SDKs send."""
    answer = httpx.post(
        f"{url}/v1/chat/completions",
        json={"model": "m", "messages": _messages(prompt)},
        headers={"x-stainless-retry-count": "0"},
        timeout=TIMEOUT_S,
        verify=False,
        trust_env=False,
    )
    answer.raise_for_status()
    return str(answer.json()["choices"][0]["message"]["content"])


def _looped(ask: Ask) -> Loop:
    def loop(url: str, prompt: str) -> bool:
        for _ in range(LOOP):
            try:
                return ask(url, prompt) == prompt
            except Exception:  # any error of any client is worth another request
                continue
        return False

    return loop


def _by_tenacity(ask: Ask) -> Loop:
    again = tenacity.retry(stop=tenacity.stop_after_attempt(LOOP), wait=tenacity.wait_none())(ask)

    def loop(url: str, prompt: str) -> bool:
        try:
            return bool(again(url, prompt) == prompt)
        except tenacity.RetryError:
            return False

    return loop


def ask_once_openai(url: str, prompt: str) -> bool:
    """Whether one call without a retry is answered."""
    try:
        return _ask_openai(url, prompt) == prompt
    except openai.APIError:
        return False


LOOPS: dict[str, Loop] = {
    "openai": _looped(_ask_openai),
    "anthropic": _looped(_ask_anthropic),
    "requests": _looped(_ask_requests),
    "httpx": _looped(_ask_httpx),
    "tenacity/openai": _by_tenacity(_ask_openai),
    "tenacity/requests": _by_tenacity(_ask_requests),
}
