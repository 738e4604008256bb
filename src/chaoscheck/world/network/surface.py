"""What a virtual socket is and remembers: identity, addresses, options, descriptor.

``socket.py`` adds what it does.
"""

from __future__ import annotations

import errno
import socket as stdlib
import struct
from collections.abc import Callable
from socket import AddressFamily, SocketKind
from typing import TYPE_CHECKING, Any, NoReturn, Self, overload

import trio

from chaoscheck.world.network.connection import Address, Endpoint, socket_error
from chaoscheck.world.network.handshake import Handshake, Listener
from chaoscheck.world.network.options import SocketOptions
from chaoscheck.world.network.pollable import Pollable

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from chaoscheck.world.network.virtual import VirtualNetwork

__all__ = ["UNBOUND", "SocketSurface"]

UNBOUND: Address = ("0.0.0.0", 0)

_INT = struct.Struct("i")
# What the kernel answers for each of our sockets; two of these names exist on Linux only.
_FIXED_OPTIONS = {
    stdlib.SO_TYPE: stdlib.SOCK_STREAM,
    getattr(stdlib, "SO_DOMAIN", None): stdlib.AF_INET,
    getattr(stdlib, "SO_PROTOCOL", None): stdlib.IPPROTO_TCP,
}


def _not_simulated(what: str) -> Callable[..., Any]:
    def refuse(self: SocketSurface, *args: object, **kwargs: object) -> NoReturn:
        raise OSError(
            errno.EOPNOTSUPP,
            f"{what} is not simulated by the virtual network: it carries TCP by send and recv",
        )

    return refuse


class SocketSurface(trio.socket.SocketType):
    """The part of trio's socket interface that neither waits nor changes the connection."""

    def __init__(self, network: VirtualNetwork, number: int, opened_by: str) -> None:
        super().__init__()
        self.number = number
        self.opened_by = opened_by
        self.listener: Listener | None = None
        self.endpoint: Endpoint | None = None
        self._network = network
        self._handshake: Handshake | None = None
        self._bound: Address | None = None
        self._closed = False
        self._sent_eof = False
        self._inheritable = False
        self._options = SocketOptions()
        self._pollable: Pollable | None = None

    @property
    def family(self) -> AddressFamily:
        """Always AF_INET."""
        return AddressFamily.AF_INET

    @property
    def type(self) -> SocketKind:
        """Always SOCK_STREAM."""
        return SocketKind.SOCK_STREAM

    @property
    def proto(self) -> int:
        """Always TCP."""
        return stdlib.IPPROTO_TCP

    @property
    def did_shutdown_SHUT_WR(self) -> bool:  # noqa: N802 - trio's name
        """Whether its own process shut it down for writing."""
        return self._sent_eof

    @property
    def reuses_address(self) -> bool:
        """Whether SO_REUSEADDR is set."""
        return self._options.reuses_address

    @property
    def _sock(self) -> Self:
        # anyio's trio backend takes the standard library's socket from here; it asks it for
        # nothing that this class does not answer.
        return self

    def describe(self) -> str:
        """What it is at the moment, in words that are the same in every run."""
        if self.endpoint is not None:
            route = self.endpoint.connection.route
            target = f"{route.link.host}:{route.server[1]}"
            return f"{self.endpoint.side} of connection {route.number} to {target}"
        host, port = self._bound or UNBOUND
        if self.listener is not None:
            return f"listener on {self._network.name_at(host)}:{port}"
        return "unconnected socket" if self._handshake is None else self._handshake.describe()

    def __repr__(self) -> str:
        state = "closed" if self._closed else self.describe()
        return f"<virtual socket {self.number}: {state}>"

    def getsockname(self) -> Address:
        """The own (address, port)."""
        self._require_open()
        if self.endpoint is not None:
            return self.endpoint.address
        return self._bound or UNBOUND

    def getpeername(self) -> Address:
        """The peer's (address, port); OSError ENOTCONN without a peer, or after a reset."""
        self._require_open()
        if self.endpoint is None or not self.endpoint.is_connected:
            raise socket_error(errno.ENOTCONN)
        return self.endpoint.peer_address

    @overload
    def getsockopt(self, level: int, optname: int) -> int: ...

    @overload
    def getsockopt(self, level: int, optname: int, buflen: int) -> bytes: ...

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> int | bytes:
        """As ``socket.getsockopt``: an int, or at most ``buflen`` bytes of the value."""
        self._require_open()
        answer = self._kernel_option(optname) if level == stdlib.SOL_SOCKET else None
        value = self._options.get(level, optname) if answer is None else _INT.pack(answer)
        if buflen:
            return value[:buflen]
        number: int = _INT.unpack(value.ljust(_INT.size, b"\0")[: _INT.size])[0]
        return number

    @overload
    def setsockopt(self, level: int, optname: int, value: int | Buffer) -> None: ...

    @overload
    def setsockopt(self, level: int, optname: int, value: None, optlen: int) -> None: ...

    def setsockopt(
        self, level: int, optname: int, value: int | Buffer | None, optlen: int | None = None
    ) -> None:
        """As ``socket.setsockopt``: remembered; SO_LINGER and SO_REUSEADDR have their effect."""
        self._require_open()
        if (value is None) == (optlen is None):
            raise TypeError("give either a value, or None and a length")
        self._options.set(level, optname, bytes(optlen or 0) if value is None else value)

    def get_inheritable(self) -> bool:
        """Remembered only: there is no descriptor to inherit."""
        return self._inheritable

    def set_inheritable(self, inheritable: bool) -> None:
        """Remembered only."""
        self._inheritable = inheritable

    def fileno(self) -> int:
        """A real descriptor that polls readable when this socket is; -1 when closed."""
        if self._closed:
            return -1
        if self._pollable is None:
            self._pollable = Pollable()
            self._pollable.show(self._has_input())
        return self._pollable.fileno()

    def is_readable(self) -> bool:
        """Whether ``recv`` or ``accept`` would answer at once; ValueError if closed, as trio."""
        if self._closed:
            raise ValueError("this socket was already closed")
        return self._has_input()

    dup = _not_simulated("dup")
    detach = _not_simulated("detach")
    recvfrom = _not_simulated("recvfrom")
    recvfrom_into = _not_simulated("recvfrom_into")
    recvmsg = _not_simulated("recvmsg")
    recvmsg_into = _not_simulated("recvmsg_into")
    sendto = _not_simulated("sendto")
    sendmsg = _not_simulated("sendmsg")

    def _require_open(self) -> None:
        if self._closed:
            raise socket_error(errno.EBADF)

    def _has_input(self) -> bool:
        if self.endpoint is not None:
            return self.endpoint.is_readable
        if self.listener is not None:
            return self.listener.is_readable
        return self._handshake is None  # an unconnected TCP socket polls POLLHUP

    def _show_input(self) -> None:
        if self._pollable is not None:
            self._pollable.show(self._has_input())

    def _kernel_option(self, name: int) -> int | None:
        if name == stdlib.SO_ERROR:
            return 0 if self.endpoint is None else self.endpoint.take_error()
        if name == stdlib.SO_ACCEPTCONN:
            return int(self.listener is not None)
        return _FIXED_OPTIONS.get(name)
