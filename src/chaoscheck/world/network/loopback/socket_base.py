"""What a socket of a loopback world is and remembers: identity, addresses, state, descriptor.

``socket.py`` beside it adds what it does.
"""

from __future__ import annotations

import errno
import select
import socket as stdlib
from typing import TYPE_CHECKING, Literal, NoReturn, Self

import trio

from chaoscheck.world.network.address import UNBOUND, Address, socket_error
from chaoscheck.world.network.loopback.link import RealConnection, RealLane, RealListener
from chaoscheck.world.network.pollable import Pollable
from chaoscheck.world.network.socket_base import N, SocketBase

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["LoopbackSocketBase"]

_NOTSENT_LOWAT = (stdlib.IPPROTO_TCP, getattr(stdlib, "TCP_NOTSENT_LOWAT", None))


class LoopbackSocketBase(SocketBase[N]):
    """The part of a loopback world's socket that neither waits nor changes the connection."""

    _kind = "loopback"

    def __init__(self, real: stdlib.socket, network: N, number: int, opened_by: str) -> None:
        super().__init__(network, number, opened_by)
        real.setblocking(False)
        self.bound: Address | None = None
        self.listener: RealListener | None = None
        self.connection: RealConnection | None = None
        self.side: Literal["client", "server"] = "client"
        self.incoming: RealLane | None = None
        self.outgoing: RealLane | None = None
        self.dialling: trio.CancelScope | None = None
        self._real = real
        self._dead = False  # reset, by a fault or by what a fault lost
        self._error = 0  # reported once, by whichever call comes first
        self._early_reset = False  # the kernel told of a RST that is still on its way
        self._ended = False  # FIN or RST went out

    @property
    def state(self) -> Literal["open", "dead", "closed"]:
        """``dead`` is reset and not yet closed."""
        if self._closed:
            return "closed"
        return "dead" if self._dead else "open"

    @property
    def reuses_address(self) -> bool:
        """Whether SO_REUSEADDR is set."""
        if self._real.fileno() == -1:
            return False
        return bool(self._real.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_REUSEADDR))

    def getsockname(self) -> Address:
        """The own (address, port), as the world knows it."""
        self._require_open()
        if self.connection is None:
            return self.bound or UNBOUND
        if self.side == "client":
            return self.connection.client_address
        return self.connection.server_address

    def getpeername(self) -> Address:
        """The peer's (address, port); OSError ENOTCONN without a peer, or after a reset."""
        self._require_open()
        if self._dead:
            raise socket_error(errno.ENOTCONN)
        real: Address = self._real.getpeername()
        if self.connection is None:
            return real
        if self.side == "client":
            return self.connection.server_address
        return self.connection.client_address

    def get_inheritable(self) -> bool:
        """As ``socket.get_inheritable``."""
        return not self._dead and self._real.get_inheritable()

    def set_inheritable(self, inheritable: bool) -> None:
        """As ``socket.set_inheritable``."""
        if not self._dead:
            self._real.set_inheritable(inheritable)

    def fileno(self) -> int:
        """A descriptor that polls readable when this socket is; -1 when closed.

        It is the kernel's own, except while the kernel has something that by the link's clock
        has not arrived: then it is a stand-in. So ask again before each poll.
        """
        if self._closed:
            return -1
        if not self._dead and (self.incoming is None or self.incoming.is_clear):
            return self._real.fileno()
        if self._pollable is None:
            self._pollable = Pollable()
        self._pollable.show(self._has_input())
        return self._pollable.fileno()

    def dup(self) -> NoReturn:
        """Not in a loopback world: OSError EOPNOTSUPP."""
        raise socket_error(errno.EOPNOTSUPP, "a loopback world has no dup: ")

    def detach(self) -> NoReturn:
        """Not in a loopback world: OSError EOPNOTSUPP. Its bytes would pass by the links."""
        raise socket_error(errno.EOPNOTSUPP, "a loopback world has no detach: ")

    def _describe_connection(self) -> str | None:
        if self.connection is None:
            return None
        target = f"{self.connection.link.host}:{self.connection.server_address[1]}"
        return f"{self.side} of connection {self.connection.number} to {target}"

    def _listening_at(self) -> Address | None:
        return None if self.listener is None else self.bound or UNBOUND

    @property
    def _sock(self) -> Self:
        # anyio's trio backend takes the standard library's socket from here; it asks it for
        # nothing that this class does not answer.
        return self

    def _has_input(self) -> bool:
        if self._dead:
            return True
        lane = self.incoming
        if lane is not None and not lane.is_clear:
            return lane.available > 0
        poll = select.poll()
        poll.register(self._real, select.POLLIN)
        return bool(poll.poll(0))

    def _get_option(self, level: int, optname: int, buflen: int | None) -> int | bytes:
        if self._dead:  # The kernel's socket is gone; only its error is worth asking for.
            code = self._take_error() if optname == stdlib.SO_ERROR else 0
            return code if not buflen else code.to_bytes(4, "little")[:buflen]
        if buflen is None:
            return self._real.getsockopt(level, optname)
        return self._real.getsockopt(level, optname, buflen)

    def _set_option(
        self, level: int, optname: int, value: int | Buffer | None, optlen: int
    ) -> None:
        # Nothing happens to a connection that was reset. TCP_NOTSENT_LOWAT, which trio sets, is
        # dropped: the window of the lane is what makes a sender wait, and the kernel must have
        # room for all of it.
        if self._dead or (level, optname) == _NOTSENT_LOWAT:
            return
        if value is None:
            self._real.setsockopt(level, optname, None, optlen)
        else:
            self._real.setsockopt(level, optname, value)

    def _take_error(self) -> int:
        code, self._error = self._error, 0
        return code
