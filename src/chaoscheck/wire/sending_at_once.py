"""Bytes handed to the kernel at once, without the turn of the scheduler that trio's send takes.

A send of trio's is a checkpoint: it ends with a pass of the run loop, which costs as much as the
send itself. Whoever uses this takes care of checkpoints: one for each answer is enough.
"""

from __future__ import annotations

import os
import sys

import trio

__all__ = ["is_kernels", "send_at_once"]


def is_kernels(stream: trio.SocketStream) -> bool:
    """Whether the stream is a socket of the kernel's with nothing in between, such as a link."""
    # Sockets of other makers derive from trio's public type; its own one has no public name.
    return sys.platform != "win32" and type(stream.socket).__module__ == "trio._socket"


def send_at_once(stream: trio.SocketStream, data: bytes) -> bytes:
    """Send what the kernel takes of ``data``, and return the rest.

    trio.BrokenResourceError when the peer is gone.
    """
    try:
        sent = os.write(stream.socket.fileno(), data)
    except BlockingIOError:
        return data
    except OSError as error:
        raise trio.BrokenResourceError from error
    return data[sent:]
