"""A transform on a bench: a scripted HTTP transport below, a collecting port above."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import trio

from chaoscheck.components.openrouter_transform import OpenRouterLLMTransform, OpenRouterSettings
from chaoscheck.components.output_port import CollectingOutputPort, RowResult
from chaoscheck.components.pooled_executor import PooledExecutor
from chaoscheck.components.retry import Retry

__all__ = ["Bench", "Handler", "echo", "echo_at_once", "prompt_of", "reason_of", "slow_echo"]

Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]


def prompt_of(request: httpx.Request) -> str:
    """The text that a request asks about."""
    return str(json.loads(request.content)["messages"][0]["content"])


def echo(request: httpx.Request) -> httpx.Response:
    """A good completion whose content is the prompt."""
    message = {"role": "assistant", "content": prompt_of(request)}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    choice = {"message": message, "finish_reason": "stop"}
    reply = {"model": "m-1", "choices": [choice], "usage": usage}
    return httpx.Response(200, content=json.dumps(reply))


async def echo_at_once(request: httpx.Request) -> httpx.Response:
    """Echo without delay."""
    await trio.lowlevel.checkpoint()
    return echo(request)


def slow_echo(delays_s: Mapping[str, float]) -> Handler:
    """Echo after the delay of the prompt, 0 s where none is named."""

    async def handle(request: httpx.Request) -> httpx.Response:
        await trio.sleep(delays_s.get(prompt_of(request), 0.0))
        return echo(request)

    return handle


class Bench:
    """A transform under test with its port and the requests it made."""

    def __init__(self, handler: Handler, **settings: Any) -> None:
        self.requests: list[httpx.Request] = []
        self.output = CollectingOutputPort()

        async def handle(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return await handler(request)

        chosen = OpenRouterSettings(**({"model": "m"} | settings))
        self.transform = OpenRouterLLMTransform(
            httpx.AsyncClient(transport=httpx.MockTransport(handle), verify=False),
            output=self.output,
            settings=chosen,
            executor=PooledExecutor(
                chosen.pool_size, chosen.max_capacity_retry_seconds, retry=Retry(3, 0.5, 8)
            ),
        )

    async def process(self, *texts: str) -> list[RowResult]:
        """Send one row per text and return what came out."""
        async with self.transform as transform:
            for text in texts:
                await transform.accept({"text": text})
        return self.output.results


def reason_of(result: RowResult) -> object:
    """Why a row failed; None if it did not."""
    return None if result.error is None else result.error["reason"]
