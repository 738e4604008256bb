"""HostedNetwork: hosts, ports, faults and the ledger of sockets, whatever carries the bytes.

It sits under trio's socket factory and resolver, so whatever opens its sockets through trio runs
over it unmodified. What a link is, what a socket is, and how a connection is made, reset and
ended is for each network to say.
"""

from __future__ import annotations

import errno
import socket as stdlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from socket import AddressFamily, SocketKind
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

import trio

from chaoscheck.errors import WorldError
from chaoscheck.history.link_fault import LinkFault
from chaoscheck.history.trace import Trace
from chaoscheck.world.network.address import Address, socket_error
from chaoscheck.world.network.host_link import HostLink
from chaoscheck.world.network.hosts import ANY, CLIENT_ADDRESS, LOOPBACK, Hosts
from chaoscheck.world.network.network import OpenConnection, OpenSocket
from chaoscheck.world.network.ports import Bindable, Ports
from chaoscheck.world.network.resolver import VirtualResolver
from chaoscheck.world.network.socket_base import SocketBase
from chaoscheck.world.network.window import WINDOW_BYTES, require_window

__all__ = ["HostedNetwork"]

_BACKLOG = 4096  # of `listen`: as much as Linux allows, since it is not what a test is about

L = TypeVar("L", bound=HostLink)
S = TypeVar("S", bound=SocketBase[Any])


class HostedNetwork(trio.abc.SocketFactory, Generic[L, S]):
    """All hosts, links ``L`` and sockets ``S`` of one world.

    Links lie between everyone and one host. Faults take the host's name and raise WorldError
    if there is no such host. ``localhost`` exists from the start.
    """

    _what_it_carries: ClassVar[str]  # and who: an error text begins with it

    def __init__(self, new_link: Callable[[str], L], *, trace: Trace) -> None:
        self._trace = trace
        self._window_bytes = WINDOW_BYTES
        self._hosts: Hosts[L] = Hosts(self._link_by(new_link))
        self.resolver = VirtualResolver(self._hosts)
        self._ports = Ports()
        self._sockets: dict[int, S] = {}
        self._sockets_made = 0
        self._connects = 0
        self._silent = False
        self._listened: set[str] = set()

    def install(self) -> None:
        """Let the trio run that is open now use this network; it ends with that run."""
        trio.socket.set_custom_socket_factory(self)
        trio.socket.set_custom_hostname_resolver(self.resolver)

    def add_host(self, name: str) -> str:
        """Register a host name; its IPv4 address, 10.0.0.1 for the first. Idempotent."""
        return self._hosts.add(name)

    async def listen(self, host: str, port: int) -> list[trio.SocketListener]:
        """Listen on a registered host (name or address) or 0.0.0.0; port 0 is the next free one.

        Raises WorldError for an unknown host, OSError EADDRINUSE.
        """
        address = host if host == ANY else self._hosts.address_at(host)
        listening = self.socket()
        listening.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_REUSEADDR, 1)
        try:
            listening.bind_now((address, port))
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
        return [trio.SocketListener(listening)]

    # Faults.

    def cut(self, host: str) -> None:
        """Hold whatever goes to and from ``host``, without an error, until healed."""
        link = self._hosts.link_to(host)
        self._trace.add("net.cut", link.host)
        link.cut()

    def refuse(self, host: str) -> None:
        """Answer new connects to ``host`` with RST, until healed; connections live on."""
        link = self._hosts.link_to(host)
        self._trace.add("net.refuse", link.host)
        link.refuse()

    def heal(self, host: str) -> None:
        """Undo ``cut`` and ``refuse``: what was held is delivered now. Latency stays."""
        link = self._hosts.link_to(host)
        self._trace.add("net.heal", link.host)
        link.heal()

    def heal_all(self) -> None:
        """``heal`` every host that needs it."""
        for link in list(self._hosts.links()):
            if link.is_cut or link.refuses:
                self.heal(link.host)

    def set_latency(self, host: str, low_s: float, high_s: float) -> None:
        """What is sent from now on takes low_s to high_s seconds each way; 0, 0 is at once.

        Raises PlanError unless 0 <= low_s <= high_s, both finite.
        """
        link = self._hosts.link_to(host)
        link.set_latency(low_s, high_s)
        self._trace.add("net.latency", link.host, low_s, high_s)

    def set_window(self, window_bytes: int, host: str | None = None) -> None:
        """Each direction of a connection made from now on holds so many bytes unread.

        Of the connections of one host, or of all (None), hosts registered later included.
        Default: 262 144; PlanError unless it is an integer in [4096, 2**30]. SO_SNDBUF and
        SO_RCVBUF set a part of it for one connection.
        """
        legal_bytes = require_window(window_bytes)
        self._trace.add("net.window", host or "every host", legal_bytes)
        if host is not None:
            self._hosts.link_to(host).window_bytes = legal_bytes
            return
        self._window_bytes = legal_bytes
        for link in self._hosts.links():
            link.window_bytes = legal_bytes

    @property
    def injected(self) -> Counter[str]:
        """How often each link fault was asked for: cut, half_close, refuse, reset."""
        return sum((link.injected for link in self._hosts.links()), Counter())

    @property
    def hits(self) -> Counter[str]:
        """How often each link fault held, refused or ended something."""
        return sum((link.hits for link in self._hosts.links()), Counter())

    @property
    def link_faults(self) -> list[LinkFault]:
        """Every link fault so far, each with the times between which it could be felt."""
        return sorted(
            (fault for link in self._hosts.links() for fault in link.faults),
            key=lambda fault: fault.from_s,
        )

    def _count(self, fault: str, host: str, hit: int) -> int:
        self._hosts.link_to(host).note_signal(fault, hit)
        return hit

    # Leak checks.

    def served_hosts(self) -> tuple[str, ...]:
        """Hosts on which something has listened so far; after 0.0.0.0, every host there is."""
        return tuple(
            link.host
            for link in self._hosts.links()
            if ANY in self._listened or self._hosts.address_of(link.host) in self._listened
        )

    def connections(self) -> list[OpenConnection]:
        """Connections with an end that is alive, by number."""
        found = [each for link in self._hosts.links() for each in self._connections_on(link)]
        return sorted(found, key=lambda each: each.number)

    def open_sockets(self) -> list[OpenSocket]:
        """Sockets that nobody has closed, in order of opening."""
        return [
            OpenSocket(number=each.number, what=each.describe(), opened_by=each.opened_by)
            for each in self._sockets.values()
        ]

    # The end.

    def fall_silent(self) -> None:
        """The world begins to close: nothing new is carried or drawn.

        Sockets stay open, for their tasks to close while they unwind; connecting, or making a
        new socket, is OSError ENETDOWN from now on.
        """
        self._silent = True
        for link in self._hosts.links():
            self._silence(link)

    def close(self) -> None:
        """Fall silent, and close whatever socket is still open. Closing twice is legal.

        A task that waits on one gets trio.ClosedResourceError.
        """
        self.fall_silent()
        for left in list(self._sockets.values()):
            left.close()

    # What trio asks.

    def socket(
        self,
        family: AddressFamily | int = stdlib.AF_INET,
        type: SocketKind | int = stdlib.SOCK_STREAM,
        proto: int = 0,
    ) -> S:
        """A new TCP socket; OSError ENETDOWN once the world closes.

        IPv6 is OSError EAFNOSUPPORT, as on a machine without it (trio then falls back to
        IPv4); any other family or type is a WorldError (in the virtual network an Escape).
        """
        if family == stdlib.AF_INET6:
            raise socket_error(errno.EAFNOSUPPORT)
        if family != stdlib.AF_INET or type != stdlib.SOCK_STREAM:
            self._refuse_kind(
                f"{self._what_it_carries} over IPv4 only (AF_INET, SOCK_STREAM),"
                f" got family {family!r} and type {type!r}"
            )
        return self._make_socket(proto)

    # What its sockets ask.

    def name_at(self, address: str) -> str:
        """The host's name, or the address itself."""
        return self._hosts.name_at(address) or address

    def bind(self, bound: Bindable, address: Address) -> Address:
        """Bind a socket; the address with its port. OSError EADDRNOTAVAIL, EADDRINUSE."""
        if not self._hosts.is_local(address[0]):
            raise socket_error(errno.EADDRNOTAVAIL)
        return self._ports.bind(address, bound)

    def forget(self, closed: SocketBase[Any]) -> None:
        """A descriptor was closed: it leaves the ledger."""
        self._sockets.pop(closed.number, None)

    def release(self, closed: Bindable) -> None:
        """A socket is gone: its port is free again."""
        if closed.bound is not None:
            self._ports.release(closed.bound[1], closed)

    # What each network does in its own way.

    def _refuse_kind(self, why: str) -> NoReturn:
        """Neither TCP nor IPv6."""
        raise WorldError(why)

    @abstractmethod
    def _make_socket(self, proto: int) -> S:
        """A new TCP socket over IPv4, registered with ``_keep``."""

    @abstractmethod
    def _connections_on(self, link: L) -> Iterable[OpenConnection]:
        """The connections of one host that are not over."""

    @abstractmethod
    def _silence(self, link: L) -> None:
        """From now on the link draws nothing."""

    # What they have in common.

    def _link_by(self, new_link: Callable[[str], L]) -> Callable[[str], L]:
        def make(host: str) -> L:
            link = new_link(host)
            link.window_bytes = self._window_bytes
            return link

        return make

    def _require_up(self) -> None:
        if self._silent:
            raise socket_error(errno.ENETDOWN)

    def _keep(self, make: Callable[[int, str], S]) -> S:
        """Make the next socket, from its number and the task that opens it, and remember it."""
        self._sockets_made += 1
        made = make(self._sockets_made, _current_task_name())
        self._sockets[made.number] = made
        return made

    def _note_listening(self, listening: Bindable, address: Address) -> None:
        self._ports.require_sole_listener(address, listening)
        self._listened.add(address[0])
        self._trace.add("net.listen", self.name_at(address[0]), address[1])

    def _begin_connect(self, dialling: Bindable, target: Address) -> tuple[L, Address, Address]:
        """The link to cross, where from and where to; binds the socket if it is not bound.

        Counts the connect. Raises OSError EHOSTUNREACH if no such host exists.
        """
        self._require_up()
        host, port = target
        if host == ANY:  # Linux takes it for the loopback address
            host = LOOPBACK
        link = self._hosts.link_at(host)
        if link is None:
            self._trace.add("net.unreachable", host, port)
            raise socket_error(errno.EHOSTUNREACH)
        source_host = LOOPBACK if host == LOOPBACK else CLIENT_ADDRESS
        if dialling.bound is None:
            dialling.bound = self._ports.bind((source_host, 0), dialling)
        elif dialling.bound[0] != ANY:
            source_host = dialling.bound[0]
        self._connects += 1
        return link, (source_host, dialling.bound[1]), (host, port)


def _current_task_name() -> str:
    try:
        return trio.lowlevel.current_task().name
    except RuntimeError:  # outside a trio run, or in its scheduler
        return "no task"
