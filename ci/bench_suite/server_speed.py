"""CPU of the chaos server per request and per chunk, in its own process, and how soon it is ready.

One raw client asks all servers in turns, over several connections that are kept alive; a figure
is the median of rounds. What the client costs is not counted.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from metric import Metric
from server.driver import Server, chat_request, drive, on_one_core, started

__all__ = ["server_metrics"]

ROUNDS = 7
REQUESTS = 3000  # of one round, to each server
STREAMS = 60
CHUNKS = 500  # with text, of each stream
STARTS = 5
# The slowest answer of the preset takes 50 ms; whoever waits for more is left.
GIVE_UP_S = 0.25
# Some connections of the preset's wait or are new at any time: with as few as 8, most passes of
# the server's loop would find one request, and it is the loop that would be measured.
MANY = 32

FLOOR_RATIO_MAX = 2.2
STARLETTE_RATIO_MAX = 1.0
EXTREME_RATIO_MAX = 1.5
CHUNK_US_MAX = 12.0
READY_MS_MAX = 250.0

_NEEDED_BY_STARLETTE = ("starlette", "uvicorn", "uvloop")
_NEVER = 1e9  # a ratio that no target allows: there was nothing to compare with


def _asking(text: str, *, stream: bool = False) -> bytes:
    asked = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return chat_request(json.dumps(asked | ({"stream": True} if stream else {})).encode())


QUESTION = _asking("hello number 17")
LONG_QUESTION = _asking(" ".join(["word"] * CHUNKS), stream=True)


def server_metrics() -> Iterator[Metric]:
    """Against the floor, Starlette and our own extreme; a chunk of a stream; the start."""
    missing = [name for name in _NEEDED_BY_STARLETTE if importlib.util.find_spec(name) is None]
    with ExitStack() as stack:
        stack.enter_context(on_one_core())
        silent = stack.enter_context(started("chaos"))
        servers = [silent, stack.enter_context(started("floor"))]
        if not missing:
            servers.append(stack.enter_context(started("starlette_app")))
        rounds = _rounds(servers)
        chunk_us = statistics.median([_chunk_us(silent) for _ in range(ROUNDS)])
        # Apart from the others: resets and time-outs beside it make any server's requests cheaper.
        extreme = stack.enter_context(started("chaos", "stress_extreme"))
        extreme_rounds = _rounds([silent, extreme], connections=MANY)
    us = _typical(rounds, 0)
    yield _ratio(f"chat answer ({us}), times the floor", rounds, 0, 1, FLOOR_RATIO_MAX)
    if missing:
        name = f"chat answer, times Starlette (NOT INSTALLED: {', '.join(missing)})"
        yield _at_most(name, _NEVER, STARLETTE_RATIO_MAX)
    else:
        yield _ratio(f"chat answer ({us}), times Starlette", rounds, 0, 2, STARLETTE_RATIO_MAX)
    us = _typical(extreme_rounds, 1)
    yield _ratio(f"stress_extreme ({us}), times no fault", extreme_rounds, 1, 0, EXTREME_RATIO_MAX)
    yield _at_most("chunk of a streamed chat answer", chunk_us, CHUNK_US_MAX, "us")
    yield _at_most("serve ready, above a bare interpreter", _ready_ms(), READY_MS_MAX, "ms")


def _rounds(servers: list[Server], connections: int = 8) -> list[list[float]]:
    """Microseconds per request of each server, round by round."""
    load = partial(drive, request=QUESTION, give_up_s=GIVE_UP_S, connections=connections)
    for server in servers:  # what is cached on first use is cached now
        load(server, times=REQUESTS // 5)
    return [[load(each, times=REQUESTS).us_per_request for each in servers] for _ in range(ROUNDS)]


def _typical(rounds: list[list[float]], which: int) -> str:
    return f"{statistics.median([row[which] for row in rounds]):.0f} us"


def _ratio(name: str, rounds: list[list[float]], which: int, base: int, target: float) -> Metric:
    """How many times as much ``which`` costs as ``base``: the median over the rounds."""
    shown = f"{name} ({_typical(rounds, base)})"
    return _at_most(shown, statistics.median([row[which] / row[base] for row in rounds]), target)


def _chunk_us(server: Server) -> float:
    run = drive(server, LONG_QUESTION, STREAMS, connections=4)
    if run.whole < STREAMS:
        raise RuntimeError(f"{run.broken} of {STREAMS} streams broke off")
    return run.us_per_request / CHUNKS


def _ready_ms() -> float:
    rounds = [(_serve_ready_ms(), _bare_ms()) for _ in range(STARTS)]
    return statistics.median([ready_ms - bare_ms for ready_ms, bare_ms in rounds])


def _serve_ready_ms() -> float:
    """From spawn to the line that says the server can be asked."""
    began_s = time.monotonic()
    command = [sys.executable, "-m", "chaoscheck", "serve", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as serving:
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


def _at_most(name: str, value: float, target: float, unit: str = "x") -> Metric:
    return Metric(name=name, value=value, unit=unit, target=target, at_least=False)
