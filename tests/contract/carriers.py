"""Carriers: where a scene with a chaos server and its clients is played.

A scene is an async function of (host, port). The same scene runs on each carrier.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx
import trio

from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World

T = TypeVar("T")

Scene = Callable[[str, int], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Loopback:
    """Real TCP on 127.0.0.1, on the real clock; silence is ``patience_s`` without a byte."""

    name: str = "loopback"
    patience_s: float = 0.03

    def play(self, server: ChaosServer, scene: Scene[T]) -> T:
        """Both ends in this process and one trio run."""

        async def main() -> T:
            async with trio.open_nursery() as nursery:
                listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
                port = listeners[0].socket.getsockname()[1]
                nursery.start_soon(server.serve, listeners)
                with trio.fail_after(5):
                    result = await scene("127.0.0.1", port)
                nursery.cancel_scope.cancel()
            return result

        return trio.run(main)


@dataclass(frozen=True, slots=True)
class InWorld:
    """A world in virtual time; silence is ``patience_s`` without a byte."""

    name: str
    world: type[World]
    patience_s: float = 1.0

    def play(self, server: ChaosServer, scene: Scene[T]) -> T:
        """One world per scene."""
        with self.world() as world:
            world.network.add_host("api.test")
            listeners = world.run(world.network.listen, "api.test", 80)
            world.spawn(server.serve, listeners)
            return world.run(scene, "api.test", 80)


Carrier = Loopback | InWorld

VIRTUAL = InWorld("virtual", VirtualWorld)
LOOPBACK_WORLD = InWorld("loopback world", LoopbackWorld)
CARRIERS: tuple[Carrier, ...] = (Loopback(), VIRTUAL, LOOPBACK_WORLD)


def client(host: str, port: int, *, read_timeout_s: float = 5.0) -> httpx.AsyncClient:
    """An httpx client with its own pool, but without the CA bundle, which costs 20 ms."""
    return httpx.AsyncClient(
        base_url=f"http://{host}:{port}",
        verify=False,
        trust_env=False,
        timeout=httpx.Timeout(5.0, read=read_timeout_s),
    )


async def at_rest(server: ChaosServer) -> None:
    """Wait until the server has booked every request; TooSlowError after 2 s."""
    with trio.fail_after(2):
        while server.in_flight:  # noqa: ASYNC110 (the server has no event for it, by design)
            await trio.sleep(0.001)
