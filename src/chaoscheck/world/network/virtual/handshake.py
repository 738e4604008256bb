"""Connecting: a SYN on its way, until it is answered, given up or abandoned.

The whole handshake costs one latency of the link, so that a story about connecting needs one
draw. A SYN held by a cut, or dropped because the listener's queue is full, is retransmitted and
given up as Linux does it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from chaoscheck.world.clock import Timer
from chaoscheck.world.network.address import Address
from chaoscheck.world.network.virtual.connection import Connection, Endpoint, Route
from chaoscheck.world.network.virtual.listener import VirtualListener
from chaoscheck.world.outside import Outside

__all__ = ["Handshake"]

# A SYN is sent again 1, 2, 4, ... s after the one before; tcp_syn_retries = 6 (ip-sysctl.rst).
_SYN_AGAIN_AFTER_S = (1.0, 3.0, 7.0, 15.0, 31.0, 63.0)
_SYN_PATIENCE_S = 127.0


class Handshake:
    """One attempt to connect; ``on_done`` is called when ``endpoint`` or ``error`` is known."""

    def __init__(
        self,
        route: Route,
        find_listener: Callable[[Address], VirtualListener | None],
        on_done: Callable[[], None],
        *,
        outside: Outside,
    ) -> None:
        self.endpoint: Endpoint | None = None
        self.error = 0
        self._route = route
        self._find_listener = find_listener
        self._on_done = on_done
        self._outside = outside
        self._over = False
        self._held = False
        self._patience: Timer | None = None
        self._started_s = route.link.clock.now

    @property
    def is_done(self) -> bool:
        """Whether it is known how it ended."""
        return self.endpoint is not None or self.error != 0

    @property
    def source(self) -> Address:
        """Where the connection comes from."""
        return self._route.client

    def describe(self) -> str:
        """Which attempt this is, in words that are the same in every run."""
        route = self._route
        return f"connect {route.number} to {route.link.host}:{route.server[1]}"

    def begin(self) -> None:
        """Send the SYN."""
        route, link = self._route, self._route.link
        link.traffic[route.number] = self
        route.trace.add("net.connect", route.number, link.host, route.server[1])
        if not (link.is_instant or link.is_cut):
            link.clock.call_at(link.arrival_s(), self._arrive)
        elif link.is_cut:
            self._arrive()
        else:
            self._outside.of_current_task("socket", self._arrive)()

    def abandon(self) -> None:
        """The client closed its socket: its kernel answers any SYN-ACK with RST."""
        if not self._over:
            self._end()

    def on_cut(self) -> None:
        """A SYN on its way is held when it would arrive."""

    def on_heal(self) -> None:
        """A held SYN arrives now."""
        if self._held:
            self._held = False
            self._arrive()

    def _arrive(self) -> None:
        link = self._route.link
        if self._over:
            return
        if link.is_cut:
            link.note_held()
            self._held = True
            self._start_patience()
            return
        listener = None if link.refuses else self._find_listener(self._route.server)
        if listener is None:
            if link.refuses:
                link.hits["refuse"] += 1
            self._fail("net.refused", errno.ECONNREFUSED)
        elif listener.has_room:
            self._establish(listener)
        else:
            self._try_again()

    def _establish(self, listener: VirtualListener) -> None:
        route = self._route
        connection = Connection(route)
        options = listener.options
        if options.sets_buffers:
            connection.server.set_buffers(options.send_buffer_bytes, options.receive_buffer_bytes)
        self._stop()
        route.link.traffic[route.number] = connection  # keeps its place among the others
        self.endpoint = connection.client
        # The client learns first: it is its ACK that puts the connection into the queue.
        self._on_done()
        listener.enqueue(connection.server)

    def _try_again(self) -> None:
        clock = self._route.link.clock
        self._start_patience()
        for after_s in _SYN_AGAIN_AFTER_S:
            if self._started_s + after_s > clock.now:
                clock.call_at(self._started_s + after_s, self._arrive)
                return

    def _start_patience(self) -> None:
        if self._patience is None:
            clock = self._route.link.clock
            self._patience = clock.call_at(self._started_s + _SYN_PATIENCE_S, self._give_up)

    def _stop(self) -> None:
        self._over = True
        if self._patience is not None:
            self._patience.cancel()

    def _give_up(self) -> None:
        if not self._over:
            self._fail("net.timed_out", errno.ETIMEDOUT)

    def _fail(self, kind: str, code: int) -> None:
        route = self._route
        route.trace.add(kind, route.number, route.link.host)
        self.error = code
        self._end()
        self._on_done()

    def _end(self) -> None:
        self._stop()
        self._route.link.traffic.pop(self._route.number, None)

    def vanish(self) -> None:
        """The world closes: nothing is answered any more."""
        self._stop()
