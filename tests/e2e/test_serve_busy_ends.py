"""SIGTERM ends ``chaoscheck serve`` within 2 s, whatever it is busy with, and the books are closed.

Each test runs a real process on the wall clock, a second and a half for each: what is under way is
given 0.75 s.
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time  # noqa: TID251 (it judges a real process)
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.test_serve import END_MAX_S, QUESTION, Serving, rows, serving

_IDLE = 1_000  # connections
_DESCRIPTORS = 4_096  # of this process and of the server
_HALF = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n" + b"x" * 999
)


def _connected(server: Serving, key: str = "url") -> socket.socket:
    host, _, port = server.ready[key].removeprefix("http://").partition("/")[0].partition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def _posted(path: str, body: object) -> bytes:
    text = json.dumps(body).encode()
    return b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (
        path.encode(),
        len(text),
        text,
    )


@contextlib.contextmanager
def _asking(server: Serving, *requests: bytes, times: int = 1) -> Iterator[list[socket.socket]]:
    """Connections, each with one of these requests sent and nothing read."""
    with ExitStack() as stack:
        clients = []
        for request in requests * times:
            clients.append(stack.enter_context(_connected(server)))
            clients[-1].sendall(request)
        yield clients


@pytest.fixture
def descriptors() -> Iterator[None]:
    """More descriptors than the 1 024 that a process usually has, for the test and its server."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(usual[0], _DESCRIPTORS)
    most = wanted if usual[1] == resource.RLIM_INFINITY else min(wanted, usual[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, usual[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, usual)


def _in_flight(server: Serving) -> int:
    status, body = server.send("/_chaoscheck/stats", token=server.ready["token"])
    assert status == 200
    found: int = json.loads(body)["in_flight"]
    return found


def _ends(server: Serving) -> int:
    """The exit code of a server that is told to end, within 2 s of its own.

    What it waits for a processor meanwhile, on a machine that is busy with more, does not count.
    """
    process = server.process
    waited_before_s = _waited_for_a_processor_s(process.pid)
    began_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    waited_s = 0.0
    while process.poll() is None:
        waited_s = max(waited_s, _waited_for_a_processor_s(process.pid) - waited_before_s)
        assert time.monotonic() - began_s - waited_s <= END_MAX_S
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    assert process.returncode is not None
    return process.returncode


def _waited_for_a_processor_s(pid: int) -> float:
    """How long its main thread was runnable and did not run; 0 where no kernel tells."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _until_in_flight(server: Serving, requests: int) -> None:
    looks = 0
    while looks < 500 and _in_flight(server) < requests:
        looks += 1


@pytest.mark.usefixtures("descriptors")
def test_connections_that_are_idle_half_sent_stalled_and_slow_do_not_hold_up_the_end(
    tmp_path: Path,
) -> None:
    """All at once, and a row for each request that was under way."""
    ledger = tmp_path / "ledger.db"
    options = ("--between-tokens", "60", "--fault", "stall_before_headers=0.5")
    with serving("--json", "--seed", "1", *options, "--ledger", str(ledger)) as server:
        asked = {"model": "m", "messages": [{"role": "user", "content": "one two"}], "stream": True}
        streams = [_posted("/v1/chat/completions", {**asked, "seed": n}) for n in range(40)]
        with (
            _asking(server, b"", times=_IDLE),
            _asking(server, _HALF, times=40),
            _asking(server, *streams),
        ):
            _until_in_flight(server, len(streams))
            assert 0 == _ends(server)

    assert rows(ledger) >= len(streams)


def test_answers_that_take_all_the_time_do_not_hold_up_the_end(tmp_path: Path) -> None:
    """Templates at their budget, the largest embeddings and long prompts as streams."""
    plan = tmp_path / "plan.json"
    replies = {"mode": "template", "template": "{% for a in range(9999) %}{{ a }}{% endfor %}"}
    plan.write_text(json.dumps({"replies": replies}), encoding="utf-8")
    embeddings = {"model": "m", "input": ["x"] * 2048, "dimensions": 3072}
    long = {
        "model": "m",
        "stream": True,
        "messages": [{"role": "user", "content": "a b " * 50_000}],
    }
    requests = [
        _posted("/v1/chat/completions", {**QUESTION, "stream": True}),
        _posted("/v1/embeddings", embeddings),
        _posted("/v1/chat/completions", long),
    ]
    with (
        serving("--json", "--plan", str(plan)) as server,
        _asking(server, *requests, times=8),
    ):
        assert 0 == _ends(server)


def test_a_ledger_that_another_program_locks_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """What could not be written is said, and costs the exit code."""
    ledger = tmp_path / "ledger.db"
    with serving("--json", "--fault", "stall_mid_body=1", "--ledger", str(ledger)) as server:
        with contextlib.closing(sqlite3.connect(ledger, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with _asking(server, _posted("/v1/chat/completions", QUESTION), times=3):
                _until_in_flight(server, 3)
                assert 1 == _ends(server)
        assert server.process.stderr is not None
        assert "Error: ledger file 'ledger.db'" in server.process.stderr.read()


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")
def test_a_server_without_descriptors_keeps_its_admin_port_and_ends_in_time() -> None:
    """It says so once, steers by the admin port, serves again once there is room, and ends."""
    with serving("--json") as server:
        assert 200 == server.ask()
        held = _held(server)
        limit = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (held + 10, limit[1]))
        admin = server.ready["admin_url"] + "stats"
        with _asking(server, b"", times=30):
            by_admin: list[int] = []
            while len(by_admin) < 500 and (len(by_admin) < 3 or _held(server) < held + 10):
                by_admin.append(_status(server, admin))
        after = server.ask()
        with _asking(server, b"", times=30):
            code = _ends(server)
        assert server.process.stderr is not None
        said = server.process.stderr.read()

    assert ({200}, 200, 0) == (set(by_admin), after, code)
    assert 1 == said.count("cannot accept connections: Too many open files")


def _held(server: Serving) -> int:
    """How many descriptors the server has."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def _status(server: Serving, admin_url: str) -> int:
    path = "/" + admin_url.removeprefix("http://").partition("/")[2]
    head = f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    with _connected(server, "admin_url") as client:
        client.sendall(f"{head}x-chaos-token: {server.ready['token']}\r\n\r\n".encode())
        return int(client.recv(65_536).split()[1])
