"""Ordinary servers, which make their own sockets, live in a world as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import ClassVar

import httpx
import pytest
import trio
import trio_websocket
from hypercorn.trio import serve

from chaoscheck.stateful.machine import ChaosMachine
from chaoscheck.stateful.programs.replaying import replay
from chaoscheck.stateful.rules import invariant, rule
from chaoscheck.stateful.running import run_machine
from chaoscheck.world.choices import SeededChoices
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World
from tests.contract.own_servers import (
    CONVERSATIONS,
    greet,
    hypercorn_config,
    over_hypercorn_with_tls,
)
from tests.contract.worlds import on_both_worlds
from tests.unit.stateful.stories import QUICK, story

WEB = "web.test"


@on_both_worlds
@pytest.mark.parametrize(
    ("conversation", "promised"), CONVERSATIONS, ids=[each.__name__ for each, _ in CONVERSATIONS]
)
def test_a_server_that_makes_its_own_socket_serves_in_a_world(
    kind: type[World], conversation: Callable[[], Awaitable[list[object]]], promised: list[object]
) -> None:
    """My ASGI server, WebSocket server or anyio listener runs in a world without a change."""
    with kind() as world:
        assert promised == world.run(conversation)


@pytest.mark.parametrize(
    "conversation",
    # The handshake of TLS is OpenSSL's own chance: its signatures differ in length.
    [each for each, _ in CONVERSATIONS if each is not over_hypercorn_with_tls],
)
def test_a_conversation_with_such_a_server_is_the_same_in_every_run(
    conversation: Callable[[], Awaitable[list[object]]],
) -> None:
    """Equal choices give an equal trace, whoever made the sockets."""
    digests = set()
    for _ in range(2):
        with VirtualWorld(SeededChoices(7)) as world:
            world.network.set_latency("localhost", 0.001, 0.05)
            world.run(conversation)
            digests.add(world.trace.digest())

    assert 1 == len(digests)


def test_an_open_socket_of_such_a_server_is_told_with_its_opener() -> None:
    """What a server forgets to close is found, as with sockets that trio made."""
    with VirtualWorld() as world:
        world.network.add_host(WEB)
        world.spawn(serve, greet, hypercorn_config(f"{WEB}:80"), name="hypercorn")
        world.settle()
        [left] = world.network.open_sockets()

    assert (f"listener on {WEB}:80", True) == (left.what, "hypercorn" in left.opened_by)


class Visiting(ChaosMachine):
    """Visits an application that hypercorn serves, while the link to it breaks."""

    links: ClassVar[tuple[str, ...]] = ("cut", "refuse", "reset", "half_close")

    def setup(self) -> None:
        self.seen: list[str] = []
        self.world.network.add_host(WEB)
        self.world.spawn(serve, greet, hypercorn_config(f"{WEB}:80"), name="hypercorn")
        self.world.settle()
        self.client = httpx.AsyncClient(verify=False, timeout=5)

    @rule()
    async def visit(self) -> None:
        try:
            self.seen.append((await self.client.get(f"http://{WEB}/")).text)
        except httpx.TransportError as error:
            self.seen.append(type(error).__name__)

    @invariant(healed=True)
    def it_is_served_again(self) -> None:
        self.world.run(self.visit)  # a connection that was cut may fail once more
        self.world.run(self.visit)
        assert "hello world" == self.seen[-1]

    async def cleanup(self) -> None:
        await self.client.aclose()


def test_link_faults_reach_a_server_with_a_socket_of_its_own() -> None:
    """What hypercorn bound breaks as any host of the world does, and is served again.

    It takes a second: it is a search, and httpx and hypercorn cost a millisecond a request.
    """
    run_machine(Visiting, QUICK)


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("cut", "ConnectTimeout"),
        ("refuse", "ConnectError"),
    ],
)
def test_a_client_of_such_a_server_sees_the_fault(fault: str, seen: str) -> None:
    """A cut or a refusal in a story is what the client of my server meets."""

    class Noting(Visiting):
        last: ClassVar[Visiting]

        def setup(self) -> None:
            super().setup()
            Noting.last = self

    run = replay(Noting, story(fault, "visit", "heal_link", "visit"))

    assert (None, {}) == (run.error, run.skipped)
    assert [seen, "hello world"] == Noting.last.seen[:2]


async def _answer(request: trio_websocket.WebSocketRequest) -> None:
    connection = await request.accept()
    with contextlib.suppress(trio_websocket.ConnectionClosed):
        while True:
            await connection.send_message(await connection.get_message())


async def _talk() -> str:
    """Speak twice, a minute apart, and tell how it ended."""
    try:
        with trio.fail_after(90):
            async with trio_websocket.open_websocket(WEB, 80, "/", use_ssl=False) as client:
                await client.send_message("hello")
                await client.get_message()
                await trio.sleep(60)
                await client.send_message("hello")
                await client.get_message()
                return "ok"
    except (trio_websocket.ConnectionClosed, trio.TooSlowError) as error:
        return type(error).__name__


@pytest.mark.parametrize(
    ("fault", "seen"), [("cut", "TooSlowError"), ("reset", "ConnectionClosed")]
)
def test_link_faults_reach_web_sockets(fault: str, seen: str) -> None:
    """A WebSocket ends as on a real broken link, and a new one works once it is healed."""
    with VirtualWorld() as world:
        world.network.add_host(WEB)
        world.spawn(trio_websocket.serve_websocket, _answer, WEB, 80, None)
        talking = world.start(_talk)
        world.settle()
        getattr(world.network, fault)(WEB)
        first = world.run_until(talking)
        world.network.heal(WEB)

        assert [seen, "ok"] == [first, world.run(_talk)]
