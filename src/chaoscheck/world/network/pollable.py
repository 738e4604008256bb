"""A real file descriptor that polls readable exactly when a virtual socket is.

Only made when somebody asks for ``fileno()``, for instance to hand it to ``select.poll`` as
httpcore does over anyio. It is the reading end of a pipe: one byte in it means readable. It is
of no use for reading, writing or polling for room.
"""

from __future__ import annotations

import os

__all__ = ["Pollable"]


class Pollable:
    """A pipe that holds one byte while ``show(True)`` is in force."""

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        self._shown = False

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._read_fd

    def show(self, readable: bool) -> None:
        """Make the descriptor poll readable, or not."""
        if readable == self._shown:
            return
        self._shown = readable
        if readable:
            os.write(self._write_fd, b"!")
        else:
            os.read(self._read_fd, 1)

    def close(self) -> None:
        """Give both descriptors back."""
        os.close(self._read_fd)
        os.close(self._write_fd)
