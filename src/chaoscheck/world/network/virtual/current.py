"""Which virtual network the sockets of the standard library belong to, in each thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaoscheck.world.network.virtual.network import VirtualNetwork

__all__ = ["current"]


class _PerThread(threading.local):
    network: VirtualNetwork | None = None


current = _PerThread()
