"""The chaos server on TCP, with the plan of a preset: silent unless its name is the argument."""

from __future__ import annotations

import sys

import trio

from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from server.measured import announce


def _plan(name: str) -> FaultPlan:
    from chaoscheck.plan.documents.presets import preset

    return preset(name).plan


async def _serve(plan: FaultPlan) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    announce(listeners[0].socket.getsockname()[1])
    await ChaosServer(plan).serve(listeners)


if __name__ == "__main__":
    trio.run(_serve, _plan(sys.argv[1]) if len(sys.argv) > 1 else FaultPlan())
