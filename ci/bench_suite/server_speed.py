"""CPU of the chaos server per request and per chunk, in its own process, and how soon it is ready.

One raw client asks all servers in turns, over several connections that are kept alive. The turns
are short and their order changes, so that all servers meet the same load of the machine; a ratio
is the median over the turns. What the client costs is not counted.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from metric import Metric
from parts import Skipped
from server.driver import Server, chat_request, drive, on_one_core, started

__all__ = ["chat_metrics", "many_clients_metrics", "start_metrics", "stream_metrics"]

TURNS = 31
REQUESTS = 600  # of one turn, to each server
STREAM_TURNS = 15
STREAMS = 150  # of one turn
WORDS = 20  # of a streamed answer, one event each
LONG_TURNS = 7
LONG_STREAMS = 60
LONG_WORDS = 500
STARTS = 5
# The slowest answer of the preset takes 50 ms; whoever waits for more is left.
GIVE_UP_S = 0.25
# Some connections of the preset's wait or are new at any time: with as few as 8, most passes of
# the server's loop would find one request, and it is the loop that would be measured.
MANY = 32

FLOOR_RATIO_MAX = 2.2
STARLETTE_RATIO_MAX = 1.0
EXTREME_RATIO_MAX = 1.5
STREAM_RATIO_MAX = 1.5
CHUNK_US_MAX = 12.0
READY_MS_MAX = 250.0

_NEVER_COMPILED = "PYTHONDONTWRITEBYTECODE"
_NEEDED_BY_STARLETTE = ("starlette", "uvicorn", "uvloop")


def _asking(text: str, *, stream: bool = False) -> bytes:
    asked = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return chat_request(json.dumps(asked | ({"stream": True} if stream else {})).encode())


QUESTION = _asking("hello number 17")
STREAM_QUESTION = _asking(" ".join(["word"] * WORDS), stream=True)
LONG_QUESTION = _asking(" ".join(["word"] * LONG_WORDS), stream=True)


def chat_metrics() -> Iterator[Metric | Skipped]:
    """A chat answer, over 8 connections, against the floor and against Starlette."""
    missing = [name for name in _NEEDED_BY_STARLETTE if importlib.util.find_spec(name) is None]
    with ExitStack() as stack:
        stack.enter_context(on_one_core())
        servers = [stack.enter_context(started(name)) for name in ("chaos", "floor")]
        if not missing:
            servers.append(stack.enter_context(started("starlette_app")))
        turns = _turns(servers)
    yield turns.ratio("chat answer, times the floor", 0, 1, FLOOR_RATIO_MAX)
    name = "chat answer, times Starlette"
    if missing:
        yield Skipped(name=name, reason=f"not installed: {', '.join(missing)}")
    else:
        yield turns.ratio(name, 0, 2, STARLETTE_RATIO_MAX)


def many_clients_metrics() -> Iterator[Metric]:
    """The same over 32 connections, and our own extreme."""
    with ExitStack() as stack:
        stack.enter_context(on_one_core())
        silent, floor = (stack.enter_context(started(name)) for name in ("chaos", "floor"))
        turns = _turns([silent, floor], connections=MANY)
        # Apart from the floor: resets and time-outs beside it make any server's requests cheaper.
        extreme = stack.enter_context(started("chaos", "stress_extreme"))
        extreme_turns = _turns([silent, extreme], connections=MANY)
    yield turns.ratio(f"chat answer, {MANY} clients, times the floor", 0, 1, FLOOR_RATIO_MAX)
    yield extreme_turns.ratio("stress_extreme, times no fault", 1, 0, EXTREME_RATIO_MAX)


def stream_metrics() -> Iterator[Metric]:
    """A short streamed answer against the floor's, and a chunk of a long one."""
    with ExitStack() as stack:
        stack.enter_context(on_one_core())
        silent, floor = (stack.enter_context(started(name)) for name in ("chaos", "floor"))
        turns = _turns([silent, floor], STREAM_QUESTION, requests=STREAMS, times=STREAM_TURNS)
        chunk_us = statistics.median([_chunk_us(silent) for _ in range(LONG_TURNS)])
    name = f"streamed answer of {WORDS} words, times the floor"
    yield turns.ratio(name, 0, 1, STREAM_RATIO_MAX)
    yield _at_most("chunk of a streamed chat answer", chunk_us, CHUNK_US_MAX, "us")


def start_metrics() -> Iterator[Metric]:
    """How long a user waits for ``chaoscheck serve``."""
    _serve_ready_ms()  # it compiles what an installed package has compiled
    pairs = [(_serve_ready_ms(), _bare_ms()) for _ in range(STARTS)]
    above_ms = statistics.median([ready_ms - bare_ms for ready_ms, bare_ms in pairs])
    yield _at_most("serve ready, above a bare interpreter", above_ms, READY_MS_MAX, "ms")


@dataclass(frozen=True, slots=True)
class Turns:
    """Microseconds per request: one row a turn, one column a server."""

    rows: Sequence[Sequence[float]]

    def ratio(self, name: str, which: int, base: int, target: float) -> Metric:
        """How many times as much ``which`` costs as ``base``: the median over the turns."""
        ratios = [row[which] / row[base] for row in self.rows]
        note = f"medians: {self._typical(which):.1f} us, {self._typical(base):.1f} us"
        return _at_most(name, statistics.median(ratios), target, "x", note)

    def _typical(self, which: int) -> float:
        return statistics.median([row[which] for row in self.rows])


def _turns(
    servers: Sequence[Server],
    request: bytes = QUESTION,
    *,
    connections: int = 8,
    requests: int = REQUESTS,
    times: int = TURNS,
) -> Turns:
    """So many turns, each of so many requests to every server; every other turn runs backwards."""
    load = partial(drive, request=request, give_up_s=GIVE_UP_S, connections=connections)
    for server in servers:  # what is cached on first use is cached now
        load(server, times=requests)
    rows = []
    for turn in range(times):
        order = range(len(servers)) if turn % 2 == 0 else range(len(servers) - 1, -1, -1)
        took_us = {which: load(servers[which], times=requests).us_per_request for which in order}
        rows.append([took_us[which] for which in range(len(servers))])
    return Turns(rows)


def _chunk_us(server: Server) -> float:
    run = drive(server, LONG_QUESTION, LONG_STREAMS, connections=4)
    if run.whole < LONG_STREAMS:
        raise RuntimeError(f"{run.broken} of {LONG_STREAMS} streams broke off")
    return run.us_per_request / LONG_WORDS


def _serve_ready_ms() -> float:
    """From spawn to the line that says the server can be asked."""
    began_s = time.monotonic()
    command = [sys.executable, "-m", "chaoscheck", "serve", "--json"]
    environment = {name: it for name, it in os.environ.items() if name != _NEVER_COMPILED}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as serving:
        assert serving.stdout is not None
        line = serving.stdout.readline()
        ready_s = time.monotonic()
        serving.terminate()
    if not line.startswith(b"{"):
        raise RuntimeError(f"{command!r} printed {line!r}")
    return (ready_s - began_s) * 1e3


def _bare_ms() -> float:
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.monotonic() - began_s) * 1e3


def _at_most(name: str, value: float, target: float, unit: str, note: str = "") -> Metric:
    return Metric(name=name, value=value, unit=unit, target=target, at_least=False, note=note)
