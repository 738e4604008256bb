"""LoopbackNetwork: real kernel TCP on 127.0.0.1 under the same names and faults.

Both ends live in this process. Host names resolve to addresses of their own, which sockets of
this network translate to the real port when they connect; so any client that opens its sockets
through trio works unmodified. A refused connect meets a real closed port, a reset is a real
RST, a half-close a real FIN; cuts and latency are gates in front of ``recv`` and ``connect``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections import Counter
from socket import AddressFamily, SocketKind
from typing import Any

import trio

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.history.trace import Trace
from chaoscheck.world.choices import Choices
from chaoscheck.world.network.hosts import LOOPBACK, Hosts
from chaoscheck.world.network.linked_socket import LinkedSocket
from chaoscheck.world.network.network import OpenConnection
from chaoscheck.world.network.resolver import VirtualResolver

__all__ = ["LoopbackLink", "LoopbackNetwork"]

_BACKLOG = 1024
_LATENCIES = 4  # as on the virtual network: the shortest, the longest, two between


class LoopbackLink:
    """What lies between everyone and one host: cut, refusal, latency, and its connections."""

    def __init__(self, host: str, choices: Choices) -> None:
        self.host = host
        self.is_cut = False
        self.refuses = False
        self.ports: dict[int, tuple[str, int]] = {}
        self.clients: dict[int, tuple[int, LinkedSocket]] = {}
        self.servers: dict[int, LinkedSocket] = {}
        self.injected: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self._choices = choices
        self._healed: trio.Event | None = None
        self._felt = False
        self._latency_s = (0.0, 0.0)

    def set_latency(self, low_s: float, high_s: float) -> None:
        """Connections made from now on take so long each way (PlanError if not legal)."""
        if not 0 <= low_s <= high_s < float("inf"):
            raise PlanError(
                f"latency of {self.host}: must be finite with 0 <= low_s <= high_s, "
                f"got {low_s!r} and {high_s!r}"
            )
        self._latency_s = (low_s, high_s)

    def draw_delay_s(self) -> float:
        """The latency of one direction of a connection.

        Once a connection, not once a packet: how the kernel cuts a stream into packets is not
        ours to determine, and so may not decide how many choices are drawn.
        """
        low_s, high_s = self._latency_s
        if low_s == high_s:
            return low_s
        late = self._choices.pick(f"net.latency {self.host}", _LATENCIES) / (_LATENCIES - 1)
        return low_s + (high_s - low_s) * late

    def cut(self) -> None:
        """Carry nothing until healed."""
        if not self.is_cut:
            self.is_cut, self._felt = True, False
            self.injected["cut"] += 1
            self._healed = trio.Event()

    def heal(self) -> None:
        """Carry again."""
        self.refuses = self.is_cut = False
        if self._healed is not None:
            self._healed.set()
            self._healed = None

    async def carry(self) -> None:
        """Wait until the link carries; who waits here feels the cut."""
        while self._healed is not None:
            if not self._felt:
                self._felt = True
                self.hits["cut"] += 1
            await self._healed.wait()


class LoopbackNetwork(trio.abc.SocketFactory):
    """All hosts, links and sockets of one loopback world. It has the faults of the virtual one.

    Two differences: established connections are never given up while a link is cut, and
    latency is drawn once a connection and direction.
    """

    def __init__(self, *, choices: Choices, trace: Trace) -> None:
        self._trace = trace
        self._choices = choices
        self._hosts: Hosts[LoopbackLink] = Hosts(self._new_link)
        self._sockets: list[LinkedSocket] = []
        self._numbers: dict[Any, int] = {}
        self._connects = 0
        self._closed_port: socket.socket | None = None
        self._silent = False

    def _new_link(self, name: str) -> LoopbackLink:
        return LoopbackLink(name, self._choices)

    def install(self) -> None:
        """Let the trio run that is open now use this network; it ends with that run."""
        trio.socket.set_custom_socket_factory(self)
        trio.socket.set_custom_hostname_resolver(VirtualResolver(self._hosts))

    def socket(
        self,
        family: AddressFamily | int = socket.AF_INET,
        type: SocketKind | int = socket.SOCK_STREAM,
        proto: int = 0,
    ) -> LinkedSocket:
        """trio's seam for new sockets; ENETDOWN once the world closes."""
        if self._silent:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        if family != socket.AF_INET or type != socket.SOCK_STREAM:
            raise WorldError(f"a loopback world has IPv4 TCP only, got {family!r}, {type!r}")
        return self._keep(LinkedSocket(socket.socket(family, type, proto), self))

    def _keep(self, made: LinkedSocket) -> LinkedSocket:
        self._sockets = [kept for kept in self._sockets if kept.is_open]
        self._sockets.append(made)
        return made

    def add_host(self, name: str) -> str:
        """Register a host name; the address that it resolves to. Idempotent."""
        return self._hosts.add(name)

    async def listen(self, host: str, port: int) -> list[trio.SocketListener]:
        """Listen for ``host``:``port`` on a free real port of 127.0.0.1."""
        link = self._hosts.link_to(host)
        if port in link.ports:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        listening = self.socket()
        await listening.bind((LOOPBACK, 0))
        listening.listen(_BACKLOG)
        listening.link = link
        real = listening.getsockname()
        link.ports[port or real[1]] = (LOOPBACK, real[1])
        self._trace.add("net.listen", link.host, port)
        return [trio.SocketListener(listening)]

    # What sockets ask.

    def link_at(self, address: str) -> LoopbackLink | None:
        """The link to the host at an address."""
        return self._hosts.link_at(address)

    def target(self, link: LoopbackLink, port: int) -> tuple[str, int]:
        """The real address behind a host's port: a closed one if nobody listens or it refuses."""
        self._trace.add("net.connect", link.host, port)
        if link.refuses:
            link.hits["refuse"] += 1
            return self._closed()
        return link.ports.get(port) or self._closed()

    def connected(self, client: LinkedSocket, link: LoopbackLink, port: int) -> None:
        """A connection is established."""
        self._connects += 1
        client.link, client.number = link, self._connects
        link.clients[client.number] = (port, client)
        self._numbers[client.getsockname()] = client.number

    def accepted(
        self, real: socket.socket, address: Any, link: LoopbackLink | None
    ) -> LinkedSocket:
        """The server's end of a connection."""
        server = self._keep(LinkedSocket(real, self))
        if link is not None:
            server.link, server.delay_s = link, link.draw_delay_s()
            server.number = self._numbers.get(address, 0)
            link.servers[server.number] = server
        return server

    def _closed(self) -> tuple[str, int]:
        if self._closed_port is None:
            # Bound and not listening: the kernel refuses, and nobody else can take the port.
            self._closed_port = socket.socket()
            self._closed_port.bind((LOOPBACK, 0))
        address: tuple[str, int] = self._closed_port.getsockname()
        return address

    # Faults.

    def cut(self, host: str) -> None:
        """Hand over nothing that arrives at or from ``host``, until healed."""
        link = self._hosts.link_to(host)
        self._trace.add("net.cut", link.host)
        link.cut()

    def refuse(self, host: str) -> None:
        """New connects to ``host`` meet a closed port, until healed."""
        link = self._hosts.link_to(host)
        self._trace.add("net.refuse", link.host)
        link.refuses = True
        link.injected["refuse"] += 1

    def heal(self, host: str) -> None:
        """Undo ``cut`` and ``refuse``. Latency stays."""
        link = self._hosts.link_to(host)
        self._trace.add("net.heal", link.host)
        link.heal()

    def heal_all(self) -> None:
        """``heal`` every host that needs it."""
        for link in list(self._hosts.links()):
            if link.is_cut or link.refuses:
                self.heal(link.host)

    def reset(self, host: str) -> int:
        """RST on each established connection of ``host``; how many."""
        link = self._hosts.link_to(host)
        hit = [server for server in link.servers.values() if server.is_open]
        for server in hit:
            server.reset_by_fault()
        return self._count(link, "reset", len(hit))

    def half_close(self, host: str) -> int:
        """The host's side of each established connection sends FIN; how many."""
        link = self._hosts.link_to(host)
        servers = [server for server in link.servers.values() if server.is_open]
        hit = 0
        for server in servers:
            if not server.was_half_closed:
                with contextlib.suppress(OSError):  # The client may have reset it already.
                    server.half_close_by_fault()
                    hit += 1
        return self._count(link, "half_close", hit)

    def _count(self, link: LoopbackLink, fault: str, hit: int) -> int:
        self._trace.add(f"net.{fault}", link.host, hit)
        link.injected[fault] += 1
        link.hits[fault] += bool(hit)
        return hit

    def set_latency(self, host: str, low_s: float, high_s: float) -> None:
        """Connections of ``host`` made from now on take low_s to high_s seconds each way."""
        self._hosts.link_to(host).set_latency(low_s, high_s)

    @property
    def injected(self) -> Counter[str]:
        """How often each link fault was asked for: cut, half_close, refuse, reset."""
        return sum((link.injected for link in self._hosts.links()), Counter())

    @property
    def hits(self) -> Counter[str]:
        """How often each link fault held, refused or ended something."""
        return sum((link.hits for link in self._hosts.links()), Counter())

    def connections(self) -> list[OpenConnection]:
        """Connections with an end that is open, by number."""
        found = []
        for link in self._hosts.links():
            for number, (port, client) in link.clients.items():
                server = link.servers.get(number)
                ends = (client.is_open, server is not None and server.is_open)
                if any(ends):
                    states = ["open" if end else "closed" for end in ends]
                    found.append(
                        OpenConnection(
                            number=number,
                            host=link.host,
                            port=port,
                            client=states[0],
                            server=states[1],
                        )
                    )
        return sorted(found, key=lambda each: each.number)

    # The end.

    def fall_silent(self) -> None:
        """The world begins to close: no new socket is made."""
        self._silent = True

    def close(self) -> None:
        """Close what is still open. The run is over, so nobody waits on it."""
        for left in self._sockets:
            left._sock.close()
        self._sockets.clear()
        if self._closed_port is not None:
            self._closed_port.close()
