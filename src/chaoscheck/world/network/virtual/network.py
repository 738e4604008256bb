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

import trio

from chaoscheck.history.trace import Trace
from chaoscheck.world.choices import Choices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.network.address import Address, socket_error
from chaoscheck.world.network.hosted_network import HostedNetwork
from chaoscheck.world.network.network import OpenConnection
from chaoscheck.world.network.virtual.connection import Connection, Endpoint, Route
from chaoscheck.world.network.virtual.handshake import Handshake
from chaoscheck.world.network.virtual.link import Link
from chaoscheck.world.network.virtual.listener import VirtualListener
from chaoscheck.world.network.virtual.socket import VirtualSocket

__all__ = ["VirtualNetwork"]


class VirtualNetwork(HostedNetwork[Link, VirtualSocket]):
    """All hosts, links, connections and sockets of one world, in memory."""

    _what_it_carries = "the virtual network simulates TCP"

    def __init__(self, *, clock: VirtualClock, choices: Choices, trace: Trace) -> None:
        super().__init__(partial(Link, clock=clock, choices=choices), trace=trace)

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
            connection.server.send_reset_after_fault()
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

    def listen_at(
        self, listening: VirtualSocket, address: Address, backlog: int
    ) -> VirtualListener:
        """The queue of a socket that starts to listen; OSError EADDRINUSE."""
        self._note_listening(listening, address)
        return VirtualListener(address, backlog)

    def dial(
        self, dialling: VirtualSocket, target: Address, on_done: Callable[[], None]
    ) -> Handshake:
        """A handshake with ``target``, not yet begun; binds the socket if it is not bound.

        Raises OSError EHOSTUNREACH if no such host exists.
        """
        link, client, server = self._begin_connect(dialling, target)
        route = Route(
            number=self._connects, link=link, trace=self._trace, client=client, server=server
        )
        return Handshake(route, self._listener_at, on_done)

    def _listener_at(self, address: Address) -> VirtualListener | None:
        found = self._ports.listener_at(address)
        return found if isinstance(found, VirtualListener) else None

    def adopt(self, endpoint: Endpoint) -> VirtualSocket:
        """The socket of an accepted connection."""
        self._trace.add("net.accepted", endpoint.connection.route.number)
        accepted = self.socket()
        accepted.attach(endpoint)
        return accepted

    # What differs between networks.

    def _make_socket(self, proto: int) -> VirtualSocket:
        if proto not in (0, stdlib.IPPROTO_TCP):
            raise socket_error(errno.EPROTONOSUPPORT)
        self._require_up()
        return self._keep(partial(VirtualSocket, self))

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
