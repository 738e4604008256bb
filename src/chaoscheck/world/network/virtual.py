"""VirtualNetwork: a whole TCP network in memory, under trio's socket factory and resolver.

Whatever opens its sockets through trio (trio streams and listeners, TLS over them, anyio on
trio, httpx, httpx2, SDKs on these) runs over it unmodified and gets the errno values that Linux
would give. It takes its time from the world's clock and every latency from the world's choices;
nothing else is undetermined. Not simulated: UDP, IPv6, Unix sockets, TIME_WAIT, keep-alive.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Callable
from socket import AddressFamily, SocketKind

import trio

from chaoscheck.errors import WorldError
from chaoscheck.history.trace import Trace
from chaoscheck.world.choices import Choices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.network.connection import (
    Address,
    Connection,
    Endpoint,
    Route,
    socket_error,
)
from chaoscheck.world.network.handshake import Handshake, Listener
from chaoscheck.world.network.hosts import ANY, CLIENT_ADDRESS, LOOPBACK, Hosts
from chaoscheck.world.network.link import Link
from chaoscheck.world.network.network import OpenConnection, OpenSocket
from chaoscheck.world.network.ports import Ports
from chaoscheck.world.network.resolver import VirtualResolver
from chaoscheck.world.network.socket import VirtualSocket

__all__ = ["VirtualNetwork"]

_BACKLOG = 4096  # of `listen`: as much as Linux allows, since it is not what a test is about


class VirtualNetwork(trio.abc.SocketFactory):
    """All hosts, links, connections and sockets of one world.

    Links lie between everyone and one host. Faults take the host's name and raise WorldError
    if there is no such host. ``localhost`` exists from the start.
    """

    def __init__(self, *, clock: VirtualClock, choices: Choices, trace: Trace) -> None:
        self._trace = trace
        self._hosts: Hosts[Link] = Hosts(lambda name: Link(name, clock=clock, choices=choices))
        self._ports = Ports()
        self._sockets: dict[int, VirtualSocket] = {}
        self._sockets_made = 0
        self._connects = 0
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
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind_now((address, port))
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
        return [trio.SocketListener(listening)]

    # Faults.

    def cut(self, host: str) -> None:
        """Hold all segments to and from ``host``, without an error, until healed."""
        link = self._hosts.link_to(host)
        self._trace.add("net.cut", link.host)
        link.cut()

    def refuse(self, host: str) -> None:
        """Answer new connects to ``host`` with RST, until healed; connections live on."""
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
        """Reset each established connection of ``host``, both ends; how many.

        The host's end dies at once. The RST to the other end is a segment as any other: it
        comes after what is on its way, takes the link's latency, and a cut holds it (what the
        host had sent before and the cut held is lost: nobody retransmits it any more).
        """
        hit = [found for found in self._connections_of(host) if found.is_established]
        for connection in hit:
            connection.server.send_reset_after_fault()
        self._count("reset", host, len(hit))
        return len(hit)

    def half_close(self, host: str) -> int:
        """The host's side of each established connection sends FIN; how many.

        As if its process had called shutdown(SHUT_WR): it can still receive, the client can
        still send, and what the host's process sends after it is EPIPE.
        """
        servers = [found.server for found in self._connections_of(host)]
        hit = [server for server in servers if server.state == "open" and not server.fin_sent]
        for server in hit:
            server.shut_down_writing()
        self._count("half_close", host, len(hit))
        return len(hit)

    def _count(self, fault: str, host: str, hit: int) -> None:
        link = self._hosts.link_to(host)
        link.injected[fault] += 1
        link.hits[fault] += bool(hit)

    @property
    def injected(self) -> Counter[str]:
        """How often each link fault was asked for: cut, half_close, refuse, reset."""
        return sum((link.injected for link in self._hosts.links()), Counter())

    @property
    def hits(self) -> Counter[str]:
        """How often each link fault held, refused or ended something."""
        return sum((link.hits for link in self._hosts.links()), Counter())

    def set_latency(self, host: str, low_s: float, high_s: float) -> None:
        """Each segment of ``host``'s connections takes low_s to high_s seconds; 0, 0 is at once.

        Raises PlanError unless 0 <= low_s <= high_s, both finite.
        """
        link = self._hosts.link_to(host)
        link.set_latency(low_s, high_s)
        self._trace.add("net.latency", link.host, low_s, high_s)

    # Leak checks.

    def connections(self) -> list[OpenConnection]:
        """Connections that are not over, by number."""
        found = [each for link in self._hosts.links() for each in _connections_on(link)]
        return [_describe(each) for each in sorted(found, key=lambda each: each.route.number)]

    def open_sockets(self) -> list[OpenSocket]:
        """Sockets that nobody has closed, in order of opening."""
        return [
            OpenSocket(number=each.number, what=each.describe(), opened_by=each.opened_by)
            for each in self._sockets.values()
        ]

    def fall_silent(self) -> None:
        """The world begins to close: no segment is sent or answered, so nothing is drawn.

        Sockets stay open, for their tasks to close while they unwind; connecting, or making a
        new socket, is OSError ENETDOWN from now on.
        """
        self._silent = True
        for link in self._hosts.links():
            for traffic in link.traffic.values():
                traffic.vanish()
            link.traffic.clear()

    def close(self) -> None:
        """Fall silent, and close whatever socket is still open. Closing twice is legal.

        A task that waits on one gets trio.ClosedResourceError.
        """
        self.fall_silent()
        for open_socket in list(self._sockets.values()):
            open_socket.close()

    # What trio asks.

    def socket(
        self,
        family: AddressFamily | int = socket.AF_INET,
        type: SocketKind | int = socket.SOCK_STREAM,
        proto: int = 0,
    ) -> VirtualSocket:
        """A new TCP socket.

        IPv6 is OSError EAFNOSUPPORT, as on a machine without it (trio then falls back to
        IPv4); any other family or type is a WorldError.
        """
        if family == socket.AF_INET6:
            raise socket_error(errno.EAFNOSUPPORT)
        if family != socket.AF_INET or type != socket.SOCK_STREAM:
            raise WorldError(
                "the virtual network simulates TCP over IPv4 only (AF_INET, SOCK_STREAM),"
                f" got family {family!r} and type {type!r}"
            )
        if proto not in (0, socket.IPPROTO_TCP):
            raise socket_error(errno.EPROTONOSUPPORT)
        if self._silent:
            raise socket_error(errno.ENETDOWN)
        self._sockets_made += 1
        made = VirtualSocket(self, self._sockets_made, _current_task_name())
        self._sockets[made.number] = made
        return made

    # What its sockets ask.

    def name_at(self, address: str) -> str:
        """The host's name, or the address itself."""
        return self._hosts.name_at(address) or address

    def bind(self, bound: VirtualSocket, address: Address) -> Address:
        """Bind a socket; the address with its port. OSError EADDRNOTAVAIL, EADDRINUSE."""
        if not self._hosts.is_local(address[0]):
            raise socket_error(errno.EADDRNOTAVAIL)
        return self._ports.bind(address, bound)

    def listen_at(self, listening: VirtualSocket, address: Address, backlog: int) -> Listener:
        """The queue of a socket that starts to listen; OSError EADDRINUSE."""
        self._ports.require_sole_listener(address, listening)
        self._trace.add("net.listen", self.name_at(address[0]), address[1])
        return Listener(address, backlog)

    def dial(
        self,
        dialling: VirtualSocket,
        bound: Address | None,
        target: Address,
        on_done: Callable[[], None],
    ) -> Handshake:
        """A handshake with ``target``, not yet begun; binds the socket if it is not bound.

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
        if bound is None:
            source = self._ports.bind((source_host, 0), dialling)
        else:
            source = (source_host if bound[0] == ANY else bound[0], bound[1])
        self._connects += 1
        route = Route(
            number=self._connects,
            link=link,
            trace=self._trace,
            client=source,
            server=(host, port),
        )
        return Handshake(route, self._ports.listener_at, on_done)

    def adopt(self, endpoint: Endpoint) -> VirtualSocket:
        """The socket of an accepted connection."""
        self._trace.add("net.accepted", endpoint.connection.route.number)
        accepted = self.socket()
        accepted.attach(endpoint)
        return accepted

    def forget(self, closed: VirtualSocket, bound: Address | None) -> None:
        """A socket was closed: its port is free again."""
        self._sockets.pop(closed.number, None)
        if bound is not None:
            self._ports.release(bound[1], closed)

    def _connections_of(self, host: str) -> list[Connection]:
        return _connections_on(self._hosts.link_to(host))


def _connections_on(link: Link) -> list[Connection]:
    return [each for each in link.traffic.values() if isinstance(each, Connection)]


def _describe(connection: Connection) -> OpenConnection:
    route = connection.route
    return OpenConnection(
        number=route.number,
        host=route.link.host,
        port=route.server[1],
        client=connection.client.state,
        server=connection.server.state,
    )


def _current_task_name() -> str:
    try:
        return trio.lowlevel.current_task().name
    except RuntimeError:  # outside a trio run, or in its scheduler
        return "no task"
