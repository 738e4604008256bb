"""What a virtual socket is and remembers: connection, addresses, options, descriptor.

``socket.py`` beside it adds what it does.
"""

from __future__ import annotations

import errno
import socket as stdlib
import struct
from typing import TYPE_CHECKING

from chaoscheck.world.network.address import Address, socket_error
from chaoscheck.world.network.options import SocketOptions
from chaoscheck.world.network.pollable import Pollable
from chaoscheck.world.network.socket_base import UNBOUND, N, SocketBase
from chaoscheck.world.network.virtual.connection import Endpoint
from chaoscheck.world.network.virtual.handshake import Handshake
from chaoscheck.world.network.virtual.listener import VirtualListener

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["VirtualSocketBase"]

_INT = struct.Struct("i")
# What the kernel answers for each of our sockets; two of these names exist on Linux only.
_FIXED_OPTIONS = {
    stdlib.SO_TYPE: stdlib.SOCK_STREAM,
    getattr(stdlib, "SO_DOMAIN", None): stdlib.AF_INET,
    getattr(stdlib, "SO_PROTOCOL", None): stdlib.IPPROTO_TCP,
}


class VirtualSocketBase(SocketBase[N]):
    """The part of a virtual socket that neither waits nor changes the connection."""

    _kind = "virtual"
    listener: VirtualListener | None
    _refusal = "is not simulated by the virtual network: it carries TCP by send and recv"

    def __init__(self, network: N, number: int, opened_by: str) -> None:
        super().__init__(network, number, opened_by)
        self.endpoint: Endpoint | None = None
        self._handshake: Handshake | None = None
        self._inheritable = False
        self._options = SocketOptions()

    @property
    def reuses_address(self) -> bool:
        """Whether SO_REUSEADDR is set."""
        return self._options.reuses_address

    def getsockname(self) -> Address:
        """The own (address, port)."""
        self._require_open()
        if self.endpoint is not None:
            return self.endpoint.address
        return self.bound or UNBOUND

    def getpeername(self) -> Address:
        """The peer's (address, port); OSError ENOTCONN without a peer, or after a reset."""
        self._require_open()
        if self.endpoint is None or not self.endpoint.is_connected:
            raise socket_error(errno.ENOTCONN)
        return self.endpoint.peer_address

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

    def _describe_connection(self) -> str | None:
        if self.endpoint is None:
            return None
        route = self.endpoint.connection.route
        target = f"{route.link.host}:{route.server[1]}"
        return f"{self.endpoint.side} of connection {route.number} to {target}"

    def _describe_attempt(self) -> str:
        return (
            super()._describe_attempt() if self._handshake is None else self._handshake.describe()
        )

    def _has_input(self) -> bool:
        if self.endpoint is not None:
            return self.endpoint.is_readable
        if self.listener is not None:
            return self.listener.is_readable
        return self._handshake is None  # an unconnected TCP socket polls POLLHUP

    def _show_input(self) -> None:
        if self._pollable is not None:
            self._pollable.show(self._has_input())

    def _get_option(self, level: int, optname: int, buflen: int | None) -> int | bytes:
        answer = self._kernel_option(optname) if level == stdlib.SOL_SOCKET else None
        value = self._options.get(level, optname) if answer is None else _INT.pack(answer)
        if buflen:
            return value[:buflen]
        number: int = _INT.unpack(value.ljust(_INT.size, b"\0")[: _INT.size])[0]
        return number

    def _set_option(
        self, level: int, optname: int, value: int | Buffer | None, optlen: int
    ) -> None:
        # Remembered; SO_LINGER and SO_REUSEADDR have their effect.
        self._options.set(level, optname, bytes(optlen) if value is None else value)

    def _kernel_option(self, name: int) -> int | None:
        if name == stdlib.SO_ERROR:
            return 0 if self.endpoint is None else self.endpoint.take_error()
        if name == stdlib.SO_ACCEPTCONN:
            return int(self.listener is not None)
        return _FIXED_OPTIONS.get(name)
