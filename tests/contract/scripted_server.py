"""A server that answers by the book: the path of a request names the acts that answer it.

It does to a client what the chaos server's faults do not: odd framing, wrong framing, early
answers, endless heads. It counts connections and remembers what it was asked.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import trio

from chaoscheck.wire.connection_end import finish, reset

__all__ = ["CERTIFICATE", "Act", "Book", "ScriptedServer", "TlsServer"]

CERTIFICATE = Path(__file__).with_name("tls") / "api.test.pem"  # and its key; signed by itself

Act = bytes | Literal["close", "reset", "stall"]
Book = Mapping[str, Sequence[Act]]
Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class ScriptedServer:
    """Answers ``/name`` with the acts of ``name``, and with ``ok`` where there is no such name.

    ``/echo`` answers with the request itself. ``/early`` is answered before its body is read,
    ``/deaf`` never reads its body. ``asked`` holds the paths, in order of arrival.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self.connections = 0
        self.asked: list[str] = []

    async def serve(self, listeners: Sequence[trio.abc.Listener[trio.SocketStream]]) -> None:
        """Serve until cancelled."""
        await trio.serve_listeners(self._talk, list(listeners))

    async def hang_up(self, stream: Stream, act: Literal["close", "reset"]) -> None:
        """End a connection by FIN or RST."""
        assert isinstance(stream, trio.SocketStream)
        await (finish if act == "close" else reset)(stream)

    async def _talk(self, stream: Stream) -> None:
        self.connections += 1
        request = _Requests(stream)
        try:
            while (head := await request.head()) is not None:
                if not await self._answer(stream, request, head):
                    return
        except trio.BrokenResourceError:
            pass  # The client left: that is what some scenarios are about.

    async def _answer(self, stream: Stream, request: _Requests, head: bytes) -> bool:
        """Play the acts; whether the connection goes on."""
        path = head.split(b" ")[1].decode()
        self.asked.append(path)
        name = path.rpartition("/")[2]
        if name == "deaf":
            await trio.sleep_forever()
        body = b"" if name == "early" else await request.body(head)
        acts = self._book.get(name, self._book["ok"])
        if name == "echo":
            acts = [_whole(head.replace(b"host: ", b"Host: ") + b"\n" + body)]
        for act in acts:
            if isinstance(act, bytes):
                await stream.send_all(act)
            elif act == "stall":
                await trio.sleep_forever()
            else:
                await self.hang_up(stream, act)
                return False
        if name == "early":
            await request.body(head)
        return True


class TlsServer(ScriptedServer):
    """The same over TLS, with the certificate of api.test. To ``close`` is to say so first."""

    async def _talk(self, stream: Stream) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE)
        assert isinstance(stream, trio.SocketStream)
        await super()._talk(
            trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        )

    async def hang_up(self, stream: Stream, act: Literal["close", "reset"]) -> None:
        """End a connection by close_notify and FIN, or by RST."""
        assert isinstance(stream, trio.SSLStream)
        await (stream.aclose() if act == "close" else reset(stream.transport_stream))


class _Requests:
    """The requests of one connection, as bytes."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._data = b""

    async def head(self) -> bytes | None:
        """The next request's head, None when the client is done."""
        while b"\r\n\r\n" not in self._data:
            if not await self._more():
                return None
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        return head

    async def body(self, head: bytes) -> bytes:
        """The body behind ``head``, chunks with their framing; what there is, if cut short."""
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"transfer-encoding" in fields:
            while not self._data.endswith(b"0\r\n\r\n") and await self._more():
                pass
            size = len(self._data)
        else:
            size = int(fields.get(b"content-length", b"0"))
            while len(self._data) < size and await self._more():
                pass
        body, self._data = self._data[:size], self._data[size:]
        return body

    async def _more(self) -> bytes:
        more = bytes(await self._stream.receive_some())
        self._data += more
        return more


def _whole(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
