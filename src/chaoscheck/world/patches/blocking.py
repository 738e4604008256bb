"""Waits that would block the whole world: reported, unless they need not wait.

The world is one thread, so what one of its tasks waits for in this way can never come. Whether a
call has to wait is tried first, without waiting: a free lock is taken, an item that is there is
got.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from chaoscheck.world.patches.caller import library_call
from chaoscheck.world.patches.here import escape, here

__all__ = ["condition_wait", "join_thread", "lock_class", "prompt", "simple_queue_class"]

_BLOCKS = ", which blocks the whole world,"
# A debugger's prompt is wanted, also inside a world.
_DEBUGGERS = ("bdb", "cmd", "code", "pdb", "pdbpp", "IPython")


def condition_wait(real: Callable[..., bool]) -> Callable[..., bool]:
    """``Condition.wait``, by which events, queues, semaphores, barriers and futures wait."""

    def wait(self: threading.Condition, timeout: float | None = None) -> bool:
        if here.answers is None or (timeout is not None and timeout <= 0):
            return real(self, timeout)
        raise escape(library_call("Condition.wait") + _BLOCKS)

    return wait


def join_thread(real: Callable[..., None]) -> Callable[..., None]:
    """``Thread.join``: a thread that has ended may be joined."""

    def join(self: threading.Thread, timeout: float | None = None) -> None:
        waits = timeout is None or timeout > 0
        if here.answers is not None and waits and self.is_alive():
            raise escape("Thread.join" + _BLOCKS)
        real(self, timeout)

    return join


class WatchedLock:
    """A lock of ``threading`` that was made in a world; outside of one it is as any other."""

    __slots__ = ("__weakref__", "_real")

    make: Callable[[], Any]

    def __init__(self) -> None:
        self._real = type(self).make()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As a lock's; an Escape where it would have to wait for a task of the same thread."""
        taken: bool
        if here.answers is None or not blocking or timeout == 0:
            taken = self._real.acquire(blocking, timeout)
        else:
            taken = self._real.acquire(False)
            if not taken:
                raise escape("acquiring a threading lock that is held" + _BLOCKS)
        return taken

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self._real.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __repr__(self) -> str:
        return repr(self._real)


def lock_class(real: Callable[[], Any]) -> type[WatchedLock]:
    """In the place of ``threading.Lock`` or ``threading.RLock``."""
    return type("WatchedLock", (WatchedLock,), {"__slots__": (), "make": staticmethod(real)})


def simple_queue_class(real: type[Any]) -> type[Any]:
    """In the place of ``queue.SimpleQueue``."""

    class SimpleQueue(real):  # type: ignore[misc]
        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            if here.answers is None or not block or timeout == 0:
                return super().get(block, timeout)
            try:
                return super().get_nowait()
            except queue.Empty:
                pass
            raise escape("SimpleQueue.get" + _BLOCKS)

    return SimpleQueue


def prompt(real: Callable[..., str]) -> Callable[..., str]:
    """``input``: it waits for a human."""

    def answer(*prompt: Any) -> str:
        asks = str(sys._getframe(1).f_globals.get("__name__")).partition(".")[0]
        if here.answers is not None and asks not in _DEBUGGERS:
            raise escape("input()" + _BLOCKS)
        return real(*prompt)

    return answer
