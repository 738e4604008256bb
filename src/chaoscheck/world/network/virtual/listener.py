"""VirtualListener: a listening port, and the connections that wait there to be accepted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from chaoscheck.world.network.address import Address
from chaoscheck.world.network.listener import Listener
from chaoscheck.world.network.options import SocketOptions
from chaoscheck.world.network.virtual.connection import Endpoint

__all__ = ["VirtualListener"]

# Linux's net.core.somaxconn since 5.4.
_BACKLOG_MAX = 4096


def _nothing_waits() -> None:
    """No task accepts yet."""


class VirtualListener(Listener):
    """A listening port: connections that are established but not yet accepted, in order."""

    def __init__(self, address: Address, backlog: int, options: SocketOptions) -> None:
        super().__init__(address)
        self.options = options  # of the socket that listens: those it accepts have them too
        self.on_readable: Callable[[], None] = _nothing_waits
        self._backlog = min(max(backlog, 0), _BACKLOG_MAX)
        self._pending: deque[Endpoint] = deque()

    @property
    def has_room(self) -> bool:
        """Whether one more may wait; a backlog of n lets n + 1 wait (sk_acceptq_is_full)."""
        return len(self._pending) <= self._backlog

    @property
    def is_readable(self) -> bool:
        """Whether ``take`` has one."""
        return bool(self._pending)

    def set_backlog(self, backlog: int) -> None:
        """Listening again only changes the backlog."""
        self._backlog = min(max(backlog, 0), _BACKLOG_MAX)

    def enqueue(self, endpoint: Endpoint) -> None:
        """A connection is established."""
        self._pending.append(endpoint)
        self.on_readable()

    def take(self) -> Endpoint | None:
        """The one that waits longest, None if there is none."""
        return self._pending.popleft() if self._pending else None

    def close(self) -> None:
        """Nobody will accept what waits here: each is reset (inet_csk_listen_stop)."""
        while self._pending:
            self._pending.popleft().close(abortive=True)
