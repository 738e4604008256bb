"""What a server keeps between requests: responses, files and batches, in memory and bounded.

A shelf holds the objects of one kind. Once it is full, the oldest goes: a client that asks for it
is answered as for one that never was.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["BYTES_MAX", "ENTRIES_MAX", "Shelf", "Store"]

ENTRIES_MAX = 1_000  # objects of one kind
BYTES_MAX = 32 * 2**20  # of one kind, as its putters count them


class Shelf:
    """Objects by id, the oldest first; at most ``ENTRIES_MAX``, and ``BYTES_MAX`` bytes in all.

    Requests that are answered on a worker thread use it beside those that are not.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._kept: dict[str, tuple[Any, int]] = {}
        self._bytes = 0

    def put(self, name: str, value: object, size: int) -> None:
        """Keep ``value`` of ``size`` bytes; one that is larger than the shelf is not kept."""
        with self._changing:
            self._take(name)
            if size > BYTES_MAX:
                return
            self._kept[name] = value, size
            self._bytes += size
            self._evict()

    def _evict(self) -> None:
        while len(self._kept) > ENTRIES_MAX or self._bytes > BYTES_MAX:
            self._take(next(iter(self._kept)))

    def resize(self, name: str, size: int) -> None:
        """Count a kept object with ``size`` bytes from now on; its place stays."""
        with self._changing:
            if name in self._kept:
                value, before = self._kept[name]
                self._kept[name] = value, size
                self._bytes += size - before
                self._evict()

    def get(self, name: str | None) -> Any:
        """The object of that id, or None."""
        return self._kept.get(name or "", (None, 0))[0]

    def take(self, name: str | None) -> Any:
        """The object of that id, which is kept no longer, or None."""
        with self._changing:
            return self._take(name)

    def _take(self, name: str | None) -> Any:
        value, size = self._kept.pop(name or "", (None, 0))
        self._bytes -= size
        return value

    def newest_first(self) -> Iterator[tuple[str, Any]]:
        """All ids and objects."""
        return ((name, value) for name, (value, _) in reversed(list(self._kept.items())))

    def __len__(self) -> int:
        return len(self._kept)


class Store:
    """The shelves of a server, each made when it is first asked for."""

    def __init__(self) -> None:
        self._shelves: dict[str, Shelf] = {}

    def shelf(self, kind: str) -> Shelf:
        """The objects of a kind, such as ``files``."""
        return self._shelves.setdefault(kind, Shelf())

    def clear(self) -> None:
        """Keep nothing."""
        self._shelves.clear()
