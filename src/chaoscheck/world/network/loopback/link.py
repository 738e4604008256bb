"""Links over real connections: the kernel carries the bytes, a lane says what has arrived.

Whatever is sent goes into the kernel's buffers at once. The sender's end notes in its lane how
many bytes went out when, and the receiver's end takes no more from the kernel than the lane says
has arrived: so a latency delays, and a cut withholds, data, FIN and RST alike, in order.
"""

from __future__ import annotations

import errno
import math
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

import trio

from chaoscheck.world.choices import Choices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.network.address import Address, socket_error
from chaoscheck.world.network.host_link import HostLink
from chaoscheck.world.network.listener import Listener

__all__ = ["LoopbackLink", "RealConnection", "RealEnd", "RealLane", "RealListener"]

_SYN_PATIENCE_S = 127.0  # Linux gives up a connect after tcp_syn_retries = 6 (ip-sysctl.rst)
_END = math.inf  # the offset at which a stream has ended, by FIN or RST


def _nobody() -> None:
    """Nobody reads yet: the connection has not been accepted."""


class LoopbackLink(HostLink):
    """A link over which the kernel carries connections."""

    def __init__(self, host: str, *, clock: VirtualClock, choices: Choices) -> None:
        super().__init__(host, clock=clock, choices=choices)
        self.is_silent = False
        self.settings = 0  # how often the latency was set: each lane draws once for each
        self.connections: dict[int, RealConnection] = {}
        self._healed = trio.Event()  # of the latest cut

    def set_latency(self, low_s: float, high_s: float) -> None:
        """What is sent from now on takes so long each way (PlanError if not legal)."""
        super().set_latency(low_s, high_s)
        self.settings += 1

    def draw_delay_s(self) -> float:
        """The latency of one direction of a connection.

        Once a direction, not once a packet: how the kernel cuts a stream into packets is not
        ours to determine, and so may not decide how many choices are drawn.
        """
        return self._low_s if self.is_silent else self._low_s + self._draw_extra_s()

    async def carry_syn(self, delay_s: float) -> None:
        """Let a request to connect travel; OSError ETIMEDOUT when a cut holds it for 127 s."""
        patience_s = self.clock.now + _SYN_PATIENCE_S
        await trio.sleep(delay_s)
        with trio.move_on_at(patience_s):
            while self.is_cut:
                self.note_held()
                await self._healed.wait()
            return
        raise socket_error(errno.ETIMEDOUT)

    def _on_cut(self) -> None:
        self._healed = trio.Event()
        if any(lane.is_busy for each in self.connections.values() for lane in each.lanes):
            self.note_held()

    def _on_heal(self) -> None:
        self._healed.set()
        for connection in list(self.connections.values()):
            for lane in connection.lanes:
                lane.deliver()


class RealLane:
    """One direction of a connection: how much of what the kernel holds has arrived."""

    __slots__ = (
        "_acked",
        "_arrived",
        "_delay_s",
        "_link",
        "_on_way",
        "_setting",
        "is_foreign",
        "lost_tail",
        "on_arrival",
        "on_room",
        "peer_is_foreign",
        "read",
        "sent",
        "window_bytes",
    )

    def __init__(self, link: LoopbackLink) -> None:
        self.window_bytes = link.window_bytes
        self.sent = 0  # bytes that went into the kernel
        self.read = 0  # bytes that the receiver took out of it
        self.lost_tail = False  # what the kernel still holds after the end was never sent
        self.is_foreign = False  # the sender is not of this world: only a cut is felt
        self.peer_is_foreign = False  # the receiver is not: nobody tells what it has read
        self.on_arrival: Callable[[], None] = _nobody
        self.on_room: Callable[[], None] = _nobody
        self._link = link
        self._on_way: deque[tuple[float, float]] = deque()  # (due in s, offset reached then)
        self._arrived = 0.0  # the offset reached so far, while anything is on its way
        self._acked = 0  # bytes that the sender knows were read
        self._setting = -1
        self._delay_s = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether anything is on its way."""
        return bool(self._on_way)

    @property
    def is_clear(self) -> bool:
        """Whether whatever the kernel has may be taken."""
        return not self._on_way and not (self.is_foreign and self._link.is_cut)

    @property
    def available(self) -> int:
        """How many bytes may be taken while the lane is not clear, or lost its tail."""
        return 0 if self.is_foreign else int(self._arrived) - self.read

    @property
    def room(self) -> int | None:
        """How many bytes may be sent now; None, to a foreign peer, is what the kernel takes.

        A sender sees the window of the virtual network: how much the kernel buffers differs from
        run to run, and would decide how long things take.
        """
        if self.peer_is_foreign:
            return None
        return max(0, self.window_bytes - (self.sent - self._acked))

    def note_read(self, count: int) -> None:
        """The receiver took so many more bytes: the window opens, unless a cut hides it."""
        self.read += count
        if not self._link.is_cut:
            self._acknowledge()

    def delay_s(self) -> float:
        """How long what is sent now takes."""
        link = self._link
        if self._setting != link.settings:
            self._setting = link.settings
            self._delay_s = link.draw_delay_s()
        return self._delay_s

    def note_sent(self, count: int) -> None:
        """So many more bytes went into the kernel."""
        before = self.sent
        self.sent = before + count
        if self._on_way or not self._link.is_instant:
            self._put(before, self.sent)

    def note_end(self) -> None:
        """FIN or RST went to the kernel."""
        if self._on_way or not self._link.is_instant:
            self._put(self.sent, _END)

    def lose_what_is_held(self) -> None:
        """The sender was reset during a cut: nobody retransmits what the cut holds."""
        if self._link.is_cut and self._on_way:
            self._on_way.clear()
            self.lost_tail = True

    def deliver(self) -> None:
        """Let arrive what is due by now; tell the receiver."""
        on_way, link = self._on_way, self._link
        if link.is_cut:
            return
        now_s = link.clock.now
        while on_way and on_way[0][0] <= now_s:
            offset = on_way.popleft()[1]
            if offset != _END:
                self._arrived = offset
        self._acknowledge()
        self.on_arrival()

    def _acknowledge(self) -> None:
        # Any room wakes a blocked sender, unlike on the virtual network, which waits for a third of
        # the window: in which portions the kernel hands bytes over must not decide what is sent
        # at this instant and what at the next.
        self._acked = self.read
        self.on_room()

    def _put(self, before: float, offset: float) -> None:
        link = self._link
        on_way = self._on_way
        if not on_way and not self.lost_tail:
            self._arrived = before
        due_s = link.clock.now if link.is_cut else link.clock.now + self.delay_s()
        if on_way:
            due_s = max(due_s, on_way[-1][0])
        on_way.append((due_s, offset))
        if link.is_cut:
            link.note_held()
        else:
            link.clock.call_at(due_s, self.deliver)


class RealListener(Listener):
    """A listening port as the world knows it, and the real one behind it."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self.real: Address = ("", 0)
        # Connected and not yet accepted, by the client's real address.
        self.pending: dict[Address, RealConnection] = {}


class RealEnd(Protocol):
    """The socket at one end of a connection, as the world's faults see it."""

    @property
    def state(self) -> Literal["open", "dead", "closed"]:
        """``dead`` is reset and not yet closed."""

    def half_close_by_fault(self) -> bool:
        """FIN to the peer behind the back of its process; whether there was one to send."""

    def reset_by_fault(self) -> None:
        """RST to the peer; to its own process it looks like a reset as well."""


class RealConnection:
    """Two real ends of one connection, and the lane from each to the other."""

    __slots__ = (
        "client",
        "client_address",
        "link",
        "number",
        "server",
        "server_address",
        "to_client",
        "to_server",
    )

    def __init__(self, number: int, link: LoopbackLink, source: Address, target: Address) -> None:
        self.number = number
        self.link = link
        self.client_address = source
        self.server_address = target
        self.client: RealEnd | None = None
        self.server: RealEnd | None = None
        self.to_server = RealLane(link)
        self.to_client = RealLane(link)

    @property
    def lanes(self) -> tuple[RealLane, RealLane]:
        """Both directions, the client's first."""
        return self.to_server, self.to_client

    def state_of(self, side: Literal["client", "server"]) -> str:
        """``open``, ``dead`` (reset, not yet closed) or ``closed``."""
        end = self.client if side == "client" else self.server
        return "closed" if end is None else end.state

    def retire_if_over(self) -> None:
        """Leave the link once no end is alive: thousands of connections leave nothing behind."""
        if "open" not in (self.state_of("client"), self.state_of("server")):
            self.link.connections.pop(self.number, None)
