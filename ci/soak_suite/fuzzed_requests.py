"""Fuzzed requests over TCP to ``chaoscheck serve``: it lives, answers soon and does not grow."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time  # noqa: TID251 (it judges a real process)
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from chaoscheck.plan.documents.plan_document import plan_to_document
from chaoscheck.wire.request_codec import Limits
from tests.unit.server.fuzzing.fuzzer import MODES
from tests.unit.server.fuzzing.requests import TOKEN, request_bytes

__all__ = ["Soaked", "soak"]

_LATE_S = 1.0  # a request that is not answered by then hangs, unless a fault stalls it
_PATIENCE_S = 0.02  # without a byte, after which a client of a server with faults leaves
_STOP_MAX_S = 2.0
_GROWTH_MAX = 0.05  # of the memory after the first quarter
_MEMORY_FROM = 100_000  # requests
_LARGEST = 6  # requests; the server keeps one of them, as it holds its text and its answer
_LARGE_FROM = 256 * 1024  # bytes
_RSS_MAX = 256 * 2**20  # bytes: bodies under way have 64 MiB, and each of four shelves 32 MiB
_LARGE_BYTES = Limits().body_bytes * 7 // 8
_PATIENT_S = 10.0  # for their answers
_TURN = 25  # requests of a mode; its plan is put each time, since a request may put another


@dataclass(slots=True)
class Soaked:
    """What was wrong, and the worst figures."""

    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    growth: float = 0.0
    stopped_s: float = 0.0


def soak(seed: int, requests: int, progress: Callable[[int, int], None]) -> Soaked:
    """Send so many requests to one server, which changes its mode every 25 requests.

    ``progress`` is told (done, of). Memory is judged from 100 000 requests on: by a quarter of
    them the ledger's ring and the counts of attempts are full. What the server keeps of responses
    is filled before, by large bodies. A rare large request leaves the allocator's memory at a new
    high, whenever it comes: what it takes, until five requests later, is no growth, and is bounded
    by the memory that the server may take in all.
    """
    soaked = Soaked()
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger.sqlite"
        with _serving(ledger, soaked) as (process, port):
            _send_all(process, port, seed, requests, soaked, progress)
        soaked.wrong += _booked_wrong(ledger)
    return soaked


def _send_all(
    process: subprocess.Popen[str],
    port: int,
    seed: int,
    requests: int,
    soaked: Soaked,
    progress: Callable[[int, int], None],
) -> None:
    memory = psutil.Process(process.pid).memory_info
    plans = [json.dumps(plan_to_document(mode.plan)) for mode in MODES]
    for _ in range(_LARGEST):
        _ask(port, _large(), _PATIENT_S)
    settled = by_large = 0
    large_until = -1
    for number in range(requests):
        turn = number // _TURN % len(MODES)
        if number % _TURN == 0:
            _ask(port, _putting(plans[turn]), _LATE_S)
        request = request_bytes(seed, number)
        if len(request) >= _LARGE_FROM:
            large_until = number + 5
        before = memory().rss if number <= large_until else 0
        began_s = time.monotonic()
        _ask(port, request, _PATIENCE_S if MODES[turn].plan.rates else _LATE_S)
        took_s = time.monotonic() - began_s
        soaked.slowest_s = max(soaked.slowest_s, took_s)
        if took_s >= _LATE_S:
            soaked.wrong.append(f"request {number} in mode {MODES[turn].name} took {took_s:.1f} s")
        if process.poll() is not None:
            soaked.wrong.append(f"exit {process.returncode} at request {number}")
            return
        if number <= large_until:
            by_large += memory().rss - before
        if number == requests // 4:
            settled, by_large = memory().rss, 0
        progress(number + 1, requests)
    ended = memory().rss
    soaked.growth = (ended - by_large) / settled - 1
    if ended > _RSS_MAX:
        soaked.wrong.append(f"memory of {ended / 2**20:.0f} MiB, at most {_RSS_MAX / 2**20:.0f}")
    if soaked.growth > _GROWTH_MAX and requests >= _MEMORY_FROM:
        soaked.wrong.append(f"memory grew by {soaked.growth:.1%}")


@contextlib.contextmanager
def _serving(ledger: Path, soaked: Soaked) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "chaoscheck", "serve", "--json", "--admin-token", TOKEN]
    command += ["--ledger", str(ledger)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        try:
            yield process, urlsplit(ready["url"]).port or 0
        finally:
            began_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
            took_s = time.monotonic() - began_s
            soaked.stopped_s = max(soaked.stopped_s, took_s)
            if code != 0 or took_s > _STOP_MAX_S:
                soaked.wrong.append(f"SIGTERM took {took_s:.1f} s, exit {code}")


def _ask(port: int, data: bytes, patience_s: float) -> None:
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=_LATE_S) as stream,
    ):
        stream.settimeout(patience_s)
        stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)
        while stream.recv(1 << 16):
            pass


def _large() -> bytes:
    said = "word " * (_LARGE_BYTES // 5)
    body = json.dumps({"model": "m", "input": said})
    head = f"POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def _putting(plan: str) -> bytes:
    return (
        f"PUT /_chaoscheck/plan HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
        f"content-length: {len(plan)}\r\n\r\n{plan}"
    ).encode()


def _booked_wrong(path: Path) -> list[str]:
    wrong = (
        "SELECT number, method, path, status, error FROM exchanges"
        " WHERE error IS NOT NULL OR (status >= 500 AND fault IS NULL) LIMIT 20"
    )
    with contextlib.closing(sqlite3.connect(path)) as database:
        rows: list[tuple[Any, ...]] = database.execute(wrong).fetchall()
    return [" ".join(map(str, row)) for row in rows]
