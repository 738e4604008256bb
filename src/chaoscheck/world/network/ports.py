"""Ports: which socket is bound where, and the next free one. The same order in every run."""

from __future__ import annotations

import errno
import itertools
from typing import Protocol

from chaoscheck.world.network.address import Address, socket_error
from chaoscheck.world.network.hosts import ANY
from chaoscheck.world.network.listener import Listener

__all__ = ["Bindable", "Ports"]

# Linux's ip_local_port_range.
_FIRST_EPHEMERAL = 32768
_LAST_EPHEMERAL = 60999
_PORT_MAX = 65535


class Bindable(Protocol):
    """What a bound socket shows of itself."""

    @property
    def reuses_address(self) -> bool:
        """Whether SO_REUSEADDR is set."""

    bound: Address | None

    @property
    def listener(self) -> Listener | None:
        """Its queue, if it listens."""


class Ports:
    """The bound ports of all hosts."""

    def __init__(self) -> None:
        self._bound: dict[int, list[tuple[str, Bindable]]] = {}
        self._ephemeral = itertools.cycle(range(_FIRST_EPHEMERAL, _LAST_EPHEMERAL + 1))

    def bind(self, address: Address, socket: Bindable) -> Address:
        """Give ``socket`` the address; port 0 means the next free one.

        Raises OSError EADDRINUSE, and OverflowError for a port outside 0..65535.
        """
        host, port = address
        if not 0 <= port <= _PORT_MAX:
            raise OverflowError(f"port must be 0-65535, got {port}.")
        if port == 0:
            port = self._next_free()
        elif any(self._conflicts(host, socket, *other) for other in self._bound.get(port, ())):
            raise socket_error(errno.EADDRINUSE)
        self._bound.setdefault(port, []).append((host, socket))
        return host, port

    def release(self, port: int, socket: Bindable) -> None:
        """The socket is closed."""
        left = [entry for entry in self._bound.get(port, ()) if entry[1] is not socket]
        if left:
            self._bound[port] = left
        else:
            self._bound.pop(port, None)

    def require_sole_listener(self, address: Address, socket: Bindable) -> None:
        """Sharing a port is legal until one listens (inet_csk_get_port): else EADDRINUSE."""
        for host, other in self._bound.get(address[1], ()):
            if other is not socket and other.listener and _overlap(host, address[0]):
                raise socket_error(errno.EADDRINUSE)

    def listener_at(self, address: Address) -> Listener | None:
        """Who listens there: a socket bound to exactly this host before one bound to any."""
        found = None
        for host, socket in self._bound.get(address[1], ()):
            if socket.listener is not None:
                if host == address[0]:
                    return socket.listener
                if host == ANY:
                    found = socket.listener
        return found

    def _next_free(self) -> int:
        for _ in range(_LAST_EPHEMERAL - _FIRST_EPHEMERAL + 1):
            port = next(self._ephemeral)
            if port not in self._bound:
                return port
        raise socket_error(errno.EADDRINUSE)

    @staticmethod
    def _conflicts(host: str, socket: Bindable, other_host: str, other: Bindable) -> bool:
        shareable = socket.reuses_address and other.reuses_address and other.listener is None
        return _overlap(host, other_host) and not shareable


def _overlap(one: str, other: str) -> bool:
    return one == other or ANY in (one, other)
