"""The transport as httpx and httpx2 both know it; their classes come in as a ``ClientLibrary``.

A connection is busy until its response is closed, read or not. Read to its end, it carries the
next request; closed earlier, cancelled or failed, it is closed.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, Self

from chaoscheck.wire.client_connection import ClientConnection
from chaoscheck.wire.client_dial import Dialler, Origin
from chaoscheck.wire.client_errors import ClientErrors
from chaoscheck.wire.client_network_stream import NetworkStream
from chaoscheck.wire.client_pool import ClientPool, LimitsOfClient, PoolBounds

__all__ = ["ClientLibrary", "ClientTransport", "ResponseBody"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLibrary:
    """What differs between httpx and httpx2: their classes.

    ``byte_stream`` is the class of bodies that are there as a whole, ``body`` a ResponseBody
    that is an AsyncByteStream of the library.
    """

    errors: ClientErrors
    response: Callable[..., Any]
    body: type[ResponseBody]
    byte_stream: type
    create_ssl_context: Callable[..., ssl.SSLContext]

    @classmethod
    def of(cls, module: ModuleType, *, body: type[ResponseBody]) -> Self:
        """The classes of ``module``."""
        return cls(
            errors=ClientErrors.of(module),
            response=module.Response,
            body=body,
            byte_stream=module.ByteStream,
            create_ssl_context=module.create_ssl_context,
        )


class ResponseBody:
    """A body as it comes; iterating or closing it is what frees the connection."""

    def __init__(
        self, transport: ClientTransport, connection: ClientConnection, timeout_s: float | None
    ) -> None:
        self._transport = transport
        self._connection = connection
        self._timeout_s = timeout_s
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next piece; ReadError, ReadTimeout or RemoteProtocolError end it."""
        if self._closed:
            raise StopAsyncIteration
        try:
            piece = await self._connection.receive_piece(self._timeout_s)
        except BaseException:
            await self.aclose()
            raise
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Give the connection back if everything was read, else close it. Twice is legal."""
        if not self._closed:
            self._closed = True
            await self._transport.give_back(self._connection)


class ClientTransport:
    """HTTP/1.1 over trio for ``library``; the errors are those of the library.

    ``verify`` and ``trust_env`` are as in httpx, ``limits`` an ``httpx.Limits`` (default: 100
    connections, 20 of them idle for 5 s), ``retries`` are of connecting. PlanError unless
    ``retries`` is an integer >= 0; WorldError for a request outside trio. Not done: HTTP/2,
    proxies, Unix sockets, the ``trace`` extension.
    """

    library: ClassVar[ClientLibrary]

    def __init__(
        self,
        *,
        verify: ssl.SSLContext | str | bool = True,
        trust_env: bool = True,
        limits: LimitsOfClient | None = None,
        retries: int = 0,
        local_address: str | None = None,
    ) -> None:
        self._verify = verify
        self._trust_env = trust_env
        self._tls: ssl.SSLContext | None = None
        self._dialler = Dialler(
            errors=self.library.errors,
            tls=self._tls_context,
            retries=retries,
            local_address=local_address,
        )
        self._pool: ClientPool[ClientConnection] = ClientPool(
            PoolBounds() if limits is None else PoolBounds.of(limits),
            lambda number, origin: ClientConnection(number, origin, self._dialler),
        )

    async def handle_async_request(self, request: Any) -> Any:
        """Send ``request`` and return its response, whose body is still to be read."""
        url = request.url
        scheme = url.raw_scheme
        if not Origin.speaks(scheme):
            raise self.library.errors.unsupported_protocol(_unsupported(scheme))
        timeouts = request.extensions.get("timeout") or {}
        origin = Origin.of(scheme, url.raw_host, url.port)
        connection = self._pool.take(origin)
        if connection is None:
            connection = await self._wait(origin, timeouts.get("pool"))
        try:
            if self._pool.closing:
                await self._aclose_dropped()
            head = await connection.exchange(request, self.library.byte_stream)
        except BaseException:
            await connection.aclose()
            await self.give_back(connection)
            raise
        return self.library.response(
            status_code=head.status,
            headers=head.headers,
            stream=self.library.body(self, connection, timeouts.get("read")),
            extensions={
                "http_version": head.version,
                "reason_phrase": head.reason,
                "network_stream": NetworkStream(connection),
            },
        )

    async def aclose(self) -> None:
        """Close every connection; requests that use one fail."""
        self._pool.remove_all()
        await self._aclose_dropped()

    async def give_back(self, connection: ClientConnection) -> None:
        """A request is through with its connection; it is closed unless it can be used again."""
        if not connection.reusable:
            await connection.aclose()
        self._pool.release(connection)
        if self._pool.closing:
            await self._aclose_dropped()

    async def _wait(self, origin: Origin, timeout_s: float | None) -> ClientConnection:
        try:
            connection = await self._pool.wait(origin, timeout_s)
        finally:
            await self._aclose_dropped()
        if connection is None:
            raise self.library.errors.pool_timeout(f"no connection was free for {timeout_s} s")
        return connection

    async def _aclose_dropped(self) -> None:
        while self._pool.closing:
            await self._pool.closing.pop(0).aclose()

    def _tls_context(self) -> ssl.SSLContext:
        # Reading the CA bundle takes 20 ms: only those pay who need it.
        if self._tls is None:
            self._tls = self.library.create_ssl_context(
                verify=self._verify, trust_env=self._trust_env
            )
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _unsupported(scheme: bytes) -> str:
    if not scheme:
        return "Request URL is missing an 'http://' or 'https://' protocol."
    return f"Request URL has an unsupported protocol '{scheme.decode('ascii')}://'."
