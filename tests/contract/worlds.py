"""Both worlds, and a chaos server at ``api.test:80`` in one of them."""

from __future__ import annotations

import pytest

from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World
from tests.contract.clients import CLIENTS

__all__ = ["HOST", "PATIENCE_S", "WORLDS", "of_every_client", "on_both_worlds", "serve"]

HOST = "api.test"
PATIENCE_S = 10.0  # how long a client waits for the next byte
WORLDS: tuple[type[World], ...] = (VirtualWorld, LoopbackWorld)

on_both_worlds = pytest.mark.parametrize("kind", WORLDS, ids=["virtual", "loopback"])
of_every_client = pytest.mark.parametrize("client", CLIENTS)


def serve(world: World, server: ChaosServer) -> None:
    """Let the chaos server stand at ``api.test:80``."""
    world.network.add_host(HOST)
    world.spawn(server.serve, world.run(world.network.listen, HOST, 80))
