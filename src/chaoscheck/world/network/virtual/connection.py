"""A TCP connection: two endpoints, each what the kernel of its side keeps, without any task.

The rules are those of Linux (net/ipv4/tcp.c, tcp_input.c); where one matters the comment names
the function. Flags stand for the states of RFC 9293: CLOSE_WAIT is ``fin_received and not
fin_sent``, CLOSE after a RST or a time-out is ``dead``. There is no TIME_WAIT and no keep-alive
probe. An error that arrived is reported once, by whichever call comes first.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from chaoscheck.history.trace import Trace
from chaoscheck.world.network.address import Address, socket_error
from chaoscheck.world.network.virtual.link import Lane, Link, Segment, Signal

__all__ = ["Connection", "Endpoint", "Route"]

Side = Literal["client", "server"]


def _nobody() -> None:
    """Nobody listens yet: the connection has not been accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who connects to whom: ``number`` counts the connects of the network from 1."""

    number: int
    link: Link
    trace: Trace
    client: Address
    server: Address


class Endpoint:
    """One side of a connection."""

    __slots__ = (
        "address",
        "closed",
        "connection",
        "dead",
        "error",
        "fin_received",
        "fin_sent",
        "on_readable",
        "on_writable",
        "outgoing",
        "peer",
        "peer_address",
        "reading_shut",
        "received",
        "rst_sent",
        "side",
    )
    peer: Endpoint
    outgoing: Lane

    def __init__(self, connection: Connection, side: Side) -> None:
        route = connection.route
        self.connection = connection
        self.side = side
        self.address = route.client if side == "client" else route.server
        self.peer_address = route.server if side == "client" else route.client
        self.received = bytearray()
        self.error = 0  # an errno that no call has reported yet (sk_err)
        self.closed = False  # by its application
        self.dead = False
        self.fin_received = False
        self.fin_sent = False
        self.rst_sent = False
        self.reading_shut = False
        self.on_readable: Callable[[], None] = _nobody
        self.on_writable: Callable[[], None] = _nobody

    # What the application can know.

    @property
    def is_readable(self) -> bool:
        """Whether ``read`` would answer at once (tcp_poll)."""
        return bool(self.received) or self.fin_received or self.dead or self.reading_shut

    @property
    def is_writable(self) -> bool:
        """Whether ``write`` would answer at once, or has enough room again (tcp_poll)."""
        return self.dead or self.fin_sent or self.outgoing.is_writable

    @property
    def is_connected(self) -> bool:
        """Whether the kernel still has a peer for it: not after a RST, nor after both FINs."""
        return not self.dead and not (self.fin_received and self.peer.fin_received)

    @property
    def state(self) -> str:
        """``open``, ``dead`` (reset or timed out, not yet closed) or ``closed``."""
        return "closed" if self.closed else "dead" if self.dead else "open"

    def describe(self) -> str:
        """Which end of which connection, in words that are the same in every run."""
        route = self.connection.route
        return f"{self.side} of connection {route.number} to {route.link.host}:{route.server[1]}"

    # What the application does.

    def read(self, limit: int, *, peek: bool = False) -> bytes | None:
        """Up to ``limit`` bytes, b"" at the end of the stream, None if that would block.

        The order is that of tcp_recvmsg_locked: received data first; then, if a FIN came, the
        end for ever, whatever else happened; then the error, once; then the end.
        """
        received = self.received
        if received and limit:
            data = bytes(received) if limit >= len(received) else bytes(received[:limit])
            if not peek:
                del received[: len(data)]
                self.peer.outgoing.release(len(data))
            return data
        if limit == 0 or self.fin_received:
            return b""
        if self.error:
            raise socket_error(self.take_error())
        return b"" if self.dead or self.reading_shut else None

    def write(self, data: memoryview) -> int | None:
        """Send as much of ``data`` as the window takes: how many bytes, None if that would block.

        After an own FIN, or on a dead connection, it is EPIPE, unless an error is still
        unreported (sk_stream_error).
        """
        if self.dead or self.fin_sent:
            raise socket_error(self.take_error() or errno.EPIPE)
        if not data:
            return 0
        outgoing = self.outgoing
        free = outgoing.free_bytes
        if free <= 0:
            return None
        segment = bytes(data[:free])
        count = len(segment)
        route = self.connection.route
        route.trace.add("net.send", route.number, self.side, count)
        outgoing.outstanding_bytes += count
        outgoing.send(segment)
        return count

    def set_buffers(self, send_bytes: int | None, receive_bytes: int | None) -> None:
        """The own send and receive buffer hold so much data; None: as before."""
        self.outgoing.resize(send=send_bytes)
        self.peer.outgoing.resize(receive=receive_bytes)

    def take_error(self) -> int:
        """The unreported error, 0 if there is none; it is reported now (sock_error)."""
        code, self.error = self.error, 0
        return code

    def shut_down_writing(self) -> None:
        """Send FIN: the peer reads what is on its way, then the end."""
        if not self.fin_sent and not self.dead:
            self.fin_sent = True
            self._trace("net.fin")
            self.outgoing.send(Signal.FIN)
            self.on_writable()  # a blocked sender must learn of EPIPE

    def shut_down_reading(self) -> None:
        """Nothing is sent: only the own reader sees the end after what was received."""
        self.reading_shut = True
        self.on_readable()

    def close(self, *, abortive: bool = False) -> None:
        """The application lets go of the socket; ``abortive`` is SO_LINGER with 0 seconds.

        Unread data makes it a RST (tcp_close, RFC 2525 section 2.17): the peer must not believe
        that everything it sent was taken. Otherwise it is a FIN.
        """
        if self.closed:
            return
        self.closed = True
        both_ended = self.fin_sent and self.fin_received
        if not self.dead and (self.received or (abortive and not both_ended)):
            self.abort()
        else:
            self.shut_down_writing()
        self.received.clear()
        self.outgoing.orphan()
        self.connection.retire_if_over()

    def abort(self) -> None:
        """Send RST and forget the connection."""
        self.dead = True
        self._send_reset()

    # What arrives.

    def arrive(self, segment: Segment) -> None:
        """Take the next segment from the peer."""
        if isinstance(segment, bytes):
            if not self.closed and not self.dead:
                if self.reading_shut and self.fin_sent:
                    self.reset_both_ends()  # shut down in both directions: TCP_ABORT_ON_DATA
                    return
                self.received += segment
                self.on_readable()
                return
            # Nobody will ever read it (tcp_rcv_state_process: data after close).
            self.dead = True
            self._send_reset()
        elif segment is Signal.RST:
            self.be_reset()
        elif self.dead:
            self._send_reset()  # the connection is unknown here by now
        else:
            self.fin_received = True
            self.on_readable()
        self.connection.retire_if_over()

    def be_reset(self) -> None:
        """A RST arrived: EPIPE if the peer had already ended its side, else ECONNRESET.

        What was received stays readable (tcp_reset leaves the receive queue alone).
        """
        if not self.dead:
            in_close_wait = self.fin_received and not self.fin_sent
            self._die(errno.EPIPE if in_close_wait else errno.ECONNRESET)

    def time_out(self) -> None:
        """Retransmission was given up: ETIMEDOUT here; the peer is not told (tcp_write_err)."""
        if not self.dead:
            self._trace("net.timed_out")
            self._die(errno.ETIMEDOUT)
            self.connection.retire_if_over()

    def window_opened(self) -> None:
        """The peer has read enough for a blocked sender to go on."""
        self.on_writable()

    def reset_both_ends(self) -> None:
        """Both this side and, once the segment arrives, its peer are reset."""
        self.be_reset()
        self._send_reset()
        self.connection.retire_if_over()

    def vanish(self) -> None:
        """The world closes: no segment is sent any more."""
        self.dead = True
        self.rst_sent = True
        self.outgoing.clear()

    def _die(self, code: int) -> None:
        self.dead = True
        self.error = code
        self.outgoing.abandon()
        self.on_readable()
        self.on_writable()

    def _send_reset(self) -> None:
        if not self.rst_sent:
            self.rst_sent = True
            self._trace("net.reset")
            self.outgoing.abandon()
            self.outgoing.send(Signal.RST)

    def _trace(self, kind: str) -> None:
        route = self.connection.route
        route.trace.add(kind, route.number, self.side)


class Connection:
    """Two endpoints and the two lanes between them."""

    __slots__ = ("client", "route", "server")

    def __init__(self, route: Route, end: type[Endpoint] = Endpoint) -> None:
        self.route = route
        self.client = end(self, "client")
        self.server = end(self, "server")
        for sender, receiver in (self.client, self.server), (self.server, self.client):
            sender.peer = receiver
            sender.outgoing = Lane(route.link, sender, receiver)

    @property
    def is_established(self) -> bool:
        """Whether an application still holds a living end."""
        return "open" in (self.client.state, self.server.state)

    def on_cut(self) -> None:
        """Both lanes hold."""
        self.client.outgoing.on_cut()
        self.server.outgoing.on_cut()

    def on_heal(self) -> None:
        """Both lanes carry again."""
        self.client.outgoing.on_heal()
        self.server.outgoing.on_heal()

    def retire_if_over(self) -> None:
        """Leave the link once neither side lives and nothing is on its way."""
        client, server = self.client, self.server
        if "open" not in (client.state, server.state) and (
            client.outgoing.is_idle and server.outgoing.is_idle
        ):
            self.route.link.traffic.pop(self.route.number, None)

    def vanish(self) -> None:
        """The world closes."""
        self.client.vanish()
        self.server.vanish()
