"""pydantic-ai's agents on the models of both providers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, ModelSettings, ToolOutput
from pydantic_ai.models import DEFAULT_HTTP_TIMEOUT
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.contract.python_clients.client import TEXT, Client, shown

__all__ = ["CLIENTS"]

Make = Callable[[str], Any]


def _openai(url: str) -> Any:
    return OpenAIChatModel("m", provider=OpenAIProvider(base_url=f"{url}/v1", api_key="k"))


def _anthropic(url: str) -> Any:
    return AnthropicModel("m", provider=AnthropicProvider(base_url=url, api_key="k"))


def ask(make: Make, url: str, timeout_s: float) -> str:
    agent = Agent(make(url), model_settings=ModelSettings(timeout=timeout_s))

    async def run() -> str:
        return str((await agent.run(TEXT)).output)

    return asyncio.run(run())


def stream(make: Make, url: str, timeout_s: float) -> str:
    agent = Agent(make(url), model_settings=ModelSettings(timeout=timeout_s))

    async def run() -> str:
        async with agent.run_stream(TEXT) as result:
            pieces = [piece async for piece in result.stream_text(delta=True)]
        return "".join(pieces)

    return asyncio.run(run())


class Forecast(BaseModel):
    """What the model's call is read into."""

    city: str
    days: int


def call(make: Make, url: str, timeout_s: float) -> str:
    output = ToolOutput(Forecast, name="forecast")
    agent = Agent(make(url), output_type=output, model_settings=ModelSettings(timeout=timeout_s))

    async def run() -> str:
        return shown((await agent.run(TEXT)).output.model_dump())

    return asyncio.run(run())


def _client(make: Make) -> Client:
    return Client(
        package="pydantic-ai-slim",
        ask=partial(ask, make),
        stream=partial(stream, make),
        waits_s=float(DEFAULT_HTTP_TIMEOUT),
        call=partial(call, make),
    )


CLIENTS = {"pydantic-ai/openai": _client(_openai), "pydantic-ai/anthropic": _client(_anthropic)}
