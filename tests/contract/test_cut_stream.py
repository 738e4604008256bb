"""A stream can be cut at any byte: inside a code point, a ``data:`` line, a document."""

from __future__ import annotations

import re
from typing import Literal

import pytest

from chaoscheck.plan import catalogue as faults
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World
from tests.contract.raw_client import RawClient, Seen, chat_request
from tests.contract.worlds import HOST, PATIENCE_S, serve

Ending = Literal["close", "end"]

TEXT = "naïve ☃ 🦊"
REQUEST = chat_request(TEXT, streamed=True)


async def _ask(host: str, port: int) -> Seen:
    async with RawClient.connected(host, port) as raw:
        await raw.stream.send_all(REQUEST)
        return await raw.look(patience_s=PATIENCE_S)


def _payload(body: bytes) -> bytes:
    """The events of a chunked body, as far as they came."""
    payload = b""
    while (size := re.match(rb"([0-9a-f]+)\r\n", body)) is not None:
        rest = body[size.end() :]
        payload += rest[: int(size[1], 16)]
        body = rest[int(size[1], 16) + 2 :]
    return payload


@pytest.mark.parametrize(
    ("world", "step"), [(VirtualWorld, 1), (LoopbackWorld, 23)], ids=["virtual", "loopback"]
)
@pytest.mark.parametrize("ending", ["close", "end"])
def test_a_stream_is_cut_at_exactly_that_byte(
    world: type[World], step: int, ending: Ending
) -> None:
    """I get the first n bytes of the events and not one more, wherever n falls.

    Slow (0.5 s): every byte of a stream in the virtual world, and some of them on real TCP.
    """
    server = ChaosServer()
    with world() as there:
        serve(there, server)
        good = _payload(there.run(_ask, HOST, 80).body)
        # Each id has the same length, and differs from request to request.
        whole = re.sub(rb"chatcmpl-\d+", b"chatcmpl-000000", good)
        assert "🦊".encode() in whole
        for count in range(1, len(whole), step):
            server.next_fault(faults.cut_stream(after_bytes=count, ending=ending))
            seen = there.run(_ask, HOST, 80)
            said = re.sub(rb"chatcmpl-\d{1,6}", _zeroes, _payload(seen.body))
            assert whole[:count] == said
            assert ("whole" if ending == "end" else "eof") == seen.ended


def _zeroes(found: re.Match[bytes]) -> bytes:
    return b"chatcmpl-" + b"0" * (len(found[0]) - len(b"chatcmpl-"))
