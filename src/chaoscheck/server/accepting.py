"""Accepting connections while descriptors or memory run out: with patience, and with a reserve.

Linux takes a descriptor before it looks for a connection, so where none is left ``accept`` fails
whether or not a client connects: without a pause that would be a busy loop.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os

import trio

__all__ = ["PAUSE_S", "PatientListener", "Reserve"]

PAUSE_S = 0.1  # between two attempts
_LOG_EVERY_S = 60.0
_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})

_log = logging.getLogger("chaoscheck.server")


class Reserve:
    """Descriptors that are kept back, so that some more connections can be accepted.

    It holds none until ``size`` is set and ``refill`` called.
    """

    def __init__(self) -> None:
        self.size = 0
        self._held: list[int] = []
        self._logged_at_s: float | None = None

    def refill(self) -> None:
        """Take what is missing, as far as there are descriptors."""
        with contextlib.suppress(OSError):
            while len(self._held) < self.size:
                self._held.append(os.open(os.devnull, os.O_RDONLY))

    def spend(self) -> bool:
        """Give one descriptor back to the process; False if none is left."""
        if not self._held:
            return False
        os.close(self._held.pop())
        return True

    def log_once(self, error: OSError) -> None:
        """Log that there are none, for all listeners once a minute at most."""
        now_s = trio.current_time()
        if self._logged_at_s is None or now_s - self._logged_at_s >= _LOG_EVERY_S:
            self._logged_at_s = now_s
            _log.error(
                "cannot accept connections: %s; new ones wait until there is room",
                error.strerror or error,
            )

    def close(self) -> None:
        """Give all of them back, and take no more."""
        self.size = 0
        while self.spend():
            pass


class PatientListener(trio.abc.Listener[trio.SocketStream]):
    """A listener that outlasts a lack of descriptors, and logs it.

    It fills ``reserve`` before it accepts anything; if it ``may_spend`` of it, then connections
    are accepted by it where no other descriptor is left.
    """

    def __init__(
        self,
        listener: trio.abc.Listener[trio.SocketStream],
        reserve: Reserve,
        *,
        may_spend: bool = False,
    ) -> None:
        self._listener = listener
        self._reserve = reserve
        self._may_spend = may_spend

    async def accept(self) -> trio.SocketStream:
        """The next connection, as soon as there is a descriptor for it."""
        while True:
            self._reserve.refill()
            try:
                return await self._listener.accept()
            except OSError as error:
                if error.errno not in _SCARCE:
                    raise
                self._reserve.log_once(error)
            stream = await self._accept_by_reserve() if self._may_spend else None
            if stream is not None:
                return stream
            await trio.sleep(PAUSE_S)

    async def aclose(self) -> None:
        """Close the listener; the reserve is its owner's."""
        await self._listener.aclose()

    async def _accept_by_reserve(self) -> trio.SocketStream | None:
        if isinstance(self._listener, trio.SocketListener):
            # Only for a connection that is there: then nothing runs between giving a descriptor
            # back and taking it again, and no other listener can be quicker.
            await trio.lowlevel.wait_readable(self._listener.socket)
        if not self._reserve.spend():
            return None
        with trio.move_on_after(PAUSE_S), contextlib.suppress(OSError):
            return await self._listener.accept()
        return None
