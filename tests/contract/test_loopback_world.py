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
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World
from tests.contract.clients import CLIENTS, CONNECT_TIMEOUT_S, Outcome
from tests.contract.test_network_errnos import PROMISES, Seen
from tests.contract.worlds import HOST, PATIENCE_S, of_every_client, on_both_worlds, serve


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
