"""Listener: a listening port as every network knows it."""

from __future__ import annotations

from chaoscheck.world.network.address import Address

__all__ = ["Listener"]


class Listener:
    """A port that accepts connections; what waits there is for each network to say."""

    def __init__(self, address: Address) -> None:
        self.address = address
