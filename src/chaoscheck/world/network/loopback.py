"""LoopbackNetwork: real kernel TCP on 127.0.0.1 under the world's names, addresses and faults.

Both ends live in this process. Names, addresses and ports are the world's own, the same in every
run, and translated to a real port when a socket connects; so any client and server that open
their sockets through trio work unmodified. A refused connect meets a real closed port, a reset is
a real RST, a half-close a real FIN. The one exception: a port of 127.0.0.1 where nobody of this
world listens is the machine's own, so that a server on a socket of the standard library works.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections import Counter
from socket import AddressFamily, SocketKind

import trio

from chaoscheck.errors import WorldError
from chaoscheck.history.trace import Trace
from chaoscheck.world.choices import Choices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.network.connection import Address, socket_error
from chaoscheck.world.network.hosts import ANY, CLIENT_ADDRESS, LOOPBACK, Hosts
from chaoscheck.world.network.linked_socket import LinkedSocket
from chaoscheck.world.network.loopback_link import LoopbackLink, RealConnection, RealListener
from chaoscheck.world.network.network import OpenConnection, OpenSocket
from chaoscheck.world.network.ports import Ports
from chaoscheck.world.network.resolver import VirtualResolver

__all__ = ["LoopbackNetwork"]

_BACKLOG = 4096  # of `listen`: as much as Linux allows, since it is not what a test is about


class LoopbackNetwork(trio.abc.SocketFactory):
    """All hosts, links and sockets of one loopback world. It has the faults of the virtual one.

    By design it differs in this: latency is drawn once a direction of a connection, not for each
    segment; an established connection is never given up while its link is cut (the virtual
    kernel gives up after 924 s); an answer that the kernel itself makes (an RST for data that
    nobody reads) takes no latency.
    """

    def __init__(self, *, clock: VirtualClock, choices: Choices, trace: Trace) -> None:
        self._trace = trace
        self._hosts: Hosts[LoopbackLink] = Hosts(
            lambda name: LoopbackLink(name, clock=clock, choices=choices)
        )
        self._ports = Ports()
        self._sockets: dict[int, LinkedSocket] = {}
        self._sockets_made = 0
        self._connects = 0
        self._closed_port: stdlib.socket | None = None
        self._silent = False

    def install(self) -> None:
        """Let the trio run that is open now use this network; it ends with that run."""
        trio.socket.set_custom_socket_factory(self)
        trio.socket.set_custom_hostname_resolver(VirtualResolver(self._hosts))

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

    def real_address(self, host: str, port: int) -> Address | None:
        """Where on this machine ``host``:``port`` listens, for clients of another process."""
        listener = self._ports.listener_at((self._hosts.address_at(host), port))
        return listener.real if isinstance(listener, RealListener) else None

    # Faults.

    def cut(self, host: str) -> None:
        """Hold all bytes to and from ``host``, without an error, until healed."""
        link = self._hosts.link_to(host)
        self._trace.add("net.cut", link.host)
        link.cut()

    def refuse(self, host: str) -> None:
        """New connects to ``host`` meet a closed port, until healed; connections live on."""
        link = self._hosts.link_to(host)
        self._trace.add("net.refuse", link.host)
        link.refuses = True
        link.injected["refuse"] += 1

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

    def reset(self, host: str) -> int:
        """Reset each accepted connection of ``host``, both ends; how many.

        The host's end dies at once. By the link's clock the RST comes after what is on its way,
        takes the latency, and is held by a cut (then what the cut held before it is lost).
        """
        hit = self._open_servers_of(host)
        for server in hit:
            server.reset_by_fault()
        return self._count("reset", host, len(hit))

    def half_close(self, host: str) -> int:
        """The host's side of each accepted connection sends FIN; how many.

        As if its process had called shutdown(SHUT_WR): it can still receive, the client can
        still send, and what the host's process sends after it is EPIPE.
        """
        hit = sum(server.half_close_by_fault() for server in self._open_servers_of(host))
        return self._count("half_close", host, hit)

    def set_latency(self, host: str, low_s: float, high_s: float) -> None:
        """What is sent from now on takes low_s to high_s seconds each way; 0, 0 is at once.

        Raises PlanError unless 0 <= low_s <= high_s, both finite.
        """
        link = self._hosts.link_to(host)
        link.set_latency(low_s, high_s)
        self._trace.add("net.latency", link.host, low_s, high_s)

    @property
    def injected(self) -> Counter[str]:
        """How often each link fault was asked for: cut, half_close, refuse, reset."""
        return sum((link.injected for link in self._hosts.links()), Counter())

    @property
    def hits(self) -> Counter[str]:
        """How often each link fault held, refused or ended something."""
        return sum((link.hits for link in self._hosts.links()), Counter())

    def _count(self, fault: str, host: str, hit: int) -> int:
        link = self._hosts.link_to(host)
        self._trace.add(f"net.{fault}", link.host, hit)
        link.injected[fault] += 1
        link.hits[fault] += bool(hit)
        return hit

    def _open_servers_of(self, host: str) -> list[LinkedSocket]:
        ends = [each.server for each in self._hosts.link_to(host).connections.values()]
        return [end for end in ends if end is not None and end.state == "open"]

    # Leak checks.

    def connections(self) -> list[OpenConnection]:
        """Connections with an end that is alive, by number."""
        found = [each for link in self._hosts.links() for each in link.connections.values()]
        return [_describe(each) for each in sorted(found, key=lambda each: each.number)]

    def open_sockets(self) -> list[OpenSocket]:
        """Sockets that nobody has closed, in order of opening."""
        return [
            OpenSocket(number=each.number, what=each.describe(), opened_by=each.opened_by)
            for each in self._sockets.values()
        ]

    # The end.

    def fall_silent(self) -> None:
        """The world begins to close: no new socket is made, no latency is drawn."""
        self._silent = True
        for link in self._hosts.links():
            link.is_silent = True

    def close(self) -> None:
        """Fall silent, and close whatever is still open, unread data or not. Twice is legal."""
        self.fall_silent()
        for left in list(self._sockets.values()):
            left.close()
        if self._closed_port is not None:
            self._closed_port.close()
            self._closed_port = None

    # What trio asks.

    def socket(
        self,
        family: AddressFamily | int = stdlib.AF_INET,
        type: SocketKind | int = stdlib.SOCK_STREAM,
        proto: int = 0,
    ) -> LinkedSocket:
        """A new TCP socket; OSError ENETDOWN once the world closes.

        IPv6 is OSError EAFNOSUPPORT, as on a machine without it (trio then falls back to
        IPv4); any other family or type is a WorldError.
        """
        if family == stdlib.AF_INET6:
            raise socket_error(errno.EAFNOSUPPORT)
        if family != stdlib.AF_INET or type != stdlib.SOCK_STREAM:
            raise WorldError(
                "a loopback world has TCP over IPv4 only (AF_INET, SOCK_STREAM),"
                f" got family {family!r} and type {type!r}"
            )
        if self._silent:
            raise socket_error(errno.ENETDOWN)
        return self._keep(stdlib.socket(family, type, proto))

    # What its sockets ask.

    def name_at(self, address: str) -> str:
        """The host's name, or the address itself."""
        return self._hosts.name_at(address) or address

    def bind(self, bound: LinkedSocket, address: Address) -> Address:
        """Bind a socket; the address with its port. OSError EADDRNOTAVAIL, EADDRINUSE."""
        if not self._hosts.is_local(address[0]):
            raise socket_error(errno.EADDRNOTAVAIL)
        return self._ports.bind(address, bound)

    def listen_at(self, listening: LinkedSocket, address: Address) -> RealListener:
        """The listener of a socket that starts to listen; OSError EADDRINUSE."""
        self._ports.require_sole_listener(address, listening)
        self._trace.add("net.listen", self.name_at(address[0]), address[1])
        return RealListener(address)

    def dial(self, dialling: LinkedSocket, target: Address) -> RealConnection:
        """A connection to ``target``, not yet begun; binds the socket if it is not bound.

        Raises OSError EHOSTUNREACH if no such host exists.
        """
        if self._silent:
            raise socket_error(errno.ENETDOWN)
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
        self._trace.add("net.connect", self._connects, link.host, port)
        source = (source_host, dialling.bound[1])
        return RealConnection(self._connects, link, source, (host, port))

    async def reach(self, connection: RealConnection) -> Address:
        """Let the request to connect travel; the real address to connect to.

        Where nobody listens, or the host refuses, that is a real closed port. OSError ETIMEDOUT.
        """
        link, target = connection.link, connection.server_address
        try:
            await link.carry_syn(0.0 if link.is_instant else connection.to_server.delay_s())
        except TimeoutError:
            self._trace.add("net.timed_out", connection.number, link.host)
            raise
        if link.refuses:
            link.hits["refuse"] += 1
            return self._closed()
        listener = self._ports.listener_at(target)
        if isinstance(listener, RealListener):
            return listener.real
        if target[0] != LOOPBACK:
            return self._closed()
        connection.to_client.is_foreign = connection.to_server.peer_is_foreign = True
        return target

    def connecting(self, connection: RealConnection, real_address: Address) -> None:
        """The kernel was asked to connect from a real address: accept may be first to know."""
        listener = self._ports.listener_at(connection.server_address)
        if isinstance(listener, RealListener):
            listener.pending[real_address] = connection

    def refused(self, connection: RealConnection, real_address: Address) -> None:
        """The kernel refused."""
        self._trace.add("net.refused", connection.number, connection.link.host)
        listener = self._ports.listener_at(connection.server_address)
        if isinstance(listener, RealListener):
            listener.pending.pop(real_address, None)

    def accepted(
        self, real: stdlib.socket, real_address: Address, listener: RealListener | None
    ) -> tuple[LinkedSocket, Address]:
        """The server's end of a connection, and the client's address."""
        server = self._keep(real)
        connection = None if listener is None else listener.pending.pop(real_address, None)
        if connection is None:  # From outside this world: no link lies between.
            return server, real_address
        server.attach(connection, "server")
        return server, connection.client_address

    def forget(self, closed: LinkedSocket) -> None:
        """A socket was closed: its port is free again."""
        self._sockets.pop(closed.number, None)
        if closed.bound is not None:
            self._ports.release(closed.bound[1], closed)

    def _keep(self, real: stdlib.socket) -> LinkedSocket:
        self._sockets_made += 1
        made = LinkedSocket(real, self, self._sockets_made, _current_task_name())
        self._sockets[made.number] = made
        return made

    def _closed(self) -> Address:
        if self._closed_port is None:
            # Bound and not listening: the kernel refuses, and nobody else can take the port.
            self._closed_port = stdlib.socket()
            self._closed_port.bind((LOOPBACK, 0))
        address: Address = self._closed_port.getsockname()
        return address


def _describe(connection: RealConnection) -> OpenConnection:
    return OpenConnection(
        number=connection.number,
        host=connection.link.host,
        port=connection.server_address[1],
        client=connection.state_of("client"),
        server=connection.state_of("server"),
    )


def _current_task_name() -> str:
    try:
        return trio.lowlevel.current_task().name
    except RuntimeError:  # outside a trio run, or in its scheduler
        return "no task"
