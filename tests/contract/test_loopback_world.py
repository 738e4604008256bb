"""The faults of a link are the same on the virtual network and on real TCP: one body, two worlds.

Where the two differ by design, the test says so in its docstring and compares sets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from chaoscheck.errors import Deadlock
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.wire.connection_end import reset
from chaoscheck.world.choices import ScriptedChoices
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World
from tests.contract.clients import CLIENTS, CONNECT_TIMEOUT_S, Outcome
from tests.contract.test_network_errnos import PROMISES, Seen

HOST = "api.test"
PATIENCE_S = 10.0

on_both_worlds = pytest.mark.parametrize(
    "kind", [VirtualWorld, LoopbackWorld], ids=["virtual", "loopback"]
)
of_every_client = pytest.mark.parametrize("client", CLIENTS)


def serve(world: World, server: ChaosServer) -> None:
    """Let the chaos server stand at ``api.test:80``."""
    world.network.add_host(HOST)
    world.spawn(server.serve, world.run(world.network.listen, HOST, 80))


def seen_by(client: str, *, raw: str, http: str) -> set[str]:
    """What one client calls an error that a raw stream and HTTP clients call so."""
    if client == "raw":
        return {raw}
    if client.startswith("http"):
        return {http}
    sdk = "APITimeoutError" if http.endswith("Timeout") else "APIConnectionError"
    return {f"{sdk} from {http}"}


def in_mid_flight(
    kind: type[World],
    client: str,
    strike: Callable[[World], object],
    fault: str = "stall_before_headers",
) -> Outcome:
    """What a client sees when ``strike`` meets the link while the server stalls its answer."""
    server = ChaosServer()
    server.next_fault(fault)
    with kind() as world:
        serve(world, server)
        asking = world.start(CLIENTS[client], HOST, 80, PATIENCE_S)
        world.settle()
        strike(world)
        outcome: Outcome = world.run_until(asking)
        world.network.heal_all()
        world.settle()
        assert [] == world.network.connections()
        return outcome


@on_both_worlds
@pytest.mark.parametrize(
    ("scenario", "promised"), PROMISES, ids=[scenario.__name__ for scenario, _ in PROMISES]
)
def test_sockets_of_a_world_give_the_errors_of_the_kernel(
    scenario: Callable[[], Awaitable[list[Seen]]], promised: list[Seen], kind: type[World]
) -> None:
    """My own in-world server and client on trio sockets see what they would on plain TCP."""
    with kind() as world:
        seen = world.run(scenario)
        world.settle()

        assert promised == seen
        assert [] == world.network.connections()


@of_every_client
@on_both_worlds
def test_a_refused_connect_is_an_error_at_once(kind: type[World], client: str) -> None:
    """A host that refuses costs no time, and answers again once it is healed."""
    with kind() as world:
        serve(world, ChaosServer())
        world.network.refuse(HOST)
        refused = world.run(CLIENTS[client], HOST, 80, PATIENCE_S)
        refused_s = world.now
        world.network.heal(HOST)
        healed = world.run(CLIENTS[client], HOST, 80, PATIENCE_S)
        hits = world.network.hits["refuse"]

    raw = {"OSError", "ConnectionRefusedError"}
    assert refused.ended in (
        raw if client == "raw" else seen_by(client, raw="", http="ConnectError")
    )
    assert (0.0, 1, "whole") == (refused_s, hits, healed.ended)


@of_every_client
@on_both_worlds
def test_a_server_that_resets_on_accept_is_a_broken_connection(
    kind: type[World], client: str
) -> None:
    """Whether the RST overtakes my request or follows it, I see a broken connection.

    Which of the two is the kernel's choice on real TCP: the error is one of a set.
    """

    async def serve_resets() -> None:
        listeners = await trio.open_tcp_listeners(80, host=HOST)
        await trio.serve_listeners(reset, listeners)

    with kind() as world:
        world.network.add_host(HOST)
        world.spawn(serve_resets)
        world.settle()
        outcome = world.run(CLIENTS[client], HOST, 80, PATIENCE_S)

    errors = ("ReadError", "WriteError", "RemoteProtocolError", "ConnectError")
    assert outcome.ended in set().union(
        *(seen_by(client, raw="reset", http=error) for error in errors)
    )


@of_every_client
@on_both_worlds
def test_a_reset_in_mid_flight_is_a_read_error(kind: type[World], client: str) -> None:
    """A connection that is reset while I wait for the answer breaks at once."""
    outcome = in_mid_flight(kind, client, lambda world: world.network.reset(HOST))

    assert outcome.ended in seen_by(client, raw="reset", http="ReadError")


@of_every_client
@on_both_worlds
def test_a_reset_in_mid_body_keeps_what_had_arrived(kind: type[World], client: str) -> None:
    """The bytes that came before the RST are mine, on every carrier."""
    outcome = in_mid_flight(
        kind, client, lambda world: world.network.reset(HOST), fault="stall_mid_body"
    )

    shown = 17 if client in ("raw", "httpx", "httpx2") else 0
    assert outcome.ended in seen_by(client, raw="reset", http="ReadError")
    assert shown == len(outcome.delivered)


@of_every_client
@on_both_worlds
def test_a_half_close_in_mid_flight_ends_the_answer(kind: type[World], client: str) -> None:
    """A FIN before the answer looks to me like a server that left."""
    outcome = in_mid_flight(kind, client, lambda world: world.network.half_close(HOST))

    assert outcome.ended in seen_by(client, raw="eof", http="RemoteProtocolError")


@on_both_worlds
def test_after_a_half_close_the_other_direction_still_carries(kind: type[World]) -> None:
    """A host whose sending side was shut down still hears me, and gets EPIPE when it answers."""
    heard: list[object] = []

    async def serve_one(stream: trio.SocketStream) -> None:
        heard.append(await stream.receive_some())
        try:
            await stream.send_all(b"an answer")
        except trio.BrokenResourceError as error:
            heard.append(type(error.__cause__).__name__)

    async def speak_after_the_end() -> bytes | bytearray:
        async with await trio.open_tcp_stream(HOST, 80) as stream:
            end = await stream.receive_some()
            await stream.send_all(b"can you hear me")
            return end

    with kind() as world:
        world.network.add_host(HOST)
        listeners = world.run(world.network.listen, HOST, 80)
        world.spawn(trio.serve_listeners, serve_one, listeners)
        speaking = world.start(speak_after_the_end)
        world.settle()
        hit = world.network.half_close(HOST)
        end = world.run_until(speaking)
        world.settle()

    assert (1, b"", [b"can you hear me", "BrokenPipeError"]) == (hit, end, heard)


@of_every_client
@on_both_worlds
def test_a_cut_before_connecting_is_a_connect_timeout(kind: type[World], client: str) -> None:
    """An unreachable host costs me my connect time-out, by the world's clock exactly."""
    with kind() as world:
        serve(world, ChaosServer())
        world.network.cut(HOST)
        outcome = world.run(CLIENTS[client], HOST, 80, PATIENCE_S)
        elapsed_s, hits = world.now, world.network.hits["cut"]

    assert outcome.ended in seen_by(client, raw="TooSlowError", http="ConnectTimeout")
    assert (CONNECT_TIMEOUT_S, 1) == (elapsed_s, hits)


@of_every_client
@on_both_worlds
def test_a_cut_in_mid_flight_is_silence(kind: type[World], client: str) -> None:
    """While the link is cut no answer reaches me, although the server sent it; heal delivers it."""
    server = ChaosServer()
    server.next_fault("slow_response")
    with kind() as world:
        serve(world, server)
        asking = world.start(CLIENTS[client], HOST, 80, PATIENCE_S)
        world.settle()
        world.network.cut(HOST)
        world.advance(6)
        sent, waiting = server.in_flight, asking.done
        world.network.heal_all()
        world.settle()
        outcome: Outcome = world.run_until(asking)
        elapsed_s = world.now

    assert (0, False) == (sent, waiting)
    assert ("whole", 6.0) == (outcome.ended, elapsed_s)


@of_every_client
@on_both_worlds
def test_a_cut_that_lasts_is_a_read_timeout(kind: type[World], client: str) -> None:
    """A cut that outlasts my patience is a time-out of mine, not an error of the network."""
    outcome = in_mid_flight(kind, client, lambda world: world.network.cut(HOST))

    assert outcome.ended in seen_by(client, raw="silence", http="ReadTimeout")


@on_both_worlds
def test_what_arrived_before_a_cut_can_be_read_during_it(kind: type[World]) -> None:
    """A cut holds what is on its way, not what is here already; heal brings the rest in order."""

    async def speak() -> None:
        [listener] = await world.network.listen(HOST, 80)
        stream = await listener.accept()
        await stream.send_all(b"before")
        await told.wait()
        await stream.send_all(b" during")
        await stream.aclose()
        await listener.aclose()

    async def hear() -> tuple[object, ...]:
        async with await trio.open_tcp_stream(HOST, 80) as stream:
            await trio.sleep(1)
            early = await stream.receive_some()
            with trio.move_on_after(5) as patience:
                await stream.receive_some()
            late = await stream.receive_some()
            return early, patience.cancelled_caught, trio.current_time(), late, await end(stream)

    async def end(stream: trio.SocketStream) -> bytes | bytearray:
        return await stream.receive_some()

    with kind() as world:
        told = trio.Event()
        world.network.add_host(HOST)
        world.start(speak)
        world.settle()
        hearing = world.start(hear)
        world.settle()
        world.network.cut(HOST)
        told.set()
        world.advance(8)
        world.network.heal(HOST)
        world.settle()

        assert (b"before", True, 8.0, b" during", b"") == world.run_until(hearing)
        assert {"cut": 1} == world.network.hits


@on_both_worlds
@pytest.mark.parametrize("end", ["reset", "half_close"])
def test_an_end_during_a_cut_is_seen_after_it(kind: type[World], end: str) -> None:
    """FIN and RST are packets like any other: a cut holds them until it heals."""
    outcome_at_s: list[float] = []

    async def ask() -> Outcome:
        outcome = await CLIENTS["httpx"](HOST, 80, 100.0)
        outcome_at_s.append(trio.current_time())
        return outcome

    server = ChaosServer()
    server.next_fault("stall_mid_body")
    with kind() as world:
        serve(world, server)
        asking = world.start(ask)
        world.settle()
        world.network.cut(HOST)
        assert 1 == getattr(world.network, end)(HOST)
        world.advance(30)
        assert not asking.done
        world.network.heal(HOST)
        outcome = world.run_until(asking)

    error = {"reset": "ReadError", "half_close": "RemoteProtocolError"}[end]
    assert (error, 17, [30.0]) == (outcome.ended, len(outcome.delivered), outcome_at_s)


@on_both_worlds
def test_a_reset_during_a_cut_loses_what_the_cut_held(kind: type[World]) -> None:
    """Nobody retransmits for a host that was reset: what was on its way never arrives."""

    async def hear() -> tuple[object, ...]:
        async with await trio.open_tcp_stream(HOST, 80) as stream:
            early = await stream.receive_some()
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()
            return early, trio.current_time()

    async def speak() -> None:
        [listener] = await world.network.listen(HOST, 80)
        async with listener, await listener.accept() as stream:
            await stream.send_all(b"early")
            await trio.sleep(2)
            await stream.send_all(b"never seen")
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()

    with kind() as world:
        world.network.add_host(HOST)
        speaking = world.start(speak)
        world.settle()
        hearing = world.start(hear)
        world.advance(1)
        world.network.cut(HOST)
        world.advance(2)
        world.network.reset(HOST)
        world.advance(3)
        world.network.heal(HOST)

        assert (b"early", 6.0) == world.run_until(hearing)
        world.run_until(speaking)
        assert [] == world.network.connections()


@of_every_client
@on_both_worlds
def test_latency_is_paid_for_the_connection_the_request_and_the_answer(
    kind: type[World], client: str
) -> None:
    """A latency of 0.25 s makes my request take 0.75 s, and the time-outs count it.

    By design the worlds differ in what they draw when the latency is a range: the virtual world
    draws one for each segment, the loopback world one for each direction of a connection.
    """
    with kind() as world:
        serve(world, ChaosServer())
        world.network.set_latency(HOST, 0.25, 0.25)
        outcome = world.run(CLIENTS[client], HOST, 80, PATIENCE_S)
        elapsed_s = world.now

    assert ("whole", 0.75) == (outcome.ended, elapsed_s)


@on_both_worlds
def test_a_megabyte_over_a_slow_link_takes_as_long_in_both_worlds(kind: type[World]) -> None:
    """A window of 256 KiB paces a large body the same way, whatever the kernel could buffer."""
    body = bytes(range(256)) * 4_000

    async def echo(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    async def speak() -> bytes:
        async with await trio.open_tcp_stream(HOST, 80) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, body)
            return await read_exactly(stream, len(body))

    with kind() as world:
        world.network.add_host(HOST)
        world.spawn(trio.serve_listeners, echo, world.run(world.network.listen, HOST, 80))
        world.network.set_latency(HOST, 0.5, 0.5)

        assert body == world.run(speak)
        assert 3.0 == world.now


@on_both_worlds
def test_a_cut_stops_a_sender_when_the_window_is_full(kind: type[World]) -> None:
    """Behind a cut my sends go on for 256 KiB and then wait, until the link is healed."""

    async def swallow(stream: trio.SocketStream) -> None:
        async for _ in stream:
            pass

    async def pour() -> float:
        async with await trio.open_tcp_stream(HOST, 80) as stream:
            await trio.sleep(1)
            for _ in range(8):
                await stream.send_all(bytes(32 * 1024))
            at_s = trio.current_time()
            await stream.send_all(b"one byte more")
        return at_s

    with kind() as world:
        world.network.add_host(HOST)
        world.spawn(trio.serve_listeners, swallow, world.run(world.network.listen, HOST, 80))
        pouring = world.start(pour)
        world.settle()
        world.network.cut(HOST)
        world.advance(60)
        assert not pouring.done
        world.network.heal(HOST)
        world.settle()

        assert 1.0 == pouring.result()


def test_on_real_tcp_a_latency_is_drawn_once_a_direction_and_setting() -> None:
    """How the kernel cuts my bytes into packets decides nothing about the choices of a run."""
    choices = ScriptedChoices([3, 1])

    async def talk() -> list[float]:
        [listener] = await world.network.listen(HOST, 80)
        async with await trio.open_tcp_stream(HOST, 80) as stream, await listener.accept() as peer:
            times = [trio.current_time()]
            for part in (b"a", b"b" * 100_000):
                await stream.send_all(part)
                assert part == await read_exactly(peer, len(part))
                times.append(trio.current_time())
            await peer.send_all(b"c")
            await stream.receive_some()
            await listener.aclose()
            return [*times, trio.current_time()]

    with LoopbackWorld(choices) as world:
        world.network.add_host(HOST)
        world.network.set_latency(HOST, 1.0, 4.0)
        times = world.run(talk)
        drawn = [decision.label for decision in choices.log]

    assert [4.0, 8.0, 12.0, 14.0] == times
    assert [f"net.latency {HOST}"] * 2 == drawn


async def read_exactly(stream: trio.SocketStream, count: int) -> bytes:
    """``count`` bytes, however they were cut."""
    data = b""
    while len(data) < count:
        data += await stream.receive_some()
    return data


def test_a_client_without_a_timeout_on_a_cut_link_is_told_apart() -> None:
    """Without a time-out a cut never ends: the worlds say so in their own way, by design.

    The virtual kernel gives up the unanswered request after 924 s, as Linux does; on loopback the
    real kernel has delivered it, so nothing is ever given up, and that is a named deadlock.
    Slow (0.3 s): real sockets must be silent for a while before that is certain.
    """
    ended: list[object] = []
    for kind in (VirtualWorld, LoopbackWorld):
        server = ChaosServer()
        with kind() as world:
            serve(world, server)
            world.run(CLIENTS["raw"], HOST, 80, PATIENCE_S)
            asking = world.start(hold_and_ask)
            world.settle()
            world.network.cut(HOST)
            try:
                ended.append(world.run_until(asking))
            except Deadlock as deadlock:
                ended.append("hold_and_ask" in str(deadlock))

    assert ["TimeoutError", True] == ended


async def hold_and_ask() -> str:
    """Connect, wait a second, send, and wait for an answer without any time-out."""
    async with await trio.open_tcp_stream(HOST, 80) as stream:
        await trio.sleep(1)
        await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        try:
            await stream.receive_some()
        except trio.BrokenResourceError as error:
            return type(error.__cause__).__name__
    return "an answer"
