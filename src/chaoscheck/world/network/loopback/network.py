"""LoopbackNetwork: real kernel TCP on 127.0.0.1 under the world's names, addresses and faults.

Both ends live in this process. Names, addresses and ports are the world's own, the same in every
run, and translated to a real port when a socket connects; so any client and server that open
their sockets through trio work unmodified. A refused connect meets a real closed port, a reset is
a real RST, a half-close a real FIN. The one exception: a port of 127.0.0.1 where nobody of this
world listens is the machine's own, so that a server on a socket of the standard library works.
"""

from __future__ import annotations

import socket as stdlib
from collections.abc import Iterable
from functools import partial

import trio

from chaoscheck.history.trace import Trace
from chaoscheck.world.choices import Choices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.network.address import Address
from chaoscheck.world.network.hosted_network import HostedNetwork
from chaoscheck.world.network.hosts import LOOPBACK
from chaoscheck.world.network.loopback.link import (
    LoopbackLink,
    RealConnection,
    RealEnd,
    RealListener,
)
from chaoscheck.world.network.loopback.socket import LoopbackSocket
from chaoscheck.world.network.network import OpenConnection

__all__ = ["LoopbackNetwork"]


class LoopbackNetwork(HostedNetwork[LoopbackLink, LoopbackSocket]):
    """All hosts, links and sockets of one loopback world. It has the faults of the virtual one.

    By design it differs in this: latency is drawn once a direction of a connection, not for each
    segment; an established connection is never given up while its link is cut (the virtual
    kernel gives up after 924 s); an answer that the kernel itself makes (an RST for data that
    nobody reads) takes no latency.
    """

    _what_it_carries = "a loopback world has TCP"

    def __init__(self, *, clock: VirtualClock, choices: Choices, trace: Trace) -> None:
        super().__init__(partial(LoopbackLink, clock=clock, choices=choices), trace=trace)
        self._closed_port: stdlib.socket | None = None

    async def listen(self, host: str, port: int) -> list[trio.SocketListener]:
        """Listen, as every network; named here since a leak is told by its opener's name."""
        return await super().listen(host, port)

    def real_address(self, host: str, port: int) -> Address | None:
        """Where on this machine ``host``:``port`` listens, for clients of another process."""
        listener = self._ports.listener_at((self._hosts.address_at(host), port))
        return listener.real if isinstance(listener, RealListener) else None

    def reset(self, host: str) -> int:
        """Reset each accepted connection of ``host``, both ends; how many.

        The host's end dies at once. By the link's clock the RST comes after what is on its way,
        takes the latency, and is held by a cut (then what the cut held before it is lost).
        """
        hit = self._open_servers_of(host)
        for server in hit:
            server.reset_by_fault()
        return self._record("reset", host, len(hit))

    def half_close(self, host: str) -> int:
        """The host's side of each accepted connection sends FIN; how many.

        As if its process had called shutdown(SHUT_WR): it can still receive, the client can
        still send, and what the host's process sends after it is EPIPE.
        """
        hit = sum(server.half_close_by_fault() for server in self._open_servers_of(host))
        return self._record("half_close", host, hit)

    def _record(self, fault: str, host: str, hit: int) -> int:
        self._trace.add(f"net.{fault}", self._hosts.link_to(host).host, hit)
        return self._count(fault, host, hit)

    def _open_servers_of(self, host: str) -> list[RealEnd]:
        ends = [each.server for each in self._hosts.link_to(host).connections.values()]
        return [end for end in ends if end is not None and end.state == "open"]

    def close(self) -> None:
        """Fall silent, and close whatever is still open, unread data or not. Twice is legal."""
        super().close()
        if self._closed_port is not None:
            self._closed_port.close()
            self._closed_port = None

    # What its sockets ask.

    def listen_at(self, listening: LoopbackSocket, address: Address) -> RealListener:
        """The listener of a socket that starts to listen; OSError EADDRINUSE."""
        self._note_listening(listening, address)
        return RealListener(address)

    def dial(self, dialling: LoopbackSocket, target: Address) -> RealConnection:
        """A connection to ``target``, not yet begun; binds the socket if it is not bound.

        Raises OSError EHOSTUNREACH if no such host exists.
        """
        link, client, server = self._begin_connect(dialling, target)
        self._trace.add("net.connect", self._connects, link.host, server[1])
        return RealConnection(self._connects, link, client, server)

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
    ) -> tuple[LoopbackSocket, Address]:
        """The server's end of a connection, and the client's address."""
        server = self._keep(partial(LoopbackSocket, real, self))
        connection = None if listener is None else listener.pending.pop(real_address, None)
        if connection is None:  # From outside this world: no link lies between.
            return server, real_address
        server.attach(connection, "server")
        return server, connection.client_address

    # What differs between networks.

    def _make_socket(self, proto: int) -> LoopbackSocket:
        self._require_up()
        real = stdlib.socket(stdlib.AF_INET, stdlib.SOCK_STREAM, proto)
        return self._keep(partial(LoopbackSocket, real, self))

    def _connections_on(self, link: LoopbackLink) -> Iterable[OpenConnection]:
        return map(_describe, link.connections.values())

    def _silence(self, link: LoopbackLink) -> None:
        link.is_silent = True

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
