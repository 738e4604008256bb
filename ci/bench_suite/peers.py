"""A chat answer of ours beside those of other fake servers, each without faults and on one core.

The others live in an environment of their own, ``.venv-peers``, which is made on first use; the
project never depends on them. What cannot be installed or started is skipped.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from metric import Metric
from parts import Skipped
from server.driver import Server, drive, on_one_core, started
from server_speed import QUESTION

__all__ = ["peer_metrics"]

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-peers"
INSTALL_S_MAX = 300.0
START_S_MAX = 30.0
POLL_S = 0.05
TURNS = 9
REQUESTS = 200  # of one turn, to each server
# A peer costs at least so many times what we do. An audit found a ninth to a fourteenth.
TIMES_MIN = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A package, the oldest Python that it runs on, and its command; ``{port}`` is filled in."""

    package: str
    python_min: tuple[int, int]
    command: tuple[str, ...]


PEERS = (
    Peer(
        package="errorworks",
        python_min=(3, 12),
        command=("chaosllm", "serve", "--port", "{port}"),
    ),
    Peer(
        package="llmock",
        python_min=(3, 11),
        command=("llmock", "serve", "--port", "{port}", "--log-level", "critical"),
    ),
)


class CannotRun(Exception):
    """This machine cannot install or start the peer; the text says why, in one line."""


def peer_metrics() -> Iterator[Metric | Skipped]:
    """How many times our CPU per chat answer each peer takes."""
    with on_one_core(), started("chaos") as ours:
        for peer in PEERS:
            yield _measured(peer, ours)


def _measured(peer: Peer, ours: Server) -> Metric | Skipped:
    name = f"chat answer of {peer.package}, times ours"
    try:
        with _running(peer) as theirs:
            return _compared(name, theirs, ours)
    except CannotRun as error:
        return Skipped(name=name, reason=str(error))


def _compared(name: str, theirs: Server, ours: Server) -> Metric:
    for server in (theirs, ours):  # what is cached on first use is cached now
        _us(server)
    pairs = [(_us(theirs), _us(ours)) for _ in range(TURNS)]
    peer_us, own_us = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Metric(
        name=name,
        value=statistics.median(peer / own for peer, own in pairs),
        unit="x",
        target=TIMES_MIN,
        at_least=True,
        note=f"medians: {peer_us:.1f} us, {own_us:.1f} us",
    )


def _us(server: Server) -> float:
    run = drive(server, QUESTION, REQUESTS)
    if run.whole < REQUESTS:
        raise RuntimeError(f"{run.broken} of {REQUESTS} requests were not answered")
    return run.us_per_request


class _PeerServer:
    """A peer's process and its children, as a Server."""

    def __init__(self, pid: int, port: int) -> None:
        process = psutil.Process(pid)
        self._processes = [process, *process.children(recursive=True)]
        self.port = port

    def cpu_s(self) -> float:
        times = [process.cpu_times() for process in self._processes]
        return float(sum(each.user + each.system for each in times))

    def rss_bytes(self) -> int:
        return sum(process.memory_info().rss for process in self._processes)


@contextmanager
def _running(peer: Peer) -> Iterator[Server]:
    """The peer's server, once it answers. CannotRun if it cannot be installed or started."""
    bin_folder = _installed(peer)
    port = _free_port()
    command = [part.format(port=port) for part in peer.command]
    process = subprocess.Popen(
        [str(bin_folder / command[0]), *command[1:]],
        cwd=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_listens(process, port)
        yield _PeerServer(process.pid, port)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(START_S_MAX)
        process.kill()
        process.wait()


def _installed(peer: Peer) -> Path:
    """The folder of the environment's programs, with the peer among them."""
    bin_folder = ENVIRONMENT / "bin"
    if (bin_folder / peer.command[0]).exists():
        return bin_folder
    if not (bin_folder / "python").exists():
        _done("venv", _newest_python(), "-m", "venv", str(ENVIRONMENT))
    asked = "import sys; print(*sys.version_info[:2])"
    version = _done("version", str(bin_folder / "python"), "-c", asked)
    if tuple(map(int, version.split())) < peer.python_min:
        needed = ".".join(map(str, peer.python_min))
        raise CannotRun(f"needs Python {needed}, this machine has none in ci/_python's places")
    pip = (str(bin_folder / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input")
    _done("pip", *pip, "install", "--quiet", peer.package)
    return bin_folder


def _newest_python() -> str:
    """The newest tested Python of this machine, as ``ci/_python`` finds it."""
    script = "source ci/_python; for v in 3.13 3.12 3.11; do interpreter $v; done"
    found = _done("interpreter", "bash", "-c", script).split()
    if not found:
        raise CannotRun("this machine has no Python from 3.11 to 3.13")
    return found[0]


def _done(what: str, *command: str) -> str:
    """What the command printed. CannotRun if it fails or takes too long."""
    try:
        run = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRun(f"{what}: {error}") from error
    if run.returncode:
        said = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
        raise CannotRun(f"{what}: {said[-1]}")
    return run.stdout


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    end_s = time.monotonic() + START_S_MAX
    while time.monotonic() < end_s:
        if process.poll() is not None:
            raise CannotRun(f"ended with {process.returncode} before it listened")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(POLL_S)
    raise CannotRun(f"did not listen within {START_S_MAX:g} s")
