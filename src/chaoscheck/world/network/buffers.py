"""Buffers of the calls that read into several, or send from several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["gather", "scatter", "size_of", "views_of"]


def views_of(buffers: Iterable[Buffer]) -> list[memoryview]:
    """Each buffer as a view of its bytes."""
    return [memoryview(buffer).cast("B") for buffer in buffers]


def gather(buffers: Iterable[Buffer]) -> bytes:
    """The buffers one after the other."""
    return b"".join(views_of(buffers))


def scatter(data: bytes, views: Iterable[memoryview]) -> int:
    """Write ``data`` into the views, one after the other; how many bytes."""
    start = 0
    for view in views:
        part = data[start : start + len(view)]
        view[: len(part)] = part
        start += len(part)
    return start


def size_of(view: memoryview, nbytes: int) -> int:
    """How many bytes to read into ``view``; 0 is as many as fit.

    ValueError as ``socket.recv_into``: below 0, or more than fit.
    """
    if nbytes < 0:
        raise ValueError("negative buffersize in recv_into")
    if nbytes > len(view):
        raise ValueError("buffer too small for requested bytes")
    return nbytes or len(view)
