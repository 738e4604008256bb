"""``world.serve``: a chaos server of a plan, or any server, inside a world."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.stateful.chaos import Chaos
from chaoscheck.stateful.worlds import WORLDS

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


async def ask(host: str = "api.test") -> int:
    """The status of one request."""
    async with httpx.AsyncClient(verify=False) as client:
        reply = await client.post(f"http://{host}/v1/chat/completions", json=QUESTION)
        return reply.status_code


@pytest.mark.parametrize("kind", WORLDS)
def test_a_plan_is_served_by_the_machines_chaos(kind: str) -> None:
    """self.world.serve(plan) is self.chaos.serve(plan): chaos rules steer the same server."""
    with WORLDS[kind]() as world:
        chaos = Chaos(world)
        server = world.serve(FaultPlan.of({"status_500": 1.0}))

        assert server is chaos.server
        assert 500 == world.run(ask)
        chaos.heal_everything()
        assert 200 == world.run(ask)


def test_a_fault_aimed_at_what_is_never_asked_is_not_injected() -> None:
    """It counts as neither asked for nor hit, so that a machine that declares it is told."""
    with WORLDS["virtual"]() as world:
        chaos = Chaos(world)
        aim = {"provider": "anthropic", "rates": {"status_529": 1.0, "status_500": 0}}
        world.serve(FaultPlan.of({"status_500": 1.0}, aimed=[aim]))

        assert 500 == world.run(ask)
        assert {"status_500": 1} == chaos.injected()
        assert {"status_500": 1} == +chaos.hits()


def test_one_plan_is_served_in_a_world() -> None:
    """A second chaos server of the machine is refused, whichever way it is asked for."""
    with WORLDS["virtual"]() as world:
        Chaos(world)
        world.serve()

        with pytest.raises(PlanError, match="one chaos server a world"):
            world.serve()


@pytest.mark.parametrize("kind", WORLDS)
def test_a_ready_server_is_served_as_it_is(kind: str) -> None:
    """In a bare world, or beside the machine's, I serve the server that I made."""
    with WORLDS[kind]() as world:
        made = ChaosServer(FaultPlan.of({"status_503": 1.0}), choices=world.choices)

        assert made is world.serve(made, host="other.test")
        assert 503 == world.run(ask, "other.test")
        assert 1 == len(made.ledger)


def test_anything_that_takes_listeners_is_a_server() -> None:
    """My own server needs one method: async serve(listeners)."""

    class Refusing:
        async def serve(self, listeners: Any) -> None:
            async def answer(stream: trio.SocketStream) -> None:
                await stream.receive_some()
                await stream.send_all(b"HTTP/1.1 418 no\r\ncontent-length: 0\r\n\r\n")

            await trio.serve_listeners(answer, listeners)

    with WORLDS["virtual"]() as world:
        world.serve(Refusing())

        assert 418 == world.run(ask)


@pytest.mark.parametrize("plan", [None, FaultPlan()])
def test_a_bare_world_says_what_it_needs(plan: FaultPlan | None) -> None:
    """Without a machine a plan has nobody who makes a server of it: I am told what to do."""
    with (
        WORLDS["virtual"]() as world,
        pytest.raises(PlanError, match=r"world\.serve\(ChaosServer\("),
    ):
        world.serve(plan)
