"""Links: what lies between everyone and one host, and how segments travel on it.

A segment is data, FIN or RST. Each direction of a connection is a lane: first in, first out.
Without latency a segment arrives inside the call that sends it: no draw, no timer. A cut link
holds every segment without an error, because TCP retransmits: heal delivers what was held.
Acknowledgements and window updates take no time, but they do not cross a cut either.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Protocol

from chaoscheck.world.choices import Choices
from chaoscheck.world.clock import Timer, VirtualClock
from chaoscheck.world.network.host_link import HostLink

__all__ = ["Lane", "LaneEnd", "Link", "Segment", "Signal", "Traffic"]

# A blocked sender wakes when a third of the window is free, as sk_stream_write_space does, so
# that it is not woken for every byte that the peer reads.
_WRITABLE_PART = 3

# Linux gives up unacknowledged data after tcp_retries2 = 15 retransmissions: 924.6 s
# (ip-sysctl.rst); for a socket its process has closed, after 8: 0.2 s * (2**9 - 1) = 102.2 s.
_RETRANSMIT_PATIENCE_S = 924.6
_ORPHAN_PATIENCE_S = 102.2


class Signal(enum.Enum):
    """A segment without data."""

    FIN = "FIN"
    RST = "RST"


Segment = bytes | Signal


class Traffic(Protocol):
    """A connection, or a request for one, that uses a link."""

    def on_cut(self) -> None:
        """The link was cut."""

    def on_heal(self) -> None:
        """The link carries again."""

    def vanish(self) -> None:
        """The world closes: nothing is sent or answered any more."""


class LaneEnd(Protocol):
    """The kernel at one end of a lane."""

    closed: bool

    def arrive(self, segment: Segment) -> None:
        """Take the next segment."""

    def window_opened(self) -> None:
        """The lane has room for more data."""

    def time_out(self) -> None:
        """What was sent was never acknowledged."""


class Link(HostLink):
    """A link that carries the segments of connections, and of requests for one."""

    def __init__(self, host: str, *, clock: VirtualClock, choices: Choices) -> None:
        super().__init__(host, clock=clock, choices=choices)
        # Keyed by connection number, so that heal serves them in order of connecting.
        self.traffic: dict[int, Traffic] = {}

    def arrival_s(self) -> float:
        """When a segment sent now arrives, in virtual seconds; draws the latency."""
        return self.clock.now + self._low_s + self._draw_extra_s()

    def _on_cut(self) -> None:
        for traffic in list(self.traffic.values()):
            traffic.on_cut()

    def _on_heal(self) -> None:
        for traffic in list(self.traffic.values()):
            traffic.on_heal()


class Lane:
    """One direction of a connection, from ``sender`` to ``receiver``."""

    __slots__ = (
        "_armed",
        "_in_flight",
        "_last_arrival_s",
        "_patience",
        "_withheld_bytes",
        "link",
        "outstanding_bytes",
        "receive_buffer_bytes",
        "receiver",
        "send_buffer_bytes",
        "sender",
        "window_bytes",
    )

    def __init__(self, link: Link, sender: LaneEnd, receiver: LaneEnd) -> None:
        self.link = link
        self.sender = sender
        self.receiver = receiver
        # The window, and the buffers at its two ends: half each unless an option sets one.
        self.window_bytes = link.window_bytes
        self.receive_buffer_bytes = link.window_bytes // 2
        self.send_buffer_bytes = link.window_bytes - self.receive_buffer_bytes
        self.outstanding_bytes = 0  # sent, and not yet read by the receiver's application
        self._withheld_bytes = 0  # read during a cut: the sender hears of it when healed
        self._in_flight: deque[tuple[float, Segment]] = deque()
        self._last_arrival_s = 0.0
        self._armed: tuple[int, bool] | None = None
        self._patience: Timer | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way."""
        return not self._in_flight

    @property
    def free_bytes(self) -> int:
        """How many bytes the sender may still send."""
        return self.window_bytes - self.outstanding_bytes

    @property
    def is_writable(self) -> bool:
        """Whether a blocked sender should try again."""
        window_bytes = self.window_bytes
        return self.outstanding_bytes <= window_bytes - window_bytes // _WRITABLE_PART

    def send(self, segment: Segment) -> None:
        """Put ``segment`` on its way."""
        link = self.link
        if link.is_instant and not self._in_flight:
            self.receiver.arrive(segment)
        elif link.is_cut:
            link.note_held()
            self._in_flight.append((link.clock.now, segment))
            if segment is not Signal.RST:  # nobody acknowledges a RST
                self._await_acknowledgement()
        else:
            at_s = max(link.arrival_s(), self._last_arrival_s)
            self._last_arrival_s = at_s
            self._in_flight.append((at_s, segment))
            link.clock.call_at(at_s, self._deliver_due)

    def resize(self, *, send: int | None = None, receive: int | None = None) -> None:
        """The buffer at an end has room for so many bytes from now on; None: as before."""
        self.send_buffer_bytes = self.send_buffer_bytes if send is None else send
        self.receive_buffer_bytes = self.receive_buffer_bytes if receive is None else receive
        grown = self.send_buffer_bytes + self.receive_buffer_bytes > self.window_bytes
        self.window_bytes = self.send_buffer_bytes + self.receive_buffer_bytes
        if grown and self.is_writable and not self.link.is_cut:
            self.sender.window_opened()

    def release(self, count: int) -> None:
        """The receiver's application has read ``count`` bytes: the window opens."""
        if self.link.is_cut:
            self._withheld_bytes += count
            return
        self.outstanding_bytes -= count
        if self.is_writable:
            self.sender.window_opened()

    def abandon(self) -> None:
        """The sender will not retransmit: what a cut holds is lost."""
        if self.link.is_cut:
            self.clear()

    def clear(self) -> None:
        """Forget whatever is on its way."""
        self._in_flight.clear()
        self._stop_patience()

    def orphan(self) -> None:
        """The sender's process has closed its socket: its kernel is less patient from now on."""
        if self.link.is_cut:
            self.on_cut()

    def on_cut(self) -> None:
        """What is on its way now stays unacknowledged."""
        if self._in_flight:
            self.link.note_held()
            self._await_acknowledgement()

    def on_heal(self) -> None:
        """Deliver what was held, and the window updates that could not cross."""
        self._stop_patience()
        self._deliver_due()
        withheld, self._withheld_bytes = self._withheld_bytes, 0
        if withheld:
            self.release(withheld)

    def _deliver_due(self) -> None:
        in_flight, link = self._in_flight, self.link
        while in_flight and not link.is_cut and in_flight[0][0] <= link.clock.now:
            self.receiver.arrive(in_flight.popleft()[1])

    def _await_acknowledgement(self) -> None:
        """Start the patience of the sender's kernel, once per cut and once more when it closes."""
        ticket = (self.link.cuts, self.sender.closed)
        if ticket == self._armed:
            return
        self._armed = ticket
        patience_s = _ORPHAN_PATIENCE_S if self.sender.closed else _RETRANSMIT_PATIENCE_S
        clock = self.link.clock
        self._stop_patience()
        self._patience = clock.call_at(clock.now + patience_s, lambda: self._give_up(ticket))

    def _stop_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self, ticket: tuple[int, bool]) -> None:
        if self.link.is_cut and ticket == self._armed and self._in_flight:
            self.sender.time_out()
