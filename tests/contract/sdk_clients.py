"""Clients of the openai SDK, as its users build them, each with a chaos server to talk to.

A scene is written once, for all of them: ``result`` and ``collected`` take what an async client
gives as well as what a sync one gives. The async clients play in a virtual world, the sync ones
ask a server on a thread of its own, over real TCP.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import openai

from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.threaded import ThreadedServer
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.worlds import HOST, serve

__all__ = ["SDK_CLIENTS", "Scene", "SdkClient", "collected", "entered", "result"]

T = TypeVar("T")

Scene = Callable[[Any], Awaitable[T]]

API_VERSION = "2024-10-21"
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkClient:
    """A class of the SDK; ``azure`` ones are told an endpoint in place of a base URL."""

    name: str
    make: Callable[..., Any]
    is_async: bool
    azure: bool = False

    def play(self, scene: Scene[T]) -> T:
        """Let a client of this kind play the scene with a silent server."""
        return self._play_async(scene) if self.is_async else self._play_sync(scene)

    def _play_async(self, scene: Scene[T]) -> T:
        async def main() -> T:
            # Without the CA bundle, which costs 20 ms.
            pool = httpx.AsyncClient(verify=False, trust_env=False, timeout=TIMEOUT_S)
            async with self._client(f"http://{HOST}", pool) as client:
                return await scene(client)

        with VirtualWorld() as world:
            serve(world, ChaosServer())
            return world.run(main)

    def _play_sync(self, scene: Scene[T]) -> T:
        pool = httpx.Client(verify=False, trust_env=False, timeout=TIMEOUT_S)
        with ThreadedServer() as server, self._client(server.url, pool) as client:
            try:
                scene(client).__await__().send(None)
            except StopIteration as finished:
                played: T = finished.value
                return played
        raise AssertionError("a scene with a sync client has nothing to wait for")

    def _client(self, url: str, pool: httpx.Client | httpx.AsyncClient) -> Any:
        where = (
            {"azure_endpoint": url, "api_version": API_VERSION}
            if self.azure
            else {"base_url": f"{url}/v1"}
        )
        return self.make(api_key="k", max_retries=0, http_client=pool, **where)


async def result(given: Any) -> Any:
    """What a call of the SDK returns in the end."""
    return await given if inspect.isawaitable(given) else given


async def collected(stream: Any) -> list[Any]:
    """All that a stream yields."""
    if hasattr(stream, "__aiter__"):
        return [item async for item in stream]
    return list(stream)


@contextlib.asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """The block of a context manager of either kind."""
    if hasattr(manager, "__aenter__"):
        async with manager as inner:
            yield inner
    else:
        with manager as inner:
            yield inner


SDK_CLIENTS = (
    SdkClient(name="sync", make=openai.OpenAI, is_async=False),
    SdkClient(name="async", make=openai.AsyncOpenAI, is_async=True),
    SdkClient(name="azure-sync", make=openai.AzureOpenAI, is_async=False, azure=True),
    SdkClient(name="azure-async", make=openai.AsyncAzureOpenAI, is_async=True, azure=True),
)
