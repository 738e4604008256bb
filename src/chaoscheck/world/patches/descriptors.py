"""Real file descriptors: reading, polling, and trio's waits for them.

A virtual world polls nothing real: time would pass outside of its clock. Whether a descriptor is
ready is asked without waiting; a wait for one is an Escape. A world with real sockets polls them
itself, so that there nothing of this is reported.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import Any

import trio

from chaoscheck.world.patches.caller import library_call
from chaoscheck.world.patches.here import Wrap, escape, here

__all__ = ["poller", "read", "select_call", "selector_select", "wait_for"]

_BLOCKS = ", which blocks the whole world,"
_real_poll = select.poll if hasattr(select, "poll") else None


def wait_for(direction: str) -> Wrap:
    """A wait of trio's for a real descriptor, ``direction`` being readable or writable."""

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        async def wait(self: Any, fd: Any) -> None:
            answers = here.answers
            if answers is None or answers.real_sockets or _is_trios_own(fd):
                await real(self, fd)
                return
            raise escape(f"waiting for file descriptor {_number(fd)} to become {direction}")

        return wait

    return wrap


def _is_trios_own(fd: Any) -> bool:
    """Whether trio waits for its own wake-up, which ends the sleep of its loop."""
    runner: Any = trio.lowlevel.current_task()._runner
    return fd is runner.entry_queue.wakeup.wakeup_sock


def _number(fd: Any) -> str:
    try:
        return str(fd if isinstance(fd, int) else fd.fileno())
    except (AttributeError, OSError, ValueError):
        return repr(fd)


def _polls_nothing() -> bool:
    return here.answers is not None and not here.answers.real_sockets


def select_call(real: Callable[..., Any]) -> Callable[..., Any]:
    """``select.select``."""

    def answer(rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None, /) -> Any:
        if not _polls_nothing() or (timeout is not None and timeout <= 0):
            return real(rlist, wlist, xlist, timeout)
        ready = real(rlist, wlist, xlist, 0)
        if any(ready):
            return ready
        raise escape("select.select" + _BLOCKS)

    return answer


def selector_select(real: Callable[..., Any]) -> Callable[..., Any]:
    """``select`` of a class of ``selectors``."""

    def answer(self: Any, timeout: float | None = None) -> Any:
        if not _polls_nothing() or (timeout is not None and timeout <= 0):
            return real(self, timeout)
        ready = real(self, 0)
        if ready:
            return ready
        raise escape(library_call(f"{type(self).__name__}.select") + _BLOCKS)

    return answer


class _WatchedPoller:
    """A ``select.poll``, ``epoll`` or ``kqueue`` object that was made in a world."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def poll(self, timeout: float | None = None, *rest: int) -> Any:
        """As the real one; an Escape where it would have to wait."""
        if not _polls_nothing() or timeout == 0:
            return self._real.poll(timeout, *rest)
        ready = self._real.poll(0, *rest)
        if ready:
            return ready
        raise escape(f"{type(self._real).__name__}.poll" + _BLOCKS)

    def control(self, changes: Any, events_max: int, timeout: float | None = None) -> Any:
        """As a kqueue's; an Escape where it would have to wait."""
        if not _polls_nothing() or events_max == 0:
            return self._real.control(changes, events_max, timeout)
        ready = self._real.control(changes, events_max, 0)
        if ready or timeout == 0:
            return ready
        raise escape("kqueue.control" + _BLOCKS)

    def __enter__(self) -> _WatchedPoller:
        return self

    def __exit__(self, *error: object) -> None:
        self._real.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def poller(real: Callable[..., Any]) -> Callable[..., Any]:
    """``select.poll`` and its kind: makes an object that never waits."""

    def answer(*args: Any, **kwargs: Any) -> Any:
        made = real(*args, **kwargs)
        return _WatchedPoller(made) if _polls_nothing() else made

    return answer


def read(real: Callable[[int, int], bytes]) -> Callable[[int, int], bytes]:
    """``os.read``: legal where bytes, the end or an error are there at once."""

    def answer(fd: int, length: int, /) -> bytes:
        if _polls_nothing() and _would_wait(fd):
            raise escape(f"os.read of file descriptor {fd}" + _BLOCKS)
        return real(fd, length)

    return answer


def _would_wait(fd: int) -> bool:
    if _real_poll is None or not isinstance(fd, int):
        return False
    asked = _real_poll()
    asked.register(fd, select.POLLIN)
    return not asked.poll(0) and os.get_blocking(fd)
