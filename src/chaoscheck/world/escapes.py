"""Escapes: what code in a virtual world asks of the real one, answered or reported."""

from __future__ import annotations

import _thread
import builtins
import os
import platform
import queue
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from functools import cache
from typing import Any, NamedTuple

import trio._core._run as trio_run
import trio._threads as trio_threads

from chaoscheck.world.answers import Answers
from chaoscheck.world.network.virtual import stand_in as stand_in_sockets
from chaoscheck.world.patches import (
    blocking,
    chance,
    clocks,
    descriptors,
    lookups,
    wall_clock,
    workers,
)
from chaoscheck.world.patches.clocks import MONOTONIC_S
from chaoscheck.world.patches.early_bindings import EarlyBindings
from chaoscheck.world.patches.here import Patch, Wrap, here, reported, stand_in
from chaoscheck.world.patches.wall_clock import EPOCH_S

# Theory of operation. While a world is open in a thread, calls of that thread to some functions
# of the standard library and of trio are *answered* by the world (clocks, chance, look-ups of
# names, worker threads of trio, which run inline) or *reported* as ``Escape`` with file and line
# (threads, real sockets, processes, whatever blocks). A report is raised where it happens and
# kept as well (``Answers.keep``), so that code which swallows it still fails: at the end of the
# tick, in sync code at the end of the step.
#
# How a function is reached decides how it is replaced:
#
# - by its module or class, when it is called: the attribute is replaced (the table below);
# - by a name that was bound before: ``early_bindings`` puts the stand-in there as well;
# - in C, from elsewhere (``datetime.now``): ``wall_clock`` has time-machine replace it there.
#
# The patches are process-wide and worlds are per thread: each patched function looks up the world
# of its own thread (``here``) and behaves as ever where there is none. The last world to close
# takes the patches away. Opening a world costs a few microseconds for each patch, so what is
# prepared is kept from world to world as long as nothing else replaced these functions.
#
# A part of the world that needs more (an event loop, other sockets) adds its own tuple of
# ``Patch`` to ``_PATCHES``; an owner that may not be imported yet is given by its name.

__all__ = ["EPOCH_S", "MONOTONIC_S", "enter", "leave", "patches_in_place"]

NS = 1_000_000_000
_IO_MANAGER = vars(trio_run)["TheIOManager"]  # epoll's or kqueue's
_PROCESS = reported("a real process")
_SIGNAL = reported("waiting for a signal, which blocks the whole world,")

_CLOCKS = (
    # ``time.time``, ``datetime.now`` and their like are time-machine's: see ``wall_clock``.
    Patch(time, "monotonic", clocks.clock(clocks.monotonic_s)),
    Patch(time, "monotonic_ns", clocks.clock(clocks.monotonic_s, per_second=NS)),
    Patch(time, "perf_counter", clocks.clock(clocks.monotonic_s, measures=True)),
    Patch(time, "perf_counter_ns", clocks.clock(clocks.monotonic_s, per_second=NS, measures=True)),
    Patch(time, "process_time", clocks.clock(clocks.cpu_s, measures=True)),
    Patch(time, "process_time_ns", clocks.clock(clocks.cpu_s, per_second=NS, measures=True)),
    Patch(time, "thread_time", clocks.clock(clocks.cpu_s, measures=True)),
    Patch(time, "thread_time_ns", clocks.clock(clocks.cpu_s, per_second=NS, measures=True)),
    Patch(time, "clock_gettime", clocks.by_clock_id()),
    Patch(time, "clock_gettime_ns", clocks.by_clock_id(NS)),
    Patch(time, "ctime", clocks.of_this_moment(wall_clock.wall_s)),
    Patch(time, "asctime", clocks.of_this_moment(lambda _: time.localtime())),
)
_CHANCE = (
    Patch(os, "urandom", chance.random_bytes),
    Patch(os, "getrandom", chance.random_bytes),
    Patch(random, "_urandom", chance.random_bytes),  # SystemRandom and secrets
    Patch("ssl", "RAND_bytes", chance.random_bytes),
    Patch(random.Random, "seed", chance.seed),
    Patch(uuid, "getnode", chance.node),
)
_LOOKUPS = (
    Patch(socket, "getaddrinfo", lookups.getaddrinfo),
    Patch(socket, "gethostbyaddr", lookups.gethostbyaddr),
    Patch(socket, "gethostbyname", lookups.gethostbyname),
    Patch(socket, "gethostbyname_ex", lookups.gethostbyname_ex),
    Patch(socket, "getnameinfo", lookups.getnameinfo),
)
_THREADS = (
    Patch(trio_threads, "start_thread_soon", workers.inline),
    Patch(
        trio_threads,
        "_send_message_to_trio",
        reported("trio.from_thread (its worker thread runs inline here)"),
    ),
    Patch(time, "sleep", workers.sleep),
    Patch(threading.Thread, "start", reported("a real thread")),
    Patch(threading.Thread, "join", blocking.join_thread),
    Patch(_thread, "start_new_thread", reported("a real thread")),
)
_WAITS = (
    Patch(threading.Condition, "wait", blocking.condition_wait),
    Patch(threading, "Lock", blocking.lock_class),
    Patch(threading, "RLock", blocking.lock_class),
    Patch(queue, "SimpleQueue", blocking.simple_queue_class),
    Patch(builtins, "input", blocking.prompt),
    Patch("fcntl", "flock", blocking.file_lock),
    Patch("fcntl", "lockf", blocking.file_lock),
    Patch(os, "waitpid", blocking.child_wait),
    Patch(os, "wait3", blocking.child_wait),
    Patch(os, "wait4", blocking.child_wait),
    Patch(os, "wait", reported("waiting for any child, which blocks the whole world,")),
    Patch(os, "waitid", blocking.child_wait_by_id),
    Patch(signal, "pause", _SIGNAL),
    Patch(signal, "sigwait", _SIGNAL),
    Patch(signal, "sigwaitinfo", _SIGNAL),
    Patch(signal, "sigtimedwait", _SIGNAL),
)
_DESCRIPTORS = (
    Patch(os, "read", descriptors.read),
    Patch(select, "select", descriptors.select_call),
    Patch(select, "poll", descriptors.poller),
    Patch(select, "epoll", descriptors.poller),
    Patch(select, "devpoll", descriptors.poller),
    Patch(select, "kqueue", descriptors.poller),
    Patch("selectors:SelectSelector", "select", descriptors.selector_select),
    Patch("selectors:PollSelector", "select", descriptors.selector_select),
    Patch("selectors:EpollSelector", "select", descriptors.selector_select),
    Patch("selectors:KqueueSelector", "select", descriptors.selector_select),
    Patch(_IO_MANAGER, "wait_readable", descriptors.wait_for("readable")),
    Patch(_IO_MANAGER, "wait_writable", descriptors.wait_for("writable")),
)
_PROCESSES = (
    Patch(subprocess.Popen, "_execute_child", _PROCESS),
    Patch(os, "system", _PROCESS),
    Patch(os, "fork", _PROCESS),
    Patch(os, "forkpty", _PROCESS),
    Patch(os, "posix_spawn", _PROCESS),
    Patch(os, "posix_spawnp", _PROCESS),
)
_ASYNCIO = (
    Patch(
        "asyncio.base_events:BaseEventLoop",
        "run_forever",
        reported("an event loop of asyncio (asyncio.run, run_until_complete)"),
    ),
    Patch(
        "asyncio.runners:Runner", "_lazy_init", reported("an event loop of asyncio (asyncio.run)")
    ),
)

# All that is patched while a world is open.
_PATCHES: tuple[Patch, ...] = (
    *_CLOCKS,
    *_CHANCE,
    *_LOOKUPS,
    *_THREADS,
    *_WAITS,
    *_DESCRIPTORS,
    *_PROCESSES,
    *stand_in_sockets.PATCHES,  # the sockets of the standard library are the world's
    *_ASYNCIO,
)


class _InModule(NamedTuple):
    """The patches of one module, by name: put in force, and taken back, at one stroke."""

    namespace: dict[str, Any]
    real: dict[str, Any]
    answers: dict[str, Any]


class _InClass(NamedTuple):
    """A patch of a class. ``own``: the class has the attribute itself, and not from a base."""

    owner: type[Any]
    name: str
    real: Any
    answer: Any
    own: bool


_lock = threading.Lock()
_open = 0
_modules: list[_InModule] = []
_classes: list[_InClass] = []
_modules_seen = 0
_known: dict[tuple[int, str], tuple[Any, Any]] = {}
_early = EarlyBindings()


def enter(answers: Answers) -> None:
    """Answer and report for a world in this thread from now on.

    PlanError where something else has replaced the calendar; nothing is in force then.
    """
    global _open
    with _lock:
        if _open == 0:
            _patch_all()
        _open += 1
    here.answers = answers


def leave() -> None:
    """Stop answering in this thread; the last one out restores everything."""
    global _open
    here.answers = None
    with _lock:
        _open -= 1
        if _open == 0:
            _restore_all()


def patches_in_place() -> int:
    """How many patches are in force in this process."""
    return len(_PATCHES) if _open else 0


def _patch_all() -> None:
    global _modules_seen
    _know_the_platform()
    if len(sys.modules) != _modules_seen or not _still_real():
        _prepare()
        _modules_seen = len(sys.modules)
    _early.look_through_new_modules()
    wall_clock.start()
    for namespace, _, answers in _modules:
        namespace.update(answers)
    for owner, name, _, answer, _ in _classes:
        setattr(owner, name, answer)
    _early.put_in_force()


def _restore_all() -> None:
    _early.take_back()
    for owner, name, real, _, own in _classes:
        if own:
            setattr(owner, name, real)
        else:
            delattr(owner, name)
    for namespace, real, _ in _modules:
        namespace.update(real)
    wall_clock.stop()


def _still_real() -> bool:
    """Whether what the prepared patches replace is what stands there now."""
    for namespace, real, _ in _modules:
        if not real.items() <= namespace.items():
            return False
    for owner, name, real, _, _ in _classes:  # noqa: SIM110  # a generator costs 2 µs a world
        if getattr(owner, name) is not real:
            return False
    return True


def _prepare() -> None:
    """Sort the patches whose owner is here by owner, each with what it replaces."""
    _classes.clear()
    _modules.clear()
    of_module: dict[int, _InModule] = {}
    for (owner, name), wraps in _by_place().items():
        real = getattr(owner, name, None)
        if real is None:
            continue
        answer = _wrapped(owner, name, wraps, real)
        if isinstance(owner, type):
            _classes.append(_InClass(owner, name, real, answer, name in vars(owner)))
            continue
        patched = of_module.setdefault(id(owner), _InModule(vars(owner), {}, {}))
        patched.real[name], patched.answers[name] = real, answer
    _modules.extend(of_module.values())
    # What a class has is found through the class; a function may be bound by its name anywhere.
    _early.know(
        {
            id(real): each.answers[name]
            for each in _modules
            for name, real in each.real.items()
            if each.namespace is not vars(trio_threads)
        }
    )


def _by_place() -> dict[tuple[Any, str], list[Wrap]]:
    """The wraps of each place whose owner is here: a later one is asked first."""
    wraps: dict[tuple[Any, str], list[Wrap]] = {}
    for owner, name, wrap in _PATCHES:
        found = _named(owner) if isinstance(owner, str) else owner
        wraps.setdefault((found, name), []).append(wrap)
    return wraps


def _wrapped(owner: Any, name: str, wraps: list[Wrap], real: Any) -> Any:
    """What takes the place of ``real``: the same as long as that is the same."""
    known = _known.get((id(owner), name))
    if known is None or known[0] is not real:
        answer = real
        for wrap in wraps:
            answer = wrap(answer)
        if not isinstance(owner, type):
            answer = stand_in(real, answer)
        known = _known[id(owner), name] = (real, answer)
    return known[1]


def _named(owner: str) -> Any:
    """The module or class of that name; None if it is not imported yet."""
    module, _, name = owner.partition(":")
    found = sys.modules.get(module)
    return getattr(found, name, None) if name else found


@cache
def _know_the_platform() -> None:
    """Ask for the processor once: the standard library runs a process for it, and caches it.

    SDKs name the platform in a header of their first request.
    """
    platform.platform()
    platform.processor()
