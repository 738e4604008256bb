"""Files that a user names: read whole and within a bound, or refused with the reason.

A pipe or a device is refused without being read: opening a pipe that has no writer would wait for
ever, and a device may have no end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from chaoscheck.errors import PlanError

__all__ = ["read_regular_file"]

# Opening a pipe must not wait for its writer, between our look at it and the open as well.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a pipe, not a regular file"),
    (stat.S_ISSOCK, "it is a socket, not a regular file"),
    (stat.S_ISCHR, "it is a device, not a regular file"),
    (stat.S_ISBLK, "it is a device, not a regular file"),
)


def read_regular_file(path: Path, bytes_max: int) -> bytes:
    """All of the file; PlanError, without its name, unless it is regular and short enough."""
    try:
        _require_regular(path.stat().st_mode)
        descriptor = os.open(path, _OPEN_FLAGS)
        with open(descriptor, "rb") as file:
            _require_regular(os.fstat(descriptor).st_mode)
            raw = file.read(bytes_max + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "that is no path"
        raise PlanError(f"cannot be read: {why}") from None
    if len(raw) > bytes_max:
        raise PlanError(f"has more than {bytes_max} bytes")
    return raw


def _require_regular(mode: int) -> None:
    for is_kind, what in _KINDS:
        if is_kind(mode):
            raise PlanError(f"cannot be read: {what}")
