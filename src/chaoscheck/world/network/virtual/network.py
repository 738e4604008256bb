"""VirtualNetwork: a whole TCP network in memory, under trio's socket factory and resolver.

Whatever opens its sockets through trio (trio streams and listeners, TLS over them, anyio on
trio, httpx, httpx2, SDKs on these) runs over it unmodified and gets the errno values that Linux
would give. It takes its time from the world's clock and every latency from the world's choices;
nothing else is undetermined. Not simulated: UDP, IPv6, Unix sockets, TIME_WAIT, keep-alive.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Callable, Iterable
from functools import partial
from socket import AddressFamily
from typing import Any, NoReturn

import trio

from chaoscheck.history.trace import Trace
from chaoscheck.world.choices import Choices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.network.address import Address, is_ipv4, socket_error
from chaoscheck.world.network.hosted_network import HostedNetwork
from chaoscheck.world.network.hosts import ANY
from chaoscheck.world.network.network import OpenConnection
from chaoscheck.world.network.virtual.connection import Connection, Endpoint, Route
from chaoscheck.world.network.virtual.current import current
from chaoscheck.world.network.virtual.handshake import Handshake
from chaoscheck.world.network.virtual.link import Link
from chaoscheck.world.network.virtual.listener import VirtualListener
from chaoscheck.world.network.virtual.pair import PairEnd
from chaoscheck.world.network.virtual.socket import VirtualSocket
from chaoscheck.world.network.virtual.std_socket import StdSocket
from chaoscheck.world.network.virtual.tcp_socket import TcpSocket
from chaoscheck.world.outside import Outside
from chaoscheck.world.patches.here import escape

__all__ = ["VirtualNetwork"]

_ADDRESS_PARTS = 2  # host and port
# What Python itself makes of these names (setipaddr in socketmodule.c).
_SPECIAL = {"": ANY, "<broadcast>": "255.255.255.255"}


class VirtualNetwork(HostedNetwork[Link, VirtualSocket]):
    """All hosts, links, connections and sockets of one world, in memory."""

    _what_it_carries = "the virtual network simulates TCP"

    def __init__(
        self,
        *,
        clock: VirtualClock,
        choices: Choices,
        trace: Trace,
        outside: Outside | None = None,
    ) -> None:
        #: Says which sockets become ready late; without it none does.
        self.outside = Outside() if outside is None else outside
        self._new_link = partial(Link, clock=clock, choices=choices)
        super().__init__(self._new_link, trace=trace)
        self._descriptors: dict[int, VirtualSocket] = {}

    def install(self) -> None:
        """Let the trio run that is open now use this network, and this thread's own sockets."""
        super().install()
        current.network = self

    def close(self) -> None:
        """Fall silent, and close whatever socket is still open. Closing twice is legal."""
        super().close()
        if current.network is self:
            current.network = None

    async def listen(self, host: str, port: int) -> list[trio.SocketListener]:
        """Listen, as every network; named here since a leak is told by its opener's name."""
        return await super().listen(host, port)

    def reset(self, host: str) -> int:
        """Reset each established connection of ``host``, both ends; how many.

        The host's end dies at once. The RST to the other end is a segment as any other: it
        comes after what is on its way, takes the link's latency, and a cut holds it (what the
        host had sent before and the cut held is lost: nobody retransmits it any more).
        """
        hit = [
            found for found in _past_handshake(self._hosts.link_to(host)) if found.is_established
        ]
        for connection in hit:
            connection.server.reset_both_ends()
        return self._count("reset", host, len(hit))

    def half_close(self, host: str) -> int:
        """The host's side of each established connection sends FIN; how many.

        As if its process had called shutdown(SHUT_WR): it can still receive, the client can
        still send, and what the host's process sends after it is EPIPE.
        """
        servers = [found.server for found in _past_handshake(self._hosts.link_to(host))]
        hit = [server for server in servers if server.state == "open" and not server.fin_sent]
        for server in hit:
            server.shut_down_writing()
        return self._count("half_close", host, len(hit))

    # What its sockets ask.

    def listen_at(self, listening: TcpSocket, address: Address, backlog: int) -> VirtualListener:
        """The queue of a socket that starts to listen; OSError EADDRINUSE."""
        self._note_listening(listening, address)
        return VirtualListener(address, backlog, listening.options)

    def dial(self, dialling: TcpSocket, target: Address, on_done: Callable[[], None]) -> Handshake:
        """A handshake with ``target``, not yet begun; binds the socket if it is not bound.

        Raises OSError EHOSTUNREACH if no such host exists.
        """
        link, client, server = self._begin_connect(dialling, target)
        route = Route(
            number=self._connects, link=link, trace=self._trace, client=client, server=server
        )
        return Handshake(route, self._listener_at, on_done, outside=self.outside)

    def _listener_at(self, address: Address) -> VirtualListener | None:
        found = self._ports.listener_at(address)
        return found if isinstance(found, VirtualListener) else None

    def adopt(self, endpoint: Endpoint, listening: TcpSocket) -> VirtualSocket:
        """The socket of an accepted connection."""
        self._trace.add("net.accepted", endpoint.connection.route.number)
        accepted = self.socket()
        accepted.tcp.accepted(endpoint, listening.options)
        return accepted

    def describe_by(self, tcp: TcpSocket) -> VirtualSocket:
        """One more descriptor of a socket."""
        return self._keep(partial(VirtualSocket, self, tcp=tcp))

    def pair(self) -> tuple[VirtualSocket, VirtualSocket]:
        """Two connected sockets without an address (``socket.socketpair``), on no link."""
        self._require_up()
        self._connects += 1
        nowhere: Any = ""  # the name of a Unix socket that has none
        route = Route(
            number=self._connects,
            link=self._new_link("socket pair"),
            trace=self._trace,
            client=nowhere,
            server=nowhere,
        )
        connection = Connection(route, PairEnd)
        return self._end_of_pair(connection.client), self._end_of_pair(connection.server)

    def _end_of_pair(self, end: Endpoint) -> VirtualSocket:
        tcp = TcpSocket(self, family=AddressFamily.AF_UNIX)
        tcp.accepted(end, tcp.options)
        return self.describe_by(tcp)

    # File descriptors.

    def know_descriptor(self, number: int, holder: VirtualSocket) -> None:
        """A file descriptor now stands for this socket."""
        self._descriptors[number] = holder

    def socket_at(self, file: Any) -> VirtualSocket | None:
        """The socket behind a file descriptor, or an object with one; None if it is not ours."""
        if isinstance(file, StdSocket | VirtualSocket):
            found = file.virtual if isinstance(file, StdSocket) else file
            return None if found.is_closed else found
        number = file if isinstance(file, int) else file.fileno()
        holder = self._descriptors.get(number)
        if holder is None or holder.is_closed:
            self._descriptors.pop(number, None)
            return None
        return holder

    def resolve_now(self, address: Any) -> Address:
        """(host, port) with the host as a number, as bind and connect of the stdlib take it.

        Raises TypeError for another form, gaierror EAI_NONAME for an unknown host.
        """
        if not isinstance(address, tuple):
            raise TypeError(f"AF_INET address must be tuple, not {type(address).__name__}")
        if len(address) != _ADDRESS_PARTS or not isinstance(address[1], int):
            raise TypeError(f"AF_INET address must be a pair (host, port), got {address!r}")
        host, port = address
        name = host.decode("ascii") if isinstance(host, bytes) else host
        if name in _SPECIAL:
            return _SPECIAL[name], port
        if is_ipv4(name):
            return name, port
        found = self._hosts.address_of(name)
        if found is None:
            raise stdlib.gaierror(stdlib.EAI_NONAME, "Name or service not known")
        return found, port

    def report_escape(self, what: str) -> NoReturn:
        """Raise Escape: ``what`` cannot run in a virtual world."""
        raise escape(what)

    # What differs between networks.

    def _refuse_kind(self, why: str) -> NoReturn:
        self.report_escape(f"such a socket ({why})")

    def _make_socket(self, proto: int) -> VirtualSocket:
        if proto not in (0, stdlib.IPPROTO_TCP):
            raise socket_error(errno.EPROTONOSUPPORT)
        self._require_up()
        return self.describe_by(TcpSocket(self, proto=proto))

    def _connections_on(self, link: Link) -> Iterable[OpenConnection]:
        return map(_describe, _past_handshake(link))

    def _silence(self, link: Link) -> None:
        # No segment is sent or answered any more, so nothing is drawn.
        for traffic in link.traffic.values():
            traffic.vanish()
        link.traffic.clear()


def _past_handshake(link: Link) -> list[Connection]:
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
