"""Waits that would block the whole world: reported, unless they need not wait.

The world is one thread, so what one of its tasks waits for in this way can never come. Whether a
call has to wait is tried first, without waiting: a free lock is taken, an item that is there is
got.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from chaoscheck.world.patches.caller import library_call
from chaoscheck.world.patches.here import escape, here

__all__ = [
    "child_wait",
    "child_wait_by_id",
    "condition_wait",
    "file_lock",
    "join_thread",
    "lock_class",
    "made_before",
    "prompt",
    "simple_queue_class",
]

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

    def __init__(self, real: Any = None) -> None:
        self._real = type(self).make() if real is None else real

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
            return _get(super().get, block, timeout)

    return SimpleQueue


class _WatchedQueue:
    """A ``queue.SimpleQueue`` that was made before the world opened."""

    def __init__(self, real: queue.SimpleQueue[Any]) -> None:
        self._real = real

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """As a simple queue's; an Escape where it is empty and would wait."""
        return _get(self._real.get, block, timeout)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _get(get: Callable[[bool, float | None], Any], block: bool, timeout: float | None) -> Any:
    if here.answers is None or not block or timeout == 0:
        return get(block, timeout)
    try:
        return get(False, None)
    except queue.Empty:
        pass
    raise escape("SimpleQueue.get" + _BLOCKS)


_REAL_LOCKS = (type(threading.Lock()), type(threading.RLock()))
_REAL_QUEUE = queue.SimpleQueue


def made_before(value: Any) -> Any:
    """What takes the place of a lock or a simple queue made before a world opened; None: neither.

    It works on the same lock or queue, so those who hold the real one see the same state.
    """
    kind = type(value)
    if kind in _REAL_LOCKS:
        return WatchedLock(value)
    return _WatchedQueue(value) if kind is _REAL_QUEUE else None


def file_lock(real: Callable[..., None]) -> Callable[..., None]:
    """``fcntl.flock`` and ``fcntl.lockf``: a file that is free is locked."""
    import fcntl  # not on every platform; where it is missing, neither is patched

    def lock(fd: Any, operation: int, *span: int) -> None:
        if here.answers is None or operation & fcntl.LOCK_NB:
            real(fd, operation, *span)
            return
        try:
            real(fd, operation | fcntl.LOCK_NB, *span)
            return
        except (BlockingIOError, PermissionError):  # lockf may answer EACCES
            pass
        raise escape(f"fcntl.{real.__name__} of a file that is locked" + _BLOCKS)

    return lock


def child_wait(real: Callable[..., Any]) -> Callable[..., Any]:
    """``os.waitpid``, ``wait3`` and ``wait4``: a child that has ended is reaped."""

    def wait(*args: Any) -> Any:
        options = args[-1]
        if here.answers is None or options & os.WNOHANG:
            return real(*args)
        found = real(*args[:-1], options | os.WNOHANG)
        if found[0]:
            return found
        raise escape(f"os.{real.__name__} for a child that runs" + _BLOCKS)

    return wait


def child_wait_by_id(real: Callable[..., Any]) -> Callable[..., Any]:
    """``os.waitid``, which answers None where it would wait."""

    def wait(idtype: int, id: int, options: int, /) -> Any:
        if here.answers is None or options & os.WNOHANG:
            return real(idtype, id, options)
        found = real(idtype, id, options | os.WNOHANG)
        if found is None:
            raise escape("os.waitid for a child that runs" + _BLOCKS)
        return found

    return wait


def prompt(real: Callable[..., str]) -> Callable[..., str]:
    """``input``: it waits for a human."""

    def answer(*prompt: Any) -> str:
        asks = str(sys._getframe(1).f_globals.get("__name__")).partition(".")[0]
        if here.answers is not None and asks not in _DEBUGGERS:
            raise escape("input()" + _BLOCKS)
        return real(*prompt)

    return answer
