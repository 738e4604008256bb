"""Writes a ledger file from a thread, so that no disk and no foreign lock stops the server.

The server's thread only puts exchanges aside; they are written every half second, or once a batch
of them waits. For servers in real time: a virtual world has no threads, and writes where it is.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Self

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.history.exchange import Exchange
from chaoscheck.server.books.ledger_file import BATCH_ROWS, LedgerFile

__all__ = ["BUSY_TIMEOUT_S", "LedgerWriter"]

BUSY_TIMEOUT_S = 0.25  # of the file: how long a try waits for another process that holds it
EVERY_S = 0.5  # between two tries, unless a batch waits
CLOSING_TRIES = 2  # to write what waits at the end: with the timeout above 0.5 s
_JOIN_MAX_S = 5.0  # a disk that does not answer for so long is given up

# Theory of operation. Two threads meet in the file's list of what waits: the server's appends to it
# and drops the oldest of too many, the writer's removes what it wrote. Appending needs no lock, and
# the lock for dropping is never held while anything is written, so the server never waits for a
# disk. Only the writer's thread touches the database, up to its end.


class LedgerWriter:
    """The thread that writes ``file``; ``warn`` is told, on that thread, when writing fails.

    It is told once when that begins, and once more when it begins again. ``file`` should be opened
    with ``BUSY_TIMEOUT_S``, which bounds how long ``close`` takes.
    """

    def __init__(
        self,
        file: LedgerFile,
        *,
        warn: Callable[[str], object] = lambda _: None,
        every_s: float = EVERY_S,
    ) -> None:
        if not 0 < every_s < float("inf"):
            raise PlanError(f"every_s must be a finite number > 0, got {every_s!r}")
        self._file = file
        self._warn = warn
        self._every_s = every_s
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._trouble: WorldError | None = None
        self._thread = threading.Thread(target=self._live, name="chaoscheck ledger", daemon=True)
        self._closed = False

    def start(self) -> Self:
        """Start the thread, once."""
        self._thread.start()
        return self

    def add(self, exchange: Exchange) -> None:
        """Take one exchange, to be written soon: a ledger's sink. Never blocks, never raises."""
        if self._file.keep(exchange) % BATCH_ROWS == 0:
            self._wake.set()

    def close(self) -> None:
        """Write what waits, for at most about a second, and close the file; twice is once.

        WorldError, with the number of exchanges that are not in the file and the reason, if any
        is missing; also when the file was deleted or replaced.
        """
        if self._closed:
            return
        self._closed = True
        self._ending.set()
        self._wake.set()
        self._thread.join(_JOIN_MAX_S)
        missing = self._file.waiting + self._file.lost
        if self._thread.is_alive():
            raise WorldError(
                f"ledger file {self._file.path.name!r}: the disk did not answer for "
                f"{_JOIN_MAX_S:g} s, {missing} exchanges are not in the file"
            )
        self._file.close(write=False)
        if self._trouble is not None:
            raise WorldError(f"{self._trouble}; {missing} exchanges are not in the file")

    def _live(self) -> None:
        while not self._ending.is_set():
            self._wake.wait(self._every_s)
            self._wake.clear()
            self._try_to_write()
        for _ in range(CLOSING_TRIES):
            self._try_to_write()
            if self._trouble is None:
                return

    def _try_to_write(self) -> None:
        try:
            self._file.flush()
        except WorldError as error:
            begins = self._trouble is None
            self._trouble = error
            if begins:
                with contextlib.suppress(Exception):  # The caller's; the thread must go on.
                    self._warn(str(error))
        except (
            Exception
        ) as error:  # Of our own: what waits is reported at the end, not lost quietly.
            self._trouble = WorldError(f"ledger file {self._file.path.name!r}: {error!r}")
        else:
            self._trouble = None
