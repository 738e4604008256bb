"""The window: how many bytes one direction of a connection holds before its sender blocks.

It is the sender's send buffer and the receiver's receive buffer together, as on TCP.
"""

from __future__ import annotations

from typing import SupportsIndex

from chaoscheck.errors import PlanError

__all__ = ["WINDOW_BYTES", "buffer_for", "require_window"]

# Near Linux's defaults (tcp_rmem 128 KiB, tcp_wmem growing from 16 KiB), so that a peer that does
# not read is felt after a realistic number of bytes. A kernel that tunes its buffers may take
# some 4 MB before it blocks a sender: ``network.set_window`` sets that.
WINDOW_BYTES = 256 * 1024

_WINDOW_MIN = 4_096  # below it every write is cut into pieces, which no real host does
_WINDOW_MAX = 2**30  # the largest window that TCP can announce (RFC 7323, section 2.3)
_OPTION_MAX = 212_992  # net.core.wmem_max and rmem_max: what SO_SNDBUF may ask for


def require_window(window_bytes: SupportsIndex) -> int:
    """``window_bytes`` as an int; PlanError unless it is an integer in [4096, 2**30]."""
    legal = isinstance(window_bytes, int) and not isinstance(window_bytes, bool)
    if not legal or not _WINDOW_MIN <= int(window_bytes) <= _WINDOW_MAX:
        raise PlanError(
            f"window_bytes must be an integer in [{_WINDOW_MIN}, {_WINDOW_MAX}],"
            f" got {window_bytes!r}"
        )
    return int(window_bytes)


def buffer_for(asked: int, *, least: int) -> int:
    """What the kernel stores for SO_SNDBUF or SO_RCVBUF: twice what was asked, within limits.

    Half of it is for data, half for the kernel's own books (socket(7)). A negative number is
    read as a large one.
    """
    return max(2 * min(asked % 2**32, _OPTION_MAX), least)
