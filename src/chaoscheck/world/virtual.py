"""VirtualWorld: a world whose network is virtual too, so that nothing real is left.

Everything that speaks trio or anyio works in it unmodified, sockets included.
"""

from __future__ import annotations

from chaoscheck.world.network.virtual.network import VirtualNetwork
from chaoscheck.world.world import World

__all__ = ["VirtualWorld"]


class VirtualWorld(World):
    """A world in virtual time on a virtual network (``world.network``)."""

    network: VirtualNetwork

    def _make_network(self) -> VirtualNetwork:
        return VirtualNetwork(
            clock=self.clock, choices=self.choices, trace=self.trace, outside=self.outside
        )
