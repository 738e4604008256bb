"""One connection of a client: a request out, its response in, then perhaps the next.

What goes wrong is raised as the class that httpx's own pool raises there. A server may answer
before it took the whole request and close: so an error while sending is kept to itself and the
response is read, but the connection carries no other request.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Protocol

import trio

from chaoscheck.wire.client_dial import BROKEN, Dialler, Origin, Port, aclose_port
from chaoscheck.wire.client_errors import ClientErrors
from chaoscheck.wire.client_headers import ProtocolViolation
from chaoscheck.wire.client_request import LAST_CHUNK, RequestHead, chunk_of, encode_head
from chaoscheck.wire.client_response import ResponseHead, ResponseReader

__all__ = ["ClientConnection", "Outgoing", "Timeouts"]

READ_BYTES = 64 * 1024
_AT_ONCE_S = 0.001  # sending that takes no longer counts as taking no time

Timeouts = Mapping[str, float | None]  # seconds by "connect", "read", "write", "pool"


class Outgoing(Protocol):
    """A request of httpx or httpx2, as far as we look at it."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> Any: ...
    @property
    def headers(self) -> Any: ...
    @property
    def stream(self) -> Any: ...
    @property
    def extensions(self) -> Any: ...


class ClientConnection:
    """Connection ``number`` of its pool, to ``origin``; dialled with its first request."""

    __slots__ = (
        "_dialler", "_errors", "_keep", "_open", "_reader", "number", "origin", "port", "socket",
    )  # fmt: skip

    port: Port
    socket: trio.socket.SocketType

    def __init__(self, number: int, origin: Origin, dialler: Dialler) -> None:
        self.number = number
        self.origin = origin
        self._dialler = dialler
        self._errors: ClientErrors = dialler.errors
        self._reader = ResponseReader()
        self._open = False
        self._keep = False

    @property
    def reusable(self) -> bool:
        """Whether request and response went over it to their ends and both sides want more."""
        reader = self._reader
        return self._keep and reader.finished and reader.reusable and not reader.has_rest

    @property
    def is_stale(self) -> bool:
        """Whether an idle connection was closed by its server, which makes it readable."""
        return self.socket.is_readable()

    async def aclose(self) -> None:
        """Close, cancelled or not. Closing twice is legal."""
        self._keep = False
        if self._open:
            self._open = False
            await aclose_port(self.port, self.socket)

    async def exchange(self, request: Outgoing, byte_stream: type) -> ResponseHead:
        """Send a request (dialling first if need be) and receive its response's head.

        ``byte_stream`` is the class of bodies that are there as a whole.
        """
        extensions = request.extensions
        timeouts: Timeouts = extensions.get("timeout") or {}
        if not self._open:
            self.port, self.socket = await self._dialler.dial(
                self.origin,
                server_name=extensions.get("sni_hostname"),
                timeout_s=timeouts.get("connect"),
            )
            self._open = True
        method = request.method.encode("ascii")
        target = extensions.get("target") or request.url.raw_path
        try:
            head = encode_head(method, target, request.headers.raw)
            self._reader.begin(method, offers_upgrade=head.offers_upgrade)
            self._keep = not head.closes
            await self._send(head, request.stream, byte_stream, timeouts)
        except ProtocolViolation as violation:
            raise self._errors.local_protocol_error(str(violation)) from violation
        except self._errors.write_error:
            self._keep = False
        return await self._receive_head(timeouts.get("read"))

    # Out.

    async def _send(
        self, head: RequestHead, body: Any, byte_stream: type, timeouts: Timeouts
    ) -> None:
        write_s = timeouts.get("write")
        if head.length is not None and isinstance(body, byte_stream):
            data = b"".join(body)  # type: ignore[arg-type]  # It iterates both ways.
            _require_length(len(data), head.length)
            if write_s is not None and write_s == timeouts.get("read"):
                await self._ask(head.data + data, write_s)
            else:
                await self.write(head.data + data, write_s)
            return
        await self.write(head.data, write_s)
        pieces = aiter(body)
        try:
            await self._send_pieces(pieces, head.length, write_s)
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()

    async def _ask(self, data: bytes, limit_s: float) -> None:
        """Send all, then receive something: ``write`` and ``read`` for the price of one scope.

        Where sending takes time, receiving is left to the caller, since its time starts anew.
        """
        began_at_s = trio.current_time()
        sending = True
        try:
            with trio.CancelScope(deadline=began_at_s + limit_s) as scope:
                await self._write_all(data)
                sending = False
                if trio.current_time() - began_at_s <= _AT_ONCE_S:
                    self._reader.feed(await self.port.recv(READ_BYTES))
        except BROKEN as error:
            failure = self._errors.write_error if sending else self._errors.read_error
            raise failure(str(error)) from error
        if scope.cancelled_caught:
            raise self._write_timeout(limit_s) if sending else self._read_timeout(limit_s)

    async def _send_pieces(
        self, pieces: AsyncIterator[bytes], length: int | None, timeout_s: float | None
    ) -> None:
        sent = 0
        async for data in pieces:
            sent += len(data)
            if length is not None and sent > length:
                _require_length(sent, length)
            if data:
                await self.write(chunk_of(data) if length is None else data, timeout_s)
        if length is None:
            await self.write(LAST_CHUNK, timeout_s)
        else:
            _require_length(sent, length)

    async def write(self, data: bytes, timeout_s: float | None) -> None:
        """Send all; WriteError or WriteTimeout (of httpx)."""
        try:
            if timeout_s is None:
                await self._write_all(data)
                return
            with trio.CancelScope(deadline=trio.current_time() + timeout_s):
                await self._write_all(data)
                return
        except BROKEN as error:
            raise self._errors.write_error(str(error)) from error
        raise self._write_timeout(timeout_s)

    async def _write_all(self, data: bytes) -> None:
        sent = await self.port.send(data)
        while sent < len(data):
            sent += await self.port.send(memoryview(data)[sent:])

    # In.

    async def _receive_head(self, timeout_s: float | None) -> ResponseHead:
        reader = self._reader
        try:
            while (head := reader.take_head()) is None:
                reader.feed(await self.read(READ_BYTES, timeout_s))
        except ProtocolViolation as violation:
            raise self._errors.remote_protocol_error(str(violation)) from violation
        return head

    async def receive_piece(self, timeout_s: float | None) -> bytes | None:
        """The next bytes of the body, None at its end.

        ReadError, ReadTimeout or RemoteProtocolError (of httpx).
        """
        reader = self._reader
        try:
            while (piece := reader.take_piece()) is None and not reader.finished:
                reader.feed(await self.read(READ_BYTES, timeout_s))
        except ProtocolViolation as violation:
            raise self._errors.remote_protocol_error(str(violation)) from violation
        return piece

    async def read(self, size: int, timeout_s: float | None) -> bytes:
        """The next bytes, none at the end; ReadError or ReadTimeout (of httpx)."""
        try:
            if timeout_s is None:
                return await self.port.recv(size)
            with trio.CancelScope(deadline=trio.current_time() + timeout_s):
                return await self.port.recv(size)
        except BROKEN as error:
            raise self._errors.read_error(str(error)) from error
        raise self._read_timeout(timeout_s)

    def _read_timeout(self, limit_s: float) -> Exception:
        return self._errors.read_timeout(f"nothing was received for {limit_s:g} s")

    def _write_timeout(self, limit_s: float) -> Exception:
        return self._errors.write_timeout(f"no room to send within {limit_s:g} s")

    def take_rest(self, size: int) -> bytes:
        """At most ``size`` bytes that were received behind a head that switched protocols."""
        return self._reader.take_rest(size)


def _require_length(size: int, length: int) -> None:
    if size != length:
        much = "much" if size > length else "little"
        raise ProtocolViolation(f"Too {much} data for declared Content-Length: {size} of {length}")
