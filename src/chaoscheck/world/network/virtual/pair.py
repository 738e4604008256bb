"""``socket.socketpair``: two connected ends without an address. No link lies between, no fault.

The rules are those of Linux for Unix stream sockets (net/unix/af_unix.c). They differ from TCP:
no segment travels, so each end learns at once of what the other did, and nothing is ever reset.
"""

from __future__ import annotations

import errno

from chaoscheck.world.network.address import socket_error
from chaoscheck.world.network.virtual.connection import Endpoint

__all__ = ["PairEnd"]


class PairEnd(Endpoint):
    """One end of a pair."""

    __slots__ = ()

    @property
    def is_writable(self) -> bool:
        """Whether ``write`` would answer at once."""
        return self._is_unheard or self.outgoing.is_writable

    @property
    def is_connected(self) -> bool:
        """An end keeps its peer, even a closed one."""
        return True

    @property
    def _is_unheard(self) -> bool:
        return self.fin_sent or self.peer.closed or self.peer.reading_shut

    def describe(self) -> str:
        """Which end of which pair."""
        return f"{'left' if self.side == 'client' else 'right'} end of socket pair"

    def read(self, limit: int, *, peek: bool = False) -> bytes | None:
        """Received data, then the error, once, then the end (unix_stream_read_generic)."""
        if self.received:
            return super().read(limit, peek=peek)
        if self.error:
            raise socket_error(self.take_error())
        return b"" if self.fin_received or self.reading_shut else None

    def write(self, data: memoryview) -> int | None:
        """EPIPE, not reported as anything else, where nobody will read it."""
        if self._is_unheard:
            raise socket_error(errno.EPIPE)
        return super().write(data)

    def shut_down_reading(self) -> None:
        """The peer cannot send any more."""
        super().shut_down_reading()
        self.peer.on_writable()

    def close(self, *, abortive: bool = False) -> None:
        """The peer reads the end, or ECONNRESET first if data was unread; SO_LINGER is nothing."""
        if self.closed:
            return
        self.closed = True
        if self.received:
            self.peer.error = errno.ECONNRESET
            self.received.clear()
        self.peer.fin_received = True
        self.peer.on_readable()
        self.peer.on_writable()
