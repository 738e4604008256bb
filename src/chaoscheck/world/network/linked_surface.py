"""What a socket of a loopback world is and remembers: identity, addresses, state, descriptor.

``linked_socket.py`` adds what it does.
"""

from __future__ import annotations

import errno
import os
import select
import socket as stdlib
from collections.abc import Callable
from socket import AddressFamily, SocketKind
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, overload

import trio

from chaoscheck.world.network.connection import Address, socket_error
from chaoscheck.world.network.loopback_link import RealConnection, RealLane, RealListener
from chaoscheck.world.network.pollable import Pollable
from chaoscheck.world.network.waiting import Waiter

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from chaoscheck.world.network.loopback import LoopbackNetwork

__all__ = ["UNBOUND", "LinkedSurface"]

UNBOUND: Address = ("0.0.0.0", 0)

_NOTSENT_LOWAT = (stdlib.IPPROTO_TCP, getattr(stdlib, "TCP_NOTSENT_LOWAT", None))


def _not_carried(what: str) -> Callable[..., Any]:
    def refuse(self: LinkedSurface, *args: object, **kwargs: object) -> NoReturn:
        raise OSError(
            errno.EOPNOTSUPP,
            f"{what} does not go through the links of a loopback world: use send and recv",
        )

    return refuse


class LinkedSurface(trio.socket.SocketType):
    """The part of trio's socket interface that neither waits nor changes the connection."""

    def __init__(
        self, real: stdlib.socket, network: LoopbackNetwork, number: int, opened_by: str
    ) -> None:
        super().__init__()
        real.setblocking(False)
        self.number = number
        self.opened_by = opened_by
        self.bound: Address | None = None
        self.listener: RealListener | None = None
        self.connection: RealConnection | None = None
        self.side: Literal["client", "server"] = "client"
        self.incoming: RealLane | None = None
        self.outgoing: RealLane | None = None
        self.dialling: trio.CancelScope | None = None
        self._real = real
        self._network = network
        self._closed = False  # by its own process
        self._dead = False  # reset, by a fault or by what a fault lost
        self._error = 0  # reported once, by whichever call comes first
        self._early_reset = False  # the kernel told of a RST that is still on its way
        self._ended = False  # FIN or RST went out
        self._sent_eof = False
        self._pollable: Pollable | None = None
        self._reading = Waiter(lambda: f"to read: {self.describe()}")
        self._writing = Waiter(lambda: f"to write: {self.describe()}")

    @property
    def state(self) -> Literal["open", "dead", "closed"]:
        """``dead`` is reset and not yet closed."""
        if self._closed:
            return "closed"
        return "dead" if self._dead else "open"

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
        if self._real.fileno() == -1:
            return False
        return bool(self._real.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_REUSEADDR))

    @property
    def _sock(self) -> Self:
        # anyio's trio backend takes the standard library's socket from here; it asks it for
        # nothing that this class does not answer.
        return self

    def describe(self) -> str:
        """What it is at the moment, in words that are the same in every run."""
        if self.connection is not None:
            target = f"{self.connection.link.host}:{self.connection.server_address[1]}"
            return f"{self.side} of connection {self.connection.number} to {target}"
        host, port = self.bound or UNBOUND
        if self.listener is not None:
            return f"listener on {self._network.name_at(host)}:{port}"
        return "unconnected socket"

    def __repr__(self) -> str:
        return f"<loopback socket {self.number}: {'closed' if self._closed else self.describe()}>"

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

    @overload
    def getsockopt(self, level: int, optname: int) -> int: ...

    @overload
    def getsockopt(self, level: int, optname: int, buflen: int) -> bytes: ...

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> int | bytes:
        """As ``socket.getsockopt``."""
        self._require_open()
        if self._dead:  # The kernel's socket is gone; only its error is worth asking for.
            code = self._take_error() if optname == stdlib.SO_ERROR else 0
            return code if not buflen else code.to_bytes(4, "little")[:buflen]
        if buflen is None:
            return self._real.getsockopt(level, optname)
        return self._real.getsockopt(level, optname, buflen)

    @overload
    def setsockopt(self, level: int, optname: int, value: int | Buffer) -> None: ...

    @overload
    def setsockopt(self, level: int, optname: int, value: None, optlen: int) -> None: ...

    def setsockopt(
        self, level: int, optname: int, value: int | Buffer | None, optlen: int | None = None
    ) -> None:
        """As ``socket.setsockopt``; nothing happens to a connection that was reset.

        TCP_NOTSENT_LOWAT, which trio sets, is dropped: the window of the lane is what makes a
        sender wait, and the kernel must have room for all of it.
        """
        self._require_open()
        if (value is None) == (optlen is None):
            raise TypeError("give either a value, or None and a length")
        if self._dead or (level, optname) == _NOTSENT_LOWAT:
            return
        if value is None:
            self._real.setsockopt(level, optname, None, optlen or 0)
        else:
            self._real.setsockopt(level, optname, value)

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
        self._pollable.show(self.is_readable())
        return self._pollable.fileno()

    def is_readable(self) -> bool:
        """Whether ``recv`` or ``accept`` would answer at once; ValueError if closed, as trio."""
        if self._closed:
            raise ValueError("this socket was already closed")
        if self._dead:
            return True
        lane = self.incoming
        if lane is not None and not lane.is_clear:
            return lane.available > 0
        poll = select.poll()
        poll.register(self._real, select.POLLIN)
        return bool(poll.poll(0))

    dup = _not_carried("dup")
    detach = _not_carried("detach")
    recvfrom = _not_carried("recvfrom")
    recvfrom_into = _not_carried("recvfrom_into")
    recvmsg = _not_carried("recvmsg")
    recvmsg_into = _not_carried("recvmsg_into")
    sendto = _not_carried("sendto")
    sendmsg = _not_carried("sendmsg")

    def _require_open(self) -> None:
        if self._closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def _take_error(self) -> int:
        code, self._error = self._error, 0
        return code

    async def _resolve(self, address: Any, flags: int) -> Address:
        """``address`` with its host as a number; not always a checkpoint."""
        if not isinstance(address, tuple) or len(address) != 2:
            raise ValueError(f"address should be a (host, port) tuple, got {address!r}")
        host, port = address
        if isinstance(host, str) and isinstance(port, int) and _is_ipv4(host):
            return host, port
        entries = await trio.socket.getaddrinfo(
            host or None, port, stdlib.AF_INET, stdlib.SOCK_STREAM, 0, flags
        )
        found = entries[0][4]
        return str(found[0]), int(found[1])


def _is_ipv4(host: str) -> bool:
    try:
        stdlib.inet_pton(stdlib.AF_INET, host)
    except OSError:
        return False
    return True
