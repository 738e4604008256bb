"""A request that is cancelled in the very instant in which its connection stands.

httpcore 1.0.9 leaves a slot of its pool taken for ever (its issue 1093): the pipeline machine found
that in a story of seven steps. Our transports must not.
"""

from __future__ import annotations

from typing import Any

import httpx
import httpx2
import pytest

from chaoscheck.stateful.chaos import Chaos
from chaoscheck.stateful.worlds import WORLDS
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.wire.fast_transport2 import FastTransport2

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def _httpx() -> Any:
    transport = FastTransport(limits=httpx.Limits(max_connections=2))
    return httpx.AsyncClient(transport=transport, timeout=8)


def _httpx2() -> Any:
    transport = FastTransport2(limits=httpx2.Limits(max_connections=2))
    return httpx2.AsyncClient(transport=transport, timeout=8)


@pytest.mark.parametrize("world_name", WORLDS)
@pytest.mark.parametrize("make_client", [_httpx, _httpx2])
def test_the_pool_has_all_its_slots_afterwards(world_name: str, make_client: Any) -> None:
    """Two of two connections are cancelled as they come up, and two more requests succeed."""
    with WORLDS[world_name]() as world:
        chaos = Chaos(world)
        chaos.serve()
        client = make_client()

        async def ask() -> int:
            reply = await client.post("http://api.test/v1/chat/completions", json=QUESTION)
            return int(reply.status_code)

        chaos.cut()
        cancelled = [world.start(ask) for _ in range(2)]
        world.advance(0.3)
        chaos.heal_everything()
        for operation in cancelled:
            operation.cancel()
        world.settle()
        again = [world.start(ask) for _ in range(2)]

        assert [operation.state for operation in cancelled] == ["cancelled", "cancelled"]
        assert [world.run_until(operation) for operation in again] == [200, 200]
        world.run(client.aclose)
