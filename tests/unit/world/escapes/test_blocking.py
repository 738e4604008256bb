"""Waits that would block the world are reported with their line; others are legal."""

from __future__ import annotations

import asyncio
import builtins
import concurrent.futures
import fcntl
import os
import queue
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

import pytest
import trio

from chaoscheck.errors import Escape
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.virtual import VirtualWorld


def _held_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _poll_a_pipe(selector: selectors.BaseSelector) -> None:
    reading, writing = os.pipe()
    try:
        selector.register(reading, selectors.EVENT_READ)
        selector.select(0.05)
    finally:
        selector.close()
        os.close(reading)
        os.close(writing)


def _read_a_pipe() -> None:
    reading, writing = os.pipe()
    try:
        os.read(reading, 1)
    finally:
        os.close(reading)
        os.close(writing)


async def _nothing() -> None:
    """What asyncio would run."""


def _asyncio_run() -> None:
    coroutine = _nothing()
    try:
        asyncio.run(coroutine)
    finally:
        coroutine.close()


def _own_loop() -> None:
    loop = asyncio.SelectorEventLoop()  # trio-asyncio, once imported, refuses new_event_loop
    try:
        loop.run_forever()
    finally:
        loop.close()


def _barrier() -> None:
    threading.Barrier(2).wait(0.05)


def _locked_file(lock: Callable[[int, int], None]) -> None:
    """A file that another open descriptor (flock) or another process (lockf) has locked."""
    with tempfile.TemporaryFile() as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        with open(f"/dev/fd/{first.fileno()}", "rb") as second:
            lock(second.fileno(), fcntl.LOCK_EX)


BLOCKING: list[tuple[str, Callable[[], object]]] = [
    ("Event.wait", lambda: threading.Event().wait(0.05)),
    ("Condition.wait", lambda: _wait_for_notice(threading.Condition())),
    ("Semaphore.acquire", lambda: threading.Semaphore(0).acquire(timeout=0.05)),
    ("Barrier", _barrier),
    ("Queue.get", lambda: queue.Queue[int]().get(timeout=0.05)),
    ("Queue.put", lambda: _full_queue().put(1, timeout=0.05)),
    ("SimpleQueue.get", lambda: queue.SimpleQueue[int]().get(timeout=0.05)),
    ("Future.result", lambda: concurrent.futures.Future[int]().result(0.05)),
    ("lock", lambda: _held_lock().acquire(timeout=0.05)),
    ("lock", lambda: _held_lock().__enter__()),
    ("fcntl.flock", lambda: _locked_file(fcntl.flock)),
    ("waiting for any child", lambda: os.wait()),
    ("select.select", lambda: select.select([], [], [], 0.05)),
    ("poll.poll", lambda: select.poll().poll(50)),
    ("epoll.poll", lambda: select.epoll().poll(0.05)),
    ("EpollSelector.select", lambda: _poll_a_pipe(selectors.DefaultSelector())),
    ("PollSelector.select", lambda: _poll_a_pipe(selectors.PollSelector())),
    ("SelectSelector.select", lambda: _poll_a_pipe(selectors.SelectSelector())),
    ("os.read", _read_a_pipe),
    ("asyncio.run", _asyncio_run),
    ("event loop of asyncio", _own_loop),
    ("a real process", lambda: os.system("true")),
    ("a real process", lambda: os.fork()),
    ("waiting for a signal", lambda: signal.sigtimedwait([], 0.05)),
    (r"input\(\)", lambda: builtins.input()),
    ("a real thread", lambda: concurrent.futures.ThreadPoolExecutor(1).submit(print)),
    ("time.sleep", lambda: time.sleep(0.05)),
]


def _wait_for_notice(condition: threading.Condition) -> None:
    with condition:
        condition.wait(0.05)


def _full_queue() -> queue.Queue[int]:
    full = queue.Queue[int](1)
    full.put_nowait(0)
    return full


@pytest.mark.parametrize(("what", "block"), BLOCKING)
def test_a_wait_that_blocks_the_world_is_an_escape_with_its_line(
    what: str, block: Callable[[], object]
) -> None:
    """In a task, named by what its author called."""

    async def task() -> None:
        block()

    with pytest.raises(Escape, match=rf"{what}.*test_blocking\.py:\d+"), VirtualWorld() as world:
        world.run(task)


@pytest.mark.parametrize(("what", "block"), BLOCKING)
def test_sync_code_cannot_swallow_it_either(what: str, block: Callable[[], object]) -> None:
    """It is raised when the world closes, at the latest."""
    with pytest.raises(Escape, match=what), VirtualWorld():
        try:
            block()
        except Exception as error:
            del error


@pytest.mark.parametrize(
    ("what", "wait"),
    [
        ("os.waitpid", lambda pid: os.waitpid(pid, 0)),
        ("os.wait4", lambda pid: os.wait4(pid, 0)),
        ("os.waitid", lambda pid: os.waitid(os.P_PID, pid, os.WEXITED)),
    ],
)
def test_a_wait_for_a_child_is_an_escape_while_the_child_runs(
    what: str, wait: Callable[[int], object]
) -> None:
    """One that has ended is reaped, also in a world."""
    source = "input(); print('done', flush=True)"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", source], **pipes) as child:  # type: ignore[call-overload]
        with pytest.raises(Escape, match=rf"{what} for a child.*test_blocking"), VirtualWorld():
            wait(child.pid)
        child.communicate("\n")
        with VirtualWorld():
            with pytest.raises(ChildProcessError):
                wait(child.pid)
            assert child.wait() == 0


def test_a_child_that_has_ended_is_reaped_in_a_world() -> None:
    """As it is outside of one."""
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", "print(end='')"], {})
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)

    with VirtualWorld():
        assert os.waitpid(child, 0) == (child, 0)


@pytest.mark.parametrize("lock", [fcntl.flock, fcntl.lockf])
def test_a_free_file_is_locked_in_a_world(lock: Callable[[int, int], None]) -> None:
    """And freed."""
    with VirtualWorld(), tempfile.TemporaryFile() as file:
        lock(file.fileno(), fcntl.LOCK_EX)
        lock(file.fileno(), fcntl.LOCK_UN)


def test_what_need_not_wait_is_no_escape() -> None:
    """A set event, a free lock, an item that is there, a time-out of nothing."""
    with VirtualWorld():
        event = threading.Event()
        assert not event.wait(0)
        event.set()
        assert event.wait(1)
        lock, reentrant = threading.Lock(), threading.RLock()
        with lock, reentrant, reentrant:
            assert lock.locked()
            assert not lock.acquire(blocking=False)
        items, simple = queue.Queue[int](), queue.SimpleQueue[int]()
        items.put(1)
        simple.put(2)
        assert [1, 2] == [items.get(timeout=1), simple.get(timeout=1)]
        with pytest.raises(queue.Empty):
            simple.get_nowait()
        condition = threading.Condition()
        with condition:
            condition.notify_all()
        assert ([], [], []) == select.select([], [], [], 0)
        assert [] == select.poll().poll(0)


def test_a_pipe_that_holds_bytes_may_be_read() -> None:
    """Reading and polling are legal where nothing has to be waited for."""
    reading, writing = os.pipe()
    try:
        with VirtualWorld():
            os.write(writing, b"here")
            assert [reading] == select.select([reading], [], [], 5)[0]
            assert b"here" == os.read(reading, 9)
    finally:
        os.close(reading)
        os.close(writing)


def test_what_was_made_in_a_world_works_on_without_it() -> None:
    """A lock, a queue and an event outlive the world; threads use them then."""
    with VirtualWorld():
        lock, items, done = threading.Lock(), queue.SimpleQueue[int](), threading.Event()

    def work() -> None:
        with lock:
            items.put(1)
        done.set()

    with lock:
        thread = threading.Thread(target=work)
        thread.start()
    assert done.wait(10)
    assert 1 == items.get(timeout=10)
    thread.join()


def test_a_loopback_world_may_poll_real_descriptors() -> None:
    """It has real sockets: a pair of them and select are legal there."""
    with LoopbackWorld() as world:

        async def meet() -> bytes:
            one, other = socket.socketpair()
            with one, other:
                one.send(b"x")
                assert [other] == select.select([other], [], [], 1)[0]
                await trio.lowlevel.wait_readable(other)
                return other.recv(1)

        assert b"x" == world.run(meet)


# ---------------------------------------------------------------------------- descriptors


@pytest.mark.parametrize("way", ["wait_readable", "FdStream"])
def test_a_wait_for_a_real_descriptor_is_an_escape(way: str) -> None:
    """A virtual world polls nothing real: without this it would be called a deadlock."""
    reading, writing = os.pipe()

    async def wait() -> None:
        if way == "wait_readable":
            await trio.lowlevel.wait_readable(reading)
        else:
            await trio.lowlevel.FdStream(os.dup(reading)).receive_some(1)

    try:
        with (
            pytest.raises(Escape, match=r"file descriptor \d+ to become .*test_blocking\.py:\d+"),
            VirtualWorld() as world,
        ):
            world.run(wait)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_process_of_trios_names_the_line_that_ran_it() -> None:
    """And not one of the libraries that passed the call on."""

    async def run_it() -> None:
        await trio.run_process(["true"])

    async def run_it_in_a_task() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.run_process, ["true"])

    for way in (run_it, run_it_in_a_task):
        named = r"process.*called at .*test_blocking\.py"
        with pytest.raises(Escape, match=named), VirtualWorld() as world:
            world.run(way)
