"""The anthropic SDK, unmodified: the async one in a virtual world, the sync one over real TCP.

Both are one ``Sdk`` to a test. They are built as cheaply as their maker allows: one connection
pool, no CA bundle, no retries unless a test asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import anthropic
import httpx2

from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.threaded import ThreadedServer
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.worlds import HOST, PATIENCE_S, serve

__all__ = ["SDKS", "Sdk"]


class Sdk(Protocol):
    """A client and the server it asks; each method is one call of the SDK."""

    retries_max: int

    @property
    def server(self) -> ChaosServer | ThreadedServer:
        """The server it asks."""

    def create(self, **body: Any) -> anthropic.types.Message:
        """``messages.create``."""

    def parse(self, **body: Any) -> Any:
        """``messages.parse``: what the text is, as a value of the type that was asked for."""

    def events(self, taken: list[Any], **body: Any) -> None:
        """``messages.create(stream=True)``: each event goes into ``taken`` as it comes."""

    def final(self, **body: Any) -> tuple[str, anthropic.types.Message]:
        """``messages.stream``: the pieces of its text joined, and its final message."""

    def count_tokens(self, **body: Any) -> int:
        """``messages.count_tokens``."""

    def models(self, **page: Any) -> list[str]:
        """``models.list``: the ids of all pages."""

    def model(self, name: str) -> str:
        """``models.retrieve``: the display name."""


class SyncSdk:
    """``anthropic.Anthropic`` over TCP on 127.0.0.1, on the wall clock."""

    def __init__(self, server: ThreadedServer) -> None:
        self.server = server
        self.retries_max = 0

    @contextmanager
    def _client(self) -> Iterator[anthropic.Anthropic]:
        with anthropic.Anthropic(
            base_url=self.server.anthropic_url,
            api_key="k",
            max_retries=self.retries_max,
            http_client=httpx2.Client(verify=False, trust_env=False, timeout=PATIENCE_S),
        ) as client:
            yield client

    def create(self, **body: Any) -> anthropic.types.Message:
        with self._client() as client:
            message: anthropic.types.Message = client.messages.create(**body)
            return message

    def parse(self, **body: Any) -> Any:
        with self._client() as client:
            return client.messages.parse(**body).parsed_output

    def events(self, taken: list[Any], **body: Any) -> None:
        with self._client() as client:
            taken.extend(client.messages.create(**body, stream=True))

    def final(self, **body: Any) -> tuple[str, anthropic.types.Message]:
        with self._client() as client, client.messages.stream(**body) as stream:
            return "".join(stream.text_stream), stream.get_final_message()

    def count_tokens(self, **body: Any) -> int:
        with self._client() as client:
            return client.messages.count_tokens(**body).input_tokens

    def models(self, **page: Any) -> list[str]:
        with self._client() as client:
            return [model.id for model in client.models.list(**page)]

    def model(self, name: str) -> str:
        with self._client() as client:
            return client.models.retrieve(name).display_name


class AsyncSdk:
    """``anthropic.AsyncAnthropic`` in a virtual world, in virtual time."""

    def __init__(self, world: VirtualWorld, server: ChaosServer) -> None:
        self.server = server
        self.retries_max = 0
        self._world = world

    def _run(self, ask: Callable[[anthropic.AsyncAnthropic], Any]) -> Any:
        async def scene() -> Any:
            async with anthropic.AsyncAnthropic(
                base_url=f"http://{HOST}",
                api_key="k",
                max_retries=self.retries_max,
                http_client=httpx2.AsyncClient(verify=False, trust_env=False, timeout=PATIENCE_S),
            ) as client:
                return await ask(client)

        return self._world.run(scene)

    def create(self, **body: Any) -> anthropic.types.Message:
        message: anthropic.types.Message = self._run(lambda client: client.messages.create(**body))
        return message

    def parse(self, **body: Any) -> Any:
        return self._run(lambda client: client.messages.parse(**body)).parsed_output

    def events(self, taken: list[Any], **body: Any) -> None:
        async def ask(client: anthropic.AsyncAnthropic) -> None:
            async for event in await client.messages.create(**body, stream=True):
                taken.append(event)  # noqa: PERF401 (a comprehension keeps nothing on an error)

        self._run(ask)

    def final(self, **body: Any) -> tuple[str, anthropic.types.Message]:
        async def ask(
            client: anthropic.AsyncAnthropic,
        ) -> tuple[str, anthropic.types.Message]:
            async with client.messages.stream(**body) as stream:
                text = "".join([piece async for piece in stream.text_stream])
                return text, await stream.get_final_message()

        said: tuple[str, anthropic.types.Message] = self._run(ask)
        return said

    def count_tokens(self, **body: Any) -> int:
        return int(self._run(lambda client: client.messages.count_tokens(**body)).input_tokens)

    def models(self, **page: Any) -> list[str]:
        async def ask(client: anthropic.AsyncAnthropic) -> list[str]:
            return [model.id async for model in client.models.list(**page)]

        ids: list[str] = self._run(ask)
        return ids

    def model(self, name: str) -> str:
        return str(self._run(lambda client: client.models.retrieve(name)).display_name)


@contextmanager
def sync_sdk() -> Iterator[Sdk]:
    """The sync SDK and a silent server on its own thread."""
    with ThreadedServer() as server:
        yield SyncSdk(server)


@contextmanager
def async_sdk() -> Iterator[Sdk]:
    """The async SDK and a silent server in one virtual world."""
    server = ChaosServer()
    with VirtualWorld() as world:
        serve(world, server)
        yield AsyncSdk(world, server)


SDKS = {"sync": sync_sdk, "async": async_sdk}
