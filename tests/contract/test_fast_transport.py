"""Our fast transport does what httpx's own pool does: one body, both transports, every carrier."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import h11
import httpx
import pytest
import trio

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.plan.fault import Fault
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.world.choices import SeededChoices
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.carriers import LOOPBACK_WORLD, VIRTUAL, Carrier
from tests.contract.client_conduct import COMING_AND_GOING, one_idle_connection_of_two_in_turns
from tests.contract.client_requests import ASKING, ASKING_OVER_TLS
from tests.contract.conduct import BOOK, Conduct
from tests.contract.http_scenes import LIBRARIES, Lab, Library, Scene, Server, Story, play
from tests.contract.scripted_server import Act, ScriptedServer, TlsServer
from tests.contract.sights.plain_sights import PLAIN_SIGHTS
from tests.contract.sights.sight import Sight

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BAD = "RemoteProtocolError"

WORLDS = (VIRTUAL, LOOPBACK_WORLD)
on_every_world = pytest.mark.parametrize("carrier", WORLDS, ids=lambda carrier: carrier.name)
of_each_library = pytest.mark.parametrize(
    "library", LIBRARIES, ids=lambda library: library.module.__name__
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server sends, to which method, and what a client must make of it.

    ``connections`` counts those of this exchange and an ordinary one after it.
    """

    name: str
    acts: tuple[Act, ...]
    outcome: str | int
    connections: int = 2
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()


def answer(
    name: str, *acts: Act, outcome: str | int = 200, connections: int = 2, method: str = "GET"
) -> Answer:
    return Answer(name=name, acts=acts, outcome=outcome, connections=connections, method=method)


def head(*lines: bytes) -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n"


H200 = b"HTTP/1.1 200 OK"
LENGTH_5 = b"content-length: 5"
CHUNKED = b"transfer-encoding: chunked"

ANSWERS = [
    # Bodies and how they end.
    answer("length", head(H200, LENGTH_5) + b"hello", connections=1),
    answer("empty", head(H200, b"content-length: 0"), connections=1),
    answer("lengths", head(H200, LENGTH_5, b"Content-Length: 5, 5") + b"hello", connections=1),
    answer("chunks", head(H200, CHUNKED), b"5\r\nhello\r\n", b"0\r\n\r\n", connections=1),
    answer("trailers", head(H200, CHUNKED), b"5;x=y \r\nhello\r\n0\r\nA: b\r\n\r\n", connections=1),
    answer("bytewise", *(b"%c" % byte for byte in head(H200, CHUNKED) + b"2\r\nab\r\n0\r\n\r\n"),
           connections=1),
    answer("chunks-win", head(H200, LENGTH_5, b"Transfer-Encoding: Chunked"),
           b"2\r\nhi\r\n0\r\n\r\n", connections=1),
    answer("until-eof", head(H200), b"hello", "close"),
    answer("until-reset", head(H200), b"hello", "reset", outcome="ReadError"),
    answer("head", head(H200, LENGTH_5), connections=1, method="HEAD"),
    answer("head-chunked", head(H200, CHUNKED), connections=1, method="HEAD"),
    answer("204", head(b"HTTP/1.1 204 No Content", LENGTH_5), outcome=204, connections=1),
    answer("304", head(b"HTTP/1.1 304 Not Modified", LENGTH_5), outcome=304, connections=1),
    # Heads.
    answer("informed", head(b"HTTP/1.1 100 Continue"), head(b"HTTP/1.1 103 Early", b"link: x"), OK,
           connections=1),
    answer("informed-at-once", head(b"HTTP/1.1 100 Continue") + OK, connections=1),
    answer("no-reason", head(b"HTTP/1.1 200", LENGTH_5) + b"hello", connections=1),
    answer("odd-status", head(b"HTTP/1.1 799 \xe9", LENGTH_5) + b"hello", outcome=799,
           connections=1),
    answer("repeated", head(H200, b"Set-Cookie: a=1", b"SET-COOKIE: b=2", LENGTH_5) + b"hello",
           connections=1),
    answer("bare-lf", b"HTTP/1.1 200 OK\ncontent-length: 5\n\nhello", connections=1),
    answer("folded", head(H200, b"x-long: one", b"\t two", LENGTH_5) + b"hello", connections=1),
    answer("blanks", head(H200, b"x-long: \t one  two \t", b"content-length:5") + b"hello",
           connections=1),
    answer("large-head", head(H200, b"x: " + b"y" * 90_000, LENGTH_5) + b"hello", connections=1),
    # The end of the connection.
    answer("closing", head(H200, b"Connection: foo, Close", LENGTH_5) + b"hello"),
    answer("1.0", head(b"HTTP/1.0 200 OK", LENGTH_5) + b"hello"),
    answer("1.0-kept", head(b"HTTP/1.0 200 OK", LENGTH_5, b"connection: keep-alive") + b"hello"),
    answer("stale", head(H200, LENGTH_5) + b"hello", "close"),
    answer("stale-reset", head(H200, LENGTH_5) + b"hello", "reset"),
    # What no server should send.
    answer("nothing", "close", outcome=BAD),
    answer("reset", "reset", outcome="ReadError"),
    answer("half-a-head", b"HTTP/1.1 200 OK\r\ncontent-le", "close", outcome=BAD),
    answer("half-a-body", head(H200, LENGTH_5) + b"hel", "close", outcome=BAD),
    answer("half-reset", head(H200, LENGTH_5) + b"hel", "reset", outcome="ReadError"),
    answer("half-a-chunk", head(H200, CHUNKED) + b"5\r\nhel", "close", outcome=BAD),
    answer("no-last-chunk", head(H200, CHUNKED) + b"5\r\nhello\r\n", "close", outcome=BAD),
    answer("bad-chunk", head(H200, CHUNKED) + b"2\r\nhi\r\nzz\r\n", outcome=BAD),
    answer("bad-footer", head(H200, CHUNKED) + b"2\r\nhi!!", outcome=BAD),
    answer("bad-trailer", head(H200, CHUNKED) + b"2\r\nhi\r\n0\r\nno colon\r\n\r\n", outcome=BAD),
    answer("not-http", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", outcome=BAD),
    answer("tls", b"\x16\x03\x01\x02", outcome=BAD),
    answer("2.0", head(b"HTTP/2 200", LENGTH_5) + b"hello", outcome=BAD),
    answer("status-99", head(b"HTTP/1.1 099 Low", LENGTH_5) + b"hello", outcome=BAD),
    answer("two-lengths", head(H200, LENGTH_5, b"content-length: 6") + b"hello", outcome=BAD),
    answer("bad-length", head(H200, b"content-length: +5") + b"hello", outcome=BAD),
    answer("bad-coding", head(H200, b"transfer-encoding: gzip"), outcome=BAD),
    answer("two-codings", head(H200, CHUNKED, CHUNKED), outcome=BAD),
    answer("bad-header", head(H200, b"x y: z", LENGTH_5) + b"hello", outcome=BAD),
    answer("fold-first", head(H200, b" x: z", LENGTH_5) + b"hello", outcome=BAD),
    answer("unasked-101", head(b"HTTP/1.1 101 Switching", b"upgrade: x"), outcome=BAD),
    answer("endless-head", head(H200)[:-2], *[b"x: " + b"y" * 60_000] * 4, outcome=BAD),
    answer("endless-chunk-size", head(H200, CHUNKED), *[b"0" * 60_000] * 4, outcome=BAD),
]  # fmt: skip


def _stories(
    carrier: Carrier, library: Library, make_server: Callable[[], Server], scene: Scene
) -> dict[str, Story]:
    return {kind: play(carrier, library, kind, make_server(), scene) for kind in ("own", "fast")}


@on_every_world
@of_each_library
@pytest.mark.parametrize("given", ANSWERS, ids=lambda given: given.name)
def test_an_answer_means_the_same(carrier: Carrier, library: Library, given: Answer) -> None:
    """Whatever a server sends, I get the same status, headers, bytes, error and connections."""

    async def scene(lab: Lab) -> None:
        async with lab.client() as client:
            await lab.ask(client, f"/{given.name}", method=given.method)
            await trio.sleep(lab.patience_s)  # so that what closes is closed
            await lab.ask(client, "/ok")

    book = {"ok": (OK,), given.name: given.acts}
    stories = _stories(carrier, library, lambda: ScriptedServer(book), scene)

    assert stories["own"] == stories["fast"]
    assert ((given.outcome, 200), given.connections) == (
        stories["fast"].outcomes,
        stories["fast"].connections,
    )


@on_every_world
@of_each_library
@pytest.mark.parametrize("conduct", COMING_AND_GOING + ASKING, ids=lambda conduct: conduct.name)
def test_a_client_is_served_the_same(carrier: Carrier, library: Library, conduct: Conduct) -> None:
    """Limits, time-outs, early closing, cancelling and odd requests end as with httpx's pool."""
    stories = _stories(carrier, library, lambda: ScriptedServer(BOOK), conduct.scene)

    assert stories["own"] == stories["fast"]
    assert conduct.comes_to(stories["fast"])


@on_every_world
@of_each_library
@pytest.mark.parametrize("conduct", ASKING_OVER_TLS, ids=lambda conduct: conduct.name)
def test_tls_is_the_same(carrier: Carrier, library: Library, conduct: Conduct) -> None:
    """Trust, names, close and reset over TLS are as with httpx's pool."""
    stories = _stories(carrier, library, lambda: TlsServer(BOOK), conduct.scene)

    assert stories["own"] == stories["fast"]
    assert conduct.comes_to(stories["fast"])


class _CountedChaos:
    """A chaos server that counts its connections and strikes first with one fault."""

    def __init__(self, fault: Fault) -> None:
        self.connections = 0
        self._server = ChaosServer()
        self._server.next_fault(fault)

    async def serve(self, listeners: Sequence[trio.abc.Listener[trio.SocketStream]]) -> None:
        await self._server.serve([_Counted(each, self) for each in listeners])


class _Counted(trio.abc.Listener[trio.SocketStream]):
    def __init__(
        self, listener: trio.abc.Listener[trio.SocketStream], counter: _CountedChaos
    ) -> None:
        self._listener = listener
        self._counter = counter

    async def accept(self) -> trio.SocketStream:
        stream = await self._listener.accept()
        self._counter.connections += 1
        return stream

    async def aclose(self) -> None:
        await self._listener.aclose()


@on_every_world
@of_each_library
@pytest.mark.parametrize("sight", PLAIN_SIGHTS, ids=lambda sight: sight.fault.name)
def test_a_fault_is_the_same(carrier: Carrier, library: Library, sight: Sight) -> None:
    """Each fault of the chaos server costs me the same error, bytes and connections."""
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}

    async def scene(lab: Lab) -> None:
        async with lab.client(timeout={"read": lab.patience_s + sight.late_s}) as client:
            for _ in range(2):
                await lab.ask(client, "/v1/chat/completions", method="POST", json=body)

    stories = _stories(carrier, library, lambda: _CountedChaos(sight.fault), scene)

    assert stories["own"] == stories["fast"]
    httpx_sees = sight.status if sight.http == "whole" else sight.http
    assert (httpx_sees, 200) == stories["fast"].outcomes


@of_each_library
def test_retries_come_at_the_same_times(library: Library) -> None:
    """Connecting is tried again at once, after 0.5 s, 1 s, ..., as httpx does it."""

    def connected_at_s(make: Callable[..., Any]) -> tuple[int, float]:
        with VirtualWorld() as world:
            world.network.add_host("api.test")
            server = ScriptedServer(BOOK)
            world.spawn(server.serve, world.run(world.network.listen, "api.test", 80))
            world.network.refuse("api.test")
            client = library.module.AsyncClient(transport=make(verify=False, retries=3))
            asking = world.start(client.get, "http://api.test/ok")
            world.advance(1.0)
            world.network.heal("api.test")
            answer = world.run_until(asking)
            at_s = world.now
            world.run(client.aclose)
            return answer.status_code, at_s

    assert (200, 1.5) == connected_at_s(library.module.AsyncHTTPTransport)
    assert (200, 1.5) == connected_at_s(library.fast)


@pytest.mark.parametrize("retries", [-1, 1.5, True, "2"])
def test_retries_must_be_a_count(retries: Any) -> None:
    """A senseless number of retries is refused where I wrote it."""
    with pytest.raises(PlanError, match="retries must be an integer >= 0, got"):
        FastTransport(retries=retries)


# Where we differ, on purpose.


@on_every_world
def test_only_idle_connections_count_as_kept_alive(carrier: Carrier) -> None:
    """My limit on idle connections does not close busy ones: httpcore 1 counts those as well."""
    httpx_story, httpx2_story = (
        _stories(
            carrier,
            library,
            lambda: ScriptedServer(BOOK),
            one_idle_connection_of_two_in_turns,
        )
        for library in LIBRARIES
    )

    assert httpx_story["own"].connections > httpx_story["fast"].connections
    assert httpx2_story["own"] == httpx2_story["fast"] == httpx_story["fast"]


@on_every_world
@of_each_library
def test_bytes_behind_an_answer_are_not_the_next_answer(carrier: Carrier, library: Library) -> None:
    """A server cannot slip me the answer to my next request: httpx takes such bytes for one."""
    book = {"two": (OK + b"HTTP/1.1 418 Poison\r\ncontent-length: 0\r\n\r\n",), "ok": (OK,)}

    async def scene(lab: Lab) -> None:
        async with lab.client() as client:
            await lab.ask(client, "/two")
            await lab.ask(client, "/ok")

    stories = _stories(carrier, library, lambda: ScriptedServer(book), scene)

    assert (200, 418) == stories["own"].outcomes
    assert ((200, 200), 2) == (stories["fast"].outcomes, stories["fast"].connections)


@of_each_library
def test_every_error_is_one_of_the_library(library: Library) -> None:
    """I catch httpx.LocalProtocolError for a wrong length, where httpx leaks h11's."""
    caught: dict[str, type[Exception]] = {}

    async def scene(lab: Lab) -> None:
        async with lab.client() as client:
            try:
                await client.post("/ok", content=b"hello", headers={"content-length": "10"})
            except Exception as error:
                caught[lab.kind] = type(error)

    _stories(VIRTUAL, library, lambda: ScriptedServer({"ok": (OK,)}), scene)

    assert {"own": h11.LocalProtocolError, "fast": library.module.LocalProtocolError} == caught


def test_the_same_choices_give_the_same_trace() -> None:
    """A run over the fast transport replays, latencies and schedule included."""

    def digest() -> str:
        with VirtualWorld(SeededChoices(7)) as world:
            world.network.add_host("api.test")
            world.network.set_latency("api.test", 0.001, 0.05)
            server = ScriptedServer(BOOK)
            world.spawn(server.serve, world.run(world.network.listen, "api.test", 80))
            client = httpx.AsyncClient(transport=FastTransport(), base_url="http://api.test")
            asking = [world.start(client.get, "/ok") for _ in range(5)]
            assert [200] * 5 == [world.run_until(each).status_code for each in asking]
            world.run(client.aclose)
            return world.trace.digest()

    assert digest() == digest()


def test_outside_trio_it_says_so() -> None:
    """Under asyncio I get an error that tells me what to use instead, not a hang."""

    async def main() -> None:
        async with httpx.AsyncClient(transport=FastTransport()) as client:
            await client.get("http://127.0.0.1:1/")

    with pytest.raises(WorldError, match="runs on trio only, not on asyncio"):
        asyncio.run(main())
