"""The chaos server on a thread of its own, asked by clients of every kind."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from chaoscheck.errors import Escape, InternalError, PlanError, WorldError
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.threaded import ThreadedServer
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def server() -> Iterator[ThreadedServer]:
    """A silent server on its thread."""
    with ThreadedServer() as running:
        yield running


def ask(url: str, *, key: str = "", path: str = "/v1/chat/completions") -> int:
    """The status of one request."""
    headers = {"content-type": "application/json", **({"x-chaos-key": key} if key else {})}
    request = urllib.request.Request(url + path, json.dumps(QUESTION).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            reply.read()
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_sync_client_is_answered_and_is_in_the_ledger_at_once(server: ThreadedServer) -> None:
    """What I have read to its end is booked when I look."""
    assert [200] * 5 == [ask(server.url) for _ in range(5)]
    assert [1, 2, 3, 4, 5] == [exchange.number for exchange in server.ledger]
    assert 5 == server.stats()["requests_total"]


def test_an_asyncio_client_steers_it_from_its_loop(server: ThreadedServer) -> None:
    """From a coroutine I set what goes wrong and read what did."""

    async def scene() -> list[int]:
        server.next_fault("status_500")
        return [await asyncio.to_thread(ask, server.url) for _ in range(2)]

    assert [500, 200] == asyncio.run(scene())
    assert Counter(status_500=1) == server.hits == server.injected


def test_a_trio_client_steers_it_from_its_run(server: ThreadedServer) -> None:
    """From a trio test I do the same: the server's run is another one."""

    async def scene() -> list[int]:
        server.set_rate("status_503", 1.0)
        first = await trio.to_thread.run_sync(ask, server.url)
        server.heal()
        return [first, await trio.to_thread.run_sync(ask, server.url)]

    assert [503, 200] == trio.run(scene)
    assert Counter(status_503=1) == server.hits


def test_scripts_and_plans_are_set_from_outside(server: ThreadedServer) -> None:
    """A script goes by my request's key; another plan takes over at once."""
    server.script("order 7", ["status_500", None])

    assert [500, 200] == [ask(server.url, key="order 7") for _ in range(2)]

    server.plan = FaultPlan.of({"status_529": 1.0}, seed=3)

    assert FaultPlan.of({"status_529": 1.0}, seed=3) == server.plan
    assert 529 == ask(server.url)


def test_a_bad_rate_is_refused_where_it_was_set(server: ThreadedServer) -> None:
    """The error of a command reaches me, not the server's thread."""
    with pytest.raises(PlanError, match=r"must be in \[0, 1\]"):
        server.set_rate("status_500", 1.5)

    assert 200 == ask(server.url)


def test_a_reset_forgets_what_happened(server: ThreadedServer) -> None:
    """After a reset the ledger and its counters are empty, and the plan stays."""
    server.set_rate("status_500", 1.0)
    ask(server.url)
    server.reset()

    assert ([], Counter()) == (server.ledger, server.hits)
    assert 500 == ask(server.url)


def test_every_provider_has_its_url(server: ThreadedServer) -> None:
    """The url of a provider is what its SDK wants as base_url."""
    base = server.url

    assert base.startswith("http://127.0.0.1:")
    assert (base + "/v1", base, base, base + "/api/v1") == (
        server.openai_url,
        server.anthropic_url,
        server.azure_url,
        server.openrouter_url,
    )
    assert 200 == ask(server.openrouter_url, path="/chat/completions")


def test_rest_is_waited_for(server: ThreadedServer) -> None:
    """After a fault that cuts the connection, the ledger is whole once all is at rest."""
    server.next_fault(faults.reset_before_headers())
    with pytest.raises(OSError, match=r"reset|closed"):
        ask(server.url)
    server.wait_at_rest()

    assert ["reset"] == [exchange.ended for exchange in server.ledger]


def test_waiting_for_rest_is_bounded(server: ThreadedServer) -> None:
    """A stalled answer does not let me wait for ever, and healing lets it go on."""
    server.next_fault("stall_before_headers")
    statuses: list[int] = []
    client = threading.Thread(target=lambda: statuses.append(ask(server.url)))
    client.start()
    assert any(server.in_flight for _ in range(100_000))
    with pytest.raises(WorldError, match="1 requests are still in flight"):
        server.wait_at_rest(0.01)
    server.heal()
    client.join(5)
    server.wait_at_rest()

    assert ([200], 0) == (statuses, server.in_flight)


def test_what_happened_can_be_read_after_the_end() -> None:
    """A server that is closed still tells its story, takes no command, and closes twice."""
    with ThreadedServer() as server:
        ask(server.url)
    server.close()

    assert (1, 1) == (len(server.ledger), server.stats()["requests_total"])
    server.wait_at_rest()
    with pytest.raises(PlanError, match="not running"):
        server.heal()
    with pytest.raises(PlanError, match="starts once"):
        server.start()


def test_nobody_can_connect_after_the_end_and_no_thread_stays() -> None:
    """Closing ends the thread, the port and the connections that were open."""
    before = threading.active_count()
    with ThreadedServer() as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        idle = socket.create_connection((host, int(port)))
        ask(server.url)

    with idle:
        idle.settimeout(5)
        assert b"" == idle.recv(1)
    assert before == threading.active_count()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port))).close()


def test_a_server_that_was_not_started_says_so() -> None:
    """Forgetting the with block is an error that tells me."""
    server = ThreadedServer()

    with pytest.raises(PlanError, match="not started"):
        _ = server.url
    with pytest.raises(PlanError, match="not running"):
        server.next_fault("status_500")
    server.close()


def test_a_failure_in_its_thread_surfaces_at_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that broke does not pass silently, and says why."""
    server = ThreadedServer().start()
    broken = RuntimeError("broken on purpose")

    async def fail() -> None:
        raise broken

    def start_failing() -> None:
        assert server._nursery is not None
        server._nursery.start_soon(fail)

    server._command(start_failing)
    with pytest.raises(InternalError, match="failed in its thread") as raised:
        server.close()

    cause: Any = raised.value.__cause__
    assert cause.split(RuntimeError)[0].exceptions[0] is broken


def test_a_failing_close_does_not_hide_the_failing_test() -> None:
    """The error of my test comes first; the server's is a note on it."""
    server = ThreadedServer()

    async def fail() -> None:
        raise RuntimeError("broken on purpose")

    def start_failing() -> None:
        assert server._nursery is not None
        server._nursery.start_soon(fail)

    with pytest.raises(ValueError, match="mine") as raised, server:
        server._command(start_failing)
        raise ValueError("mine")

    assert any("failed in its thread" in note for note in raised.value.__notes__)


@pytest.mark.parametrize("world", [VirtualWorld, LoopbackWorld])
def test_inside_a_virtual_world_it_is_refused(world: type[World]) -> None:
    """A world has no threads: I am told to serve inside it."""
    with world(), pytest.raises(PlanError, match=r"world\.serve\(plan\)"):
        ThreadedServer().start()


def test_a_world_can_open_while_it_runs(server: ThreadedServer) -> None:
    """The patches of a world are those of its thread: the server goes on beside it."""
    with pytest.raises(Escape, match="a real thread"), VirtualWorld() as world:
        world.advance(10)
        assert 0 == server.in_flight
        threading.Thread(target=print).start()
    assert 200 == ask(server.url)
