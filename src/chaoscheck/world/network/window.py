"""The window: how many bytes one direction of a connection holds before its sender blocks."""

from __future__ import annotations

__all__ = ["WINDOW_BYTES"]

# The send buffer and the receive window together. Near Linux's defaults (tcp_rmem 128 KiB,
# tcp_wmem growing from 16 KiB), so that a peer that does not read is felt after a realistic
# number of bytes.
WINDOW_BYTES = 256 * 1024
