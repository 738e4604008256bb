"""Clients that know nothing of us run over the virtual network as they are."""

from __future__ import annotations

import contextlib
import json
import select
from collections.abc import Awaitable, Callable

import anyio
import httpx
import httpx2
import openai
import pytest
import trio
import trio.testing

from chaoscheck.history.trace import Trace
from chaoscheck.world.choices import ScriptedChoices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.network.virtual.network import VirtualNetwork

HOST = "provider.example"
BASE_URL = f"http://{HOST}/v1"
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hello"},
        }
    ],
}


class Provider:
    """A tiny HTTP/1.1 server that answers everything with the same completion."""

    def __init__(self) -> None:
        self.connections: list[trio.SocketStream] = []
        self.requests = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answer requests until the client leaves, or somebody here hangs up."""
        self.connections.append(stream)
        body = json.dumps(COMPLETION).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        with contextlib.suppress(trio.ClosedResourceError):
            while await self._request(stream):
                self.requests += 1
                await stream.send_all(head % len(body) + body)

    @staticmethod
    async def _request(stream: trio.SocketStream) -> bool:
        """Whether a whole request came before the client's end."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = await stream.receive_some()
            if not more:
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        missing = int(fields.get(b"content-length", b"0")) - len(body)
        while missing > 0:
            missing -= len(await stream.receive_some())
        return True


def play(story: Callable[[Provider], Awaitable[None]]) -> None:
    """Run ``story`` in a network where a provider serves; it must leave no socket behind."""
    clock = VirtualClock()
    trace = Trace(clock.current_time)
    network = VirtualNetwork(clock=clock, choices=ScriptedChoices(), trace=trace)
    provider = Provider()

    async def main() -> None:
        network.install()
        network.add_host(HOST)
        async with trio.open_nursery() as nursery:
            listeners = await network.listen(HOST, 80)
            nursery.start_soon(trio.serve_listeners, provider.serve, listeners)
            await story(provider)
            await trio.testing.wait_all_tasks_blocked()
            assert [1] == [found.number for found in network.open_sockets()]
            nursery.cancel_scope.cancel()

    trio.run(main, clock=clock)


async def ask_httpx(times: int, between: Callable[[], Awaitable[None]]) -> list[str]:
    """``times`` requests over one bare httpx client."""
    async with httpx.AsyncClient() as client:
        return [await _post(client, between) for _ in range(times)]


async def ask_httpx2(times: int, between: Callable[[], Awaitable[None]]) -> list[str]:
    """``times`` requests over one bare httpx2 client."""
    async with httpx2.AsyncClient() as client:
        return [await _post(client, between) for _ in range(times)]


async def _post(
    client: httpx.AsyncClient | httpx2.AsyncClient, between: Callable[[], Awaitable[None]]
) -> str:
    response = await client.post(f"{BASE_URL}/chat/completions", json={"model": "m"})
    await between()
    content: str = response.json()["choices"][0]["message"]["content"]
    return content


async def ask_openai(times: int, between: Callable[[], Awaitable[None]]) -> list[str]:
    """``times`` requests over one openai client."""
    answers = []
    async with openai.AsyncOpenAI(base_url=BASE_URL, api_key="k", max_retries=0) as client:
        for _ in range(times):
            completion = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}]
            )
            answers.append(completion.choices[0].message.content or "")
            await between()
    return answers


Ask = Callable[[int, Callable[[], Awaitable[None]]], Awaitable[list[str]]]
CLIENTS = [ask_httpx, ask_httpx2, ask_openai]


@pytest.mark.parametrize("ask", CLIENTS)
def test_a_bare_client_keeps_its_connection_for_the_next_request(ask: Ask) -> None:
    """My HTTP client talks to a virtual host without a change, and reuses its connection."""

    async def story(provider: Provider) -> None:
        assert ["hello"] * 3 == await ask(3, trio.lowlevel.checkpoint)
        assert (3, 1) == (provider.requests, len(provider.connections))

    play(story)


@pytest.mark.parametrize("ask", CLIENTS)
def test_a_bare_client_notices_that_its_idle_connection_was_closed(ask: Ask) -> None:
    """A server that closes an idle connection costs me a new connection, not an error."""

    async def story(provider: Provider) -> None:
        async def close_the_newest() -> None:
            await provider.connections[-1].aclose()

        assert ["hello"] * 2 == await ask(2, close_the_newest)
        assert (2, 2) == (provider.requests, len(provider.connections))

    play(story)


def polls_readable(descriptor: int) -> bool:
    """What httpcore asks of an idle connection over anyio."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def test_anyio_runs_over_the_virtual_network() -> None:
    """A stream opened by anyio is virtual, its descriptor polls, and both ends hear each other."""

    async def story(provider: Provider) -> None:
        async with await anyio.connect_tcp(HOST, 80) as stream:
            raw = stream.extra(anyio.abc.SocketAttribute.raw_socket)
            assert not polls_readable(raw.fileno())
            await stream.send(b"GET / HTTP/1.1\r\n\r\n")
            await trio.testing.wait_all_tasks_blocked()
            assert polls_readable(raw.fileno())
            assert (await stream.receive()).startswith(b"HTTP/1.1 200 OK")
            assert not polls_readable(raw.fileno())
            assert ("10.0.0.1", 80) == stream.extra(anyio.abc.SocketAttribute.remote_address)

    play(story)
