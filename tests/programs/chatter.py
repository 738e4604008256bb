"""A program with everything undetermined in it; prints its trace digest and its choices.

Run as ``python -m tests.programs.chatter seed 7`` or ``… script '[0, 3, …]'``.
"""

from __future__ import annotations

import json
import sys

import httpx
import trio

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.choices import Choices, ScriptedChoices, SeededChoices
from chaoscheck.world.virtual import VirtualWorld


class Undivided(SeededChoices):
    """One stream for everything, so that its log is the whole story and can be replayed."""

    def derive(self, *keys: object) -> SeededChoices:
        return self


def chatter(choices: Choices) -> tuple[str, list[int]]:
    """Five clients talk to a server that fails by rate over a slow link: (digest, choices)."""
    plan = FaultPlan(
        rates=((faults.status_429(retry_after_s=0.5), 0.3), (faults.reset_mid_body(), 0.2))
    )
    with VirtualWorld(choices) as world:
        world.network.add_host("api.test")
        world.network.set_latency("api.test", 0.001, 0.05)
        server = ChaosServer(plan, choices=choices, trace=world.trace)
        world.spawn(server.serve, world.run(world.network.listen, "api.test", 80))
        operations = [world.start(_talk, f"client {number}") for number in range(5)]
        for operation in operations:
            world.run_until(operation)
        world.random_bytes(4)
        return world.trace.digest(), [choice.value for choice in choices.log]


async def _talk(name: str) -> None:
    async with httpx.AsyncClient(base_url="http://api.test", verify=False) as client:
        for turn in range(4):
            message = {"role": "user", "content": f"{name}, turn {turn}"}
            body = {"model": "m", "messages": [message]}
            try:
                reply = await client.post("/v1/chat/completions", json=body)
            except httpx.TransportError:
                continue
            if reply.status_code == 429:
                await trio.sleep(float(reply.headers["retry-after"]))


def main(arguments: list[str]) -> None:
    """``seed N`` or ``script JSON``: run and print the result as JSON."""
    kind, value = arguments
    choices: Choices = (
        Undivided(int(value)) if kind == "seed" else ScriptedChoices(json.loads(value))
    )
    digest, values = chatter(choices)
    print(json.dumps({"digest": digest, "choices": values}))


if __name__ == "__main__":
    main(sys.argv[1:])
