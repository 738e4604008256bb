"""How a connection ends: RST, FIN, or FIN after what the peer still sends was read.

A reset is deterministic for the peer only if its request was fully read and our bytes were
acknowledged before the socket closes with a linger time of zero: the kernel drops unsent bytes
at such a close. Virtual sockets deliver in order, so there is nothing to wait for.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys

import trio

__all__ = ["finish", "finish_after_reading", "reset"]

# Loopback acknowledges in microseconds, or after a delayed ACK of 40 ms: looking at ever longer
# intervals finds the first at once, and takes a dozen looks for the second.
_ACK_POLL_S = 0.0001
_ACK_POLL_MAX_S = 0.01
_ACK_WAIT_S = 1.0  # a peer that does not read never acknowledges: then the reset comes anyway
_READ_WAIT_S = 1.0  # a refused upload that goes on longer than this is cut
_READ_BYTES = 1024 * 1024  # the same in bytes

_LINGER_ZERO = struct.pack("ii", 1, 0)


async def reset(stream: trio.SocketStream) -> None:
    """Send RST once all our bytes are acknowledged (at most 1 s later), and close."""
    poll_s = _ACK_POLL_S
    try:
        with trio.move_on_after(_ACK_WAIT_S):
            while _unacknowledged(stream):
                await trio.sleep(poll_s)
                poll_s = min(2 * poll_s, _ACK_POLL_MAX_S)
    finally:  # A server that stops meanwhile resets at once.
        with contextlib.suppress(OSError, trio.ClosedResourceError):  # The peer may be gone.
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        stream.socket.close()


async def finish(stream: trio.SocketStream) -> None:
    """Send FIN behind our bytes and close. A peer that is gone already is no error."""
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.send_eof()
    await trio.aclose_forcefully(stream)


async def finish_after_reading(stream: trio.SocketStream) -> None:
    """Send FIN, read what the peer still sends within bounds, then close.

    Closing a socket with unread bytes sends RST, which could overtake an answer such as 413 that
    the peer has not read yet.
    """
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.send_eof()
        read = 0
        with trio.move_on_after(_READ_WAIT_S):
            while read < _READ_BYTES and (data := await stream.receive_some()):
                read += len(data)
    await trio.aclose_forcefully(stream)


def _unacknowledged(stream: trio.SocketStream) -> int:
    if sys.platform != "linux":
        return 0
    import fcntl
    import termios

    try:
        packed = fcntl.ioctl(stream.socket.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    except (OSError, ValueError):
        return 0  # A virtual socket has no kernel descriptor; a closed one has none any more.
    count: int = struct.unpack("i", packed)[0]
    return count
