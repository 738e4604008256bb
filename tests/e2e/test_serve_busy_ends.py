"""SIGTERM ends ``chaoscheck serve`` within 2 s, whatever it is busy with, and the books are closed.

Each test runs a real process on the wall clock, a second and a half for each: what is under way is
given a second.
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.test_serve import END_MAX_S, QUESTION, Serving, rows, serving

_IDLE = 800  # connections; with what the process has itself below the usual limit of 1024
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


def _in_flight(server: Serving) -> int:
    status, body = server.send("/_chaoscheck/stats", token=server.ready["token"])
    assert status == 200
    found: int = json.loads(body)["in_flight"]
    return found


def _ends(server: Serving) -> int:
    """The exit code of a server that is told to end; TimeoutExpired after 2 s."""
    server.process.send_signal(signal.SIGTERM)
    return server.process.wait(END_MAX_S)


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
            looks = 0
            while looks < 200 and _in_flight(server) < len(streams):
                looks += 1
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


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")
def test_a_server_without_descriptors_keeps_its_admin_port_and_ends_in_time() -> None:
    """It says so once, steers by the admin port, serves again once there is room, and ends."""
    with serving("--json") as server:
        assert 200 == server.ask()
        held = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
        limit = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (held + 10, limit[1]))
        admin = server.ready["admin_url"] + "stats"
        with _asking(server, b"", times=30):
            by_admin = [_status(server, admin) for _ in range(3)]
        after = server.ask()
        with _asking(server, b"", times=30):
            code = _ends(server)
        assert server.process.stderr is not None
        said = server.process.stderr.read()

    assert ([200, 200, 200], 200, 0) == (by_admin, after, code)
    assert 1 == said.count("cannot accept connections: Too many open files")


def _status(server: Serving, admin_url: str) -> int:
    path = "/" + admin_url.removeprefix("http://").partition("/")[2]
    head = f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    with _connected(server, "admin_url") as client:
        client.sendall(f"{head}x-chaos-token: {server.ready['token']}\r\n\r\n".encode())
        return int(client.recv(65_536).split()[1])
