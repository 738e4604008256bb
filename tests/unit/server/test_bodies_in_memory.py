"""What half-sent and finished requests hold of the server's memory: bounded, and given back."""

from __future__ import annotations

import gc
import weakref

import trio

from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.settings import ServerSettings
from chaoscheck.wire.request_codec import Bodies, Limits, Refusal, RequestCodec
from tests.contract.carriers import VIRTUAL, at_rest
from tests.contract.raw_client import RawClient, chat_request

LIMITS = Limits(bodies_bytes=200_000)


def _head(length: int, path: str = "/v1/messages") -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n".encode()


def _half(codec: RequestCodec, pieces: int) -> None:
    codec.feed(_head(1_000_000))
    for _ in range(pieces):
        codec.feed(b"x" * 50_000)


def test_a_closed_connection_frees_its_body_without_the_collector() -> None:
    """Codec and parser refer to each other: the cycle is broken, not left for a collection."""
    codec = RequestCodec(LIMITS)
    _half(codec, 2)
    alive = weakref.ref(codec)
    gc.disable()
    try:
        codec.close()
        del codec
        assert alive() is None
    finally:
        gc.enable()


def test_bodies_of_all_connections_share_one_bound() -> None:
    """The second of two large uploads is refused with 503; the first goes on."""
    bodies = Bodies(LIMITS.bodies_bytes)
    first, second = RequestCodec(LIMITS, bodies), RequestCodec(LIMITS, bodies)
    _half(first, 3)
    _half(second, 3)

    refused = second.next_request()
    assert isinstance(refused, Refusal)
    assert 503 == refused.status
    assert (150_000, None, True) == (bodies.held_bytes, first.next_request(), first.mid_request)
    first.close()
    second.close()
    assert 0 == bodies.held_bytes


def test_a_request_gives_its_bytes_back_once_it_is_answered() -> None:
    """One after the other, any number of large requests fit."""
    bodies = Bodies(LIMITS.bodies_bytes)
    codec = RequestCodec(LIMITS, bodies)
    for _ in range(3):
        codec.feed(_head(150_000))
        for _ in range(3):
            codec.feed(b"x" * 50_000)
        assert 150_000 == bodies.held_bytes
        assert codec.next_request() is not None
        codec.release()
        assert 0 == bodies.held_bytes


def test_what_is_left_of_refused_and_half_sent_requests_is_nothing() -> None:
    """Clients that leave, that are refused and that are answered leave nothing behind."""
    server = ChaosServer(settings=ServerSettings(limits=LIMITS))

    async def scene(host: str, port: int) -> list[int | None]:
        async with RawClient.connected(host, port) as half:
            await half.stream.send_all(_head(1_000_000) + b"x" * 140_000)
            await trio.sleep(0.1)
            async with RawClient.connected(host, port) as other:
                await other.stream.send_all(_head(1_000_000) + b"x" * 140_000)
                refused = await other.look(patience_s=0.5)
        await trio.sleep(0.1)
        async with RawClient.connected(host, port) as last:
            await last.stream.send_all(chat_request("word " * 30_000))
            answered = await last.look(patience_s=0.5)
        await at_rest(server)
        return [refused.status, answered.status]

    assert [503, 200] == VIRTUAL.play(server, scene)
    assert 0 == server._service.bodies.held_bytes
    assert [503, None, 200] == [each.status for each in server.ledger]
