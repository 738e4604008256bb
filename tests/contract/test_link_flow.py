"""What a cut, a latency and a full window do to the bytes: the same in both worlds."""

from __future__ import annotations

import pytest
import trio

from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.choices import ScriptedChoices
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.world import World
from tests.contract.clients import CLIENTS, Outcome
from tests.contract.worlds import HOST, on_both_worlds, serve


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
