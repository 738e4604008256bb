"""What a client asks for: bodies, heads, schemes, TLS; with what must come of it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import trio

from tests.contract.conduct import Conduct
from tests.contract.http_scenes import Lab
from tests.contract.scripted_server import CERTIFICATE

__all__ = ["ASKING", "ASKING_OVER_TLS"]


class _Pieces:
    """A body that comes in pieces; no generator, since httpx leaves those to the collector."""

    def __init__(self, *pieces: bytes) -> None:
        self._left = list(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)


async def bodies_that_are_sent(lab: Lab) -> None:
    counted = {"content-length": "10"}
    chunked = {"transfer-encoding": "chunked"}
    async with lab.client() as client:
        await lab.ask(client, "/echo?a=%20b", method="POST", content=b"hello", params={"c": "d"})
        await lab.ask(client, "/echo", method="POST", content=_Pieces(b"hello", b"", b"world"))
        await lab.ask(
            client,
            "/echo",
            method="PUT",
            content=_Pieces(b"helloworld"[:4], b"oworld"),
            headers=counted,
        )
        await lab.ask(client, "/echo", method="POST", content=b"hello", headers=chunked)
        await lab.ask(client, "/echo", method="POST", json={"a": 1}, headers={"X-Y": b"\xe4"})
        await lab.ask(client, "/echo", extensions={"target": b"/x/echo"})  # fmt: skip


async def bodies_of_the_wrong_length(lab: Lab) -> None:
    async with lab.client() as client:
        for body in (b"hello", _Pieces(b"hello"), _Pieces(b"hello", b"hello world")):
            await lab.ask(
                client, "/ok", method="POST", content=body, headers={"content-length": "10"}
            )
        await lab.ask(client, "/ok")


async def a_body_that_breaks(lab: Lab) -> None:
    class Breaks(_Pieces):
        async def __anext__(self) -> bytes:
            piece = await super().__anext__()
            if piece == b"world":
                raise ZeroDivisionError
            return piece

    async with lab.client(max_connections=1) as client:
        await lab.ask(client, "/ok", method="POST", content=Breaks(b"hello", b"world"))
        await lab.ask(client, "/ok")


async def heads_that_cannot_be_sent(lab: Lab) -> None:
    illegal: list[list[tuple[bytes, bytes]]] = [
        [(b"x", b"a\r\nb: c")],
        [(b"x", b"a\x00")],
        [(b"x", b" a")],
        [(b"x y", b"a")],
        [(b"x: y", b"a")],
        [(b"", b"a")],
        [(b"host", b"a"), (b"Host", b"b")],
        [(b"content-length", b"1"), (b"content-length", b"2")],
        [(b"content-length", b"-1")],
        [(b"transfer-encoding", b"gzip")],
    ]
    async with lab.client() as client:
        for headers in illegal:
            await lab.ask(client, "/ok", headers=headers)
        await lab.ask(client, "/ok", method="GET IT")
        await lab.ask(client, "/ok", extensions={"target": b"/a b"})


async def no_keep_alive_wanted(lab: Lab) -> None:
    async with lab.client() as client:
        for _ in range(2):
            await lab.ask(client, "/ok", headers={"connection": "close"})


async def schemes_that_nobody_speaks(lab: Lab) -> None:
    async with lab.client() as client:
        await lab.ask(client, "gopher://api.test/")
        await lab.ask(client, "ws://api.test:81/")


async def answered_before_the_body(lab: Lab) -> None:
    async with lab.client() as client:
        await lab.ask(client, "/early", method="POST", content=_Pieces(b"hello", b"world"))
        await lab.ask(client, "/ok")


async def upgraded(lab: Lab) -> None:
    offer = {"connection": "upgrade", "upgrade": "x"}
    async with lab.client() as client:
        async with client.stream("GET", "/upgrade", headers=offer) as response:
            stream = response.extensions["network_stream"]
            read = await stream.read(3) + await stream.read(100)
            lab.note(None, response, read)
        await lab.ask(client, "/declined", headers=offer)
        await lab.ask(client, "/declined", headers=offer)


# TLS.


def _trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)


async def over_tls(lab: Lab) -> None:
    async with lab.client(verify=_trusting()) as client:
        await lab.ask(client, f"https://{lab.host}:{lab.port}/ok")
        await lab.ask(client, f"https://{lab.host}:{lab.port}/closed")
        await lab.ask(client, f"https://{lab.host}:{lab.port}/echo", method="POST", content=b"x")


async def over_tls_that_breaks(lab: Lab) -> None:
    async with lab.client(verify=_trusting(), timeout={"read": lab.patience_s}) as client:
        for name in ("half", "cut", "reset"):
            await lab.ask(client, f"https://{lab.host}:{lab.port}/{name}")


async def over_tls_without_trust(lab: Lab) -> None:
    async with lab.client(verify=ssl.create_default_context()) as client:
        await lab.ask(client, f"https://{lab.host}:{lab.port}/ok")
    async with lab.client(verify=False) as client:
        await lab.ask(client, f"https://{lab.host}:{lab.port}/ok")


async def over_tls_to_another_name(lab: Lab) -> None:
    [address, *_] = await trio.socket.getaddrinfo(lab.host, lab.port)
    url = f"https://{address[4][0]}:{lab.port}/ok"
    async with lab.client(verify=_trusting()) as client:
        await lab.ask(client, url)
        await lab.ask(client, url, extensions={"sni_hostname": "api.test"})


async def tls_where_there_is_none(lab: Lab) -> None:
    async with lab.client(timeout={"connect": lab.patience_s}) as client:
        await lab.ask(client, f"https://{lab.host}:{lab.port}/ok")


LOCAL = "LocalProtocolError"
ASKING = [
    Conduct(scene=scene, outcomes=outcomes, connections=connections)
    for scene, outcomes, connections in (
        (bodies_that_are_sent, (200,) * 6, 1),
        (bodies_of_the_wrong_length, (LOCAL, LOCAL, LOCAL, 200), 4),
        (a_body_that_breaks, ("ZeroDivisionError", 200), 2),
        (heads_that_cannot_be_sent, (LOCAL,) * 12, 12),
        (no_keep_alive_wanted, (200, 200), 2),
        (schemes_that_nobody_speaks, ("UnsupportedProtocol", "ConnectError"), 0),
        (answered_before_the_body, (413, 200), 1),
        (upgraded, (101, 200, 200), 2),
        (tls_where_there_is_none, ("ConnectTimeout",), 1),
    )
]
ASKING_OVER_TLS = [
    Conduct(scene=over_tls, outcomes=(200, 200, 200), connections=2),
    Conduct(
        scene=over_tls_that_breaks,
        outcomes=("ReadTimeout", "RemoteProtocolError", "ReadError"),
        connections=3,
    ),
    Conduct(scene=over_tls_without_trust, outcomes=("ConnectError", 200), connections=2),
    Conduct(scene=over_tls_to_another_name, outcomes=("ConnectError", 200), connections=2),
]
