"""LoopbackWorld: virtual waits on real kernel TCP, both ends in this process.

The clock stands while bytes move: it jumps only after 2 ms of real quiet. With none, one run in
300 with bodies of 1 MB saw a jump too early; with 2 ms none did.
"""

from __future__ import annotations

from chaoscheck.world.network.loopback.network import LoopbackNetwork
from chaoscheck.world.pump import Pump
from chaoscheck.world.world import World

__all__ = ["LoopbackWorld"]

QUIET_S = 0.002  # real seconds without any event before the world counts as settled


class LoopbackWorld(World):
    """A world in virtual time on real sockets of 127.0.0.1 (``world.network``)."""

    network: LoopbackNetwork
    real_sockets = True

    def _make_network(self) -> LoopbackNetwork:
        return LoopbackNetwork(clock=self.clock, choices=self.choices, trace=self.trace)

    def _make_pump(self) -> Pump:
        return Pump(self.clock, quiet_s=QUIET_S)
