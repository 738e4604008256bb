"""A cheap raw client: keeps connections busy, one request at a time each, and reads the answers.

It takes an answer for whole by its length or its last chunk. What does not come in time, breaks
off, or goes on beyond its end costs a new connection, as it would cost any client.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Protocol

__all__ = ["Drive", "Server", "chat_request", "drive", "on_one_core", "started"]

_SUITE = Path(__file__).parents[1]
_READ_BYTES = 256 * 1024
_HEADERS = (
    b"host: 127.0.0.1\r\naccept: */*\r\naccept-encoding: gzip, deflate\r\n"
    b"connection: keep-alive\r\nuser-agent: bench\r\nauthorization: Bearer sk-bench\r\n"
    b"content-type: application/json\r\n"
)

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = -1  # the answer has no length of its own
_LAST_CHUNK_BYTES = b"\r\n0\r\n\r\n"


class Server(Protocol):
    """A server process: where it listens and what it has cost so far."""

    @property
    def port(self) -> int: ...

    def cpu_s(self) -> float:
        """CPU seconds of the server's process."""

    def rss_bytes(self) -> int:
        """Memory of the server's process that is resident."""


class _Started:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._line())

    def cpu_s(self) -> float:
        return float(self._used()[0])

    def rss_bytes(self) -> int:
        return int(self._used()[1])

    def _used(self) -> list[str]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._line().split()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line


@contextmanager
def on_one_core() -> Iterator[None]:
    """Keep this process, and those that it starts meanwhile, on one core, where the system can.

    How many requests a server finds ready at once, and so what each costs, would otherwise depend
    on which cores it and its client happen to run on.
    """
    if sys.platform != "linux":
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def started(module: str, *arguments: str) -> Iterator[Server]:
    """``server.<module>`` in a process of its own, killed at the end. RuntimeError if it dies."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"server.{module}", *arguments],
        cwd=_SUITE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield _Started(process)
    finally:
        process.kill()
        process.communicate()


def chat_request(body: bytes) -> bytes:
    """A chat request with the headers that SDKs send."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\n" + _HEADERS
    return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


def drive(
    server: Server,
    request: bytes | Iterator[bytes],
    times: int,
    *,
    connections: int = 8,
    give_up_s: float = 5.0,
) -> Drive:
    """Send ``request`` so many times, until each is answered or given up.

    An iterator gives each request in turn; it must not end before.
    """
    requests = repeat(request) if isinstance(request, bytes) else request
    run = Drive(left=times)
    before_s = server.cpu_s()
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            _Line(server.port, requests, run, selector, give_up_s).next()
        while lines := selector.get_map():
            for key, _ in selector.select(give_up_s):
                key.data.read()
            now_s = time.monotonic()
            for key in [key for key in lines.values() if key.data.late(now_s)]:
                key.data.give_up()
    run.us_per_request = (server.cpu_s() - before_s) / times * 1e6
    return run


@dataclass(slots=True, kw_only=True)
class Drive:
    """What came of the requests, and microseconds of the server's CPU for each."""

    left: int
    whole: int = 0
    broken: int = 0
    us_per_request: float = 0.0


class _Line:
    """One connection and the request that it is busy with."""

    def __init__(
        self,
        port: int,
        requests: Iterator[bytes],
        run: Drive,
        selector: selectors.BaseSelector,
        give_up_s: float,
    ) -> None:
        self._port = port
        self._requests = requests
        self._run = run
        self._selector = selector
        self._give_up_s = give_up_s
        self._socket: socket.socket | None = None

    def next(self) -> None:
        """Send the next request, on a new connection where there is none."""
        while self._run.left > 0:
            self._run.left -= 1
            self._received = b""
            self._ends_at: int | None = None
            self._late_at_s = time.monotonic() + self._give_up_s
            try:
                self._open().sendall(next(self._requests))
            except OSError:  # Reset before it could ask: that was this request's fate.
                self._hang_up()
            else:
                return
        self._hang_up()

    def read(self) -> None:
        """Take what came; go on with the next request when the answer has ended."""
        assert self._socket is not None
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self.give_up()
            return
        self._received += data
        if self._ends_at is None:
            self._ends_at = _end_of(self._received)
        if self._ends_at == _LAST_CHUNK:
            self._received = self._received[-len(_LAST_CHUNK_BYTES) :]
            whole = self._received == _LAST_CHUNK_BYTES
        else:
            whole = self._ends_at is not None and len(self._received) >= self._ends_at
            if whole and len(self._received) != self._ends_at:
                self._hang_up()  # What follows belongs to no answer.
        if whole:
            self._run.whole += 1
            self.next()

    def late(self, now_s: float) -> bool:
        """Whether the answer takes longer than this client waits."""
        return now_s > self._late_at_s

    def give_up(self) -> None:
        """Leave this request and go on with the next one on a new connection."""
        self._run.broken += 1
        self._hang_up()
        self.next()

    def _open(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        return self._socket

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None


def _end_of(received: bytes) -> int | None:
    """Where the answer ends; None until its head is whole."""
    head, ended, _ = received.partition(b"\r\n\r\n")
    if not ended:
        return None
    length = _CONTENT_LENGTH.search(head)
    return _LAST_CHUNK if length is None else len(head) + 4 + int(length[1])
