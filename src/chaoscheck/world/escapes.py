"""Escapes: what code in a virtual world asks of the real one, answered or reported."""

from __future__ import annotations

import os
import platform
import random
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from functools import cache
from types import FrameType
from typing import Any, NoReturn, Protocol

import outcome
import sniffio
import trio._threads as trio_threads

from chaoscheck.errors import Escape
from chaoscheck.world.network.virtual import stand_in

# Theory of operation. While a world is open in a thread, calls of that thread to a few functions
# of the standard library are *answered* by the world (wall time, monotonic time, randomness,
# worker threads of trio, which run inline) or *reported* as ``Escape`` with file and line
# (threads, real sockets, processes, blocking sleeps). A report is raised where it happens and
# kept as well, so that code which swallows it still fails at the end of the tick.
#
# The patches are process-wide attributes and worlds are per thread: each patched function looks
# up the world of its own thread and behaves as ever where there is none. The last world to close
# takes the patches away. Names bound early (``from time import time``) cannot be answered.

__all__ = [
    "EPOCH_S",
    "Ambient",
    "allows_real_socket",
    "enter",
    "leave",
    "patches_in_place",
    "refuse",
]

EPOCH_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z: what the wall clock shows when a world opens
MONOTONIC_S = 1_000.0  # a monotonic clock that reads 0 is mistaken for "not set" by some code

_STDLIB = sysconfig.get_path("stdlib")
_TRIO = os.path.dirname(trio_threads.__file__)
_NETWORK = os.path.join(os.path.dirname(__file__), "network", "")


class Ambient(Protocol):
    """What a world answers."""

    @property
    def now(self) -> float:
        """Virtual seconds since the world opened."""

    @property
    def ticking(self) -> bool:
        """Whether a task of the world is running right now."""

    @property
    def real_sockets(self) -> bool:
        """Whether tasks may use real sockets on the loopback interface."""

    def random_bytes(self, size: int) -> bytes:
        """Bytes from the world's own stream."""

    def report(self, escape: Escape) -> None:
        """Remember an escape, so that it cannot be swallowed."""


class _PerThread(threading.local):
    world: Ambient | None = None


_here = _PerThread()
_lock = threading.Lock()
_open = 0
_undo: list[Callable[[], None]] = []
_wrapped: dict[tuple[Any, str], tuple[Any, Any]] = {}


def enter(world: Ambient) -> None:
    """Answer and report for ``world`` in this thread from now on."""
    global _open
    with _lock:
        if _open == 0:
            _patch_all()
        _open += 1
    _here.world = world


def leave() -> None:
    """Stop answering in this thread; the last one out restores everything."""
    global _open
    _here.world = None
    with _lock:
        _open -= 1
        if _open == 0:
            while _undo:
                _undo.pop()()


def patches_in_place() -> int:
    """How many patches are in force in this process."""
    return len(_undo)


def _replace(owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    """Put ``wrap(real)`` in the place of an attribute; wrapped once as long as real is the same."""
    had = name in vars(owner)
    real = getattr(owner, name)
    known = _wrapped.get((owner, name))
    if known is None or known[0] is not real:
        known = _wrapped[owner, name] = (real, wrap(real))
    setattr(owner, name, known[1])
    _undo.append(lambda: setattr(owner, name, real) if had else delattr(owner, name))


def _patch_all() -> None:
    _know_the_platform()
    for owner, name, wrap in _PATCHES:
        _replace(owner, name, wrap)


@cache
def _know_the_platform() -> None:
    """Ask for the processor once: the standard library runs a process for it, and caches it.

    SDKs name the platform in a header of their first request.
    """
    platform.platform()
    platform.processor()


# ---------------------------------------------------------------------------- answered


def _seconds(offset: float) -> Callable[[Any], Any]:
    def wrap(real: Callable[[], float]) -> Callable[[], float]:
        def answer() -> float:
            world = _here.world
            return real() if world is None else offset + world.now

        return answer

    return wrap


def _nanoseconds(offset: float) -> Callable[[Any], Any]:
    def wrap(real: Callable[[], int]) -> Callable[[], int]:
        def answer() -> int:
            world = _here.world
            return real() if world is None else round((offset + world.now) * 1e9)

        return answer

    return wrap


def _perf_counter(real: Callable[[], float]) -> Callable[[], float]:
    def answer() -> float:
        # Hypothesis measures its own work with this clock between ticks: leave it the real one.
        world = _here.world
        return real() if world is None or not world.ticking else MONOTONIC_S + world.now

    return answer


def _urandom(real: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def answer(size: int, /) -> bytes:
        world = _here.world
        return real(size) if world is None else world.random_bytes(size)

    return answer


def _inline(real: Callable[..., None]) -> Callable[..., None]:
    def answer(fn: Callable[[], Any], deliver: Callable[[Any], object], name: Any = None) -> None:
        if _here.world is None:
            real(fn, deliver, name)
            return
        library = sniffio.thread_local
        previous, library.name = library.name, None  # a worker thread is in no async library
        try:
            result = outcome.capture(fn)
        finally:
            library.name = previous
        deliver(result)

    return answer


# ---------------------------------------------------------------------------- reported


def _reported(what: str) -> Callable[[Any], Any]:
    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def report(*args: Any, **kwargs: Any) -> Any:
            world = _here.world
            if world is None:
                return real(*args, **kwargs)
            escape = Escape(f"{what} cannot run in a virtual world: called at {_caller()}")
            world.report(escape)
            raise escape

        return report

    return wrap


def refuse(what: str) -> NoReturn:
    """Raise Escape, with the caller's file and line, and keep it for the world of this thread."""
    escape = Escape(f"{what} cannot run in a virtual world: called at {_caller()}")
    world = _here.world
    if world is not None:
        world.report(escape)
    raise escape


def allows_real_socket(address: Any) -> bool:
    """Whether a socket of the kernel may go there: no world, or real sockets and this machine."""
    world = _here.world
    return world is None or (world.real_sockets and _is_loopback(address))


def _is_loopback(address: Any) -> bool:
    host = address[0] if isinstance(address, tuple) else ""
    return isinstance(host, str) and (host.startswith("127.") or host == "::1")


def _caller() -> str:
    """File and line of the nearest frame outside this module, trio and the standard library."""
    frame: FrameType | None = sys._getframe(1)
    last = "an unknown place"
    while frame is not None:
        name = frame.f_code.co_filename
        if name != __file__ and not name.startswith(_NETWORK):
            last = f"{name}:{frame.f_lineno}"
            stdlib = name.startswith(_STDLIB) and "site-packages" not in name
            if not stdlib and not name.startswith(_TRIO):
                return last
        frame = frame.f_back
    return last


# What is patched while a world is open: owner, attribute, and what it becomes.
_PATCHES: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
    (time, "time", _seconds(EPOCH_S)),
    (time, "time_ns", _nanoseconds(EPOCH_S)),
    (time, "monotonic", _seconds(MONOTONIC_S)),
    (time, "monotonic_ns", _nanoseconds(MONOTONIC_S)),
    (time, "perf_counter", _perf_counter),
    (os, "urandom", _urandom),
    (random, "_urandom", _urandom),
    (trio_threads, "start_thread_soon", _inline),
    (
        trio_threads,
        "_send_message_to_trio",
        _reported("trio.from_thread (its worker thread runs inline here)"),
    ),
    (time, "sleep", _reported("time.sleep, which blocks the whole world,")),
    (threading.Thread, "start", _reported("a real thread")),
    (subprocess.Popen, "_execute_child", _reported("a real process")),
    *stand_in.PATCHES,  # the sockets of the standard library, which are the world's
)
