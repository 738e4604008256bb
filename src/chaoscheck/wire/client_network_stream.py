"""The bytes below a response, for those who ask httpx for ``extensions["network_stream"]``.

Needed once a server has switched protocols (WebSocket), and to learn the addresses of both ends.
"""

from __future__ import annotations

from chaoscheck.wire.client_connection import ClientConnection
from chaoscheck.wire.client_dial import TlsPort

__all__ = ["NetworkStream"]


class NetworkStream:
    """What httpx documents of a network stream, except ``start_tls``."""

    __slots__ = ("_connection",)

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes behind the response's head, none at the end; ReadError, ReadTimeout."""
        rest = self._connection.take_rest(max_bytes)
        return rest or await self._connection.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of ``buffer``; WriteError, WriteTimeout."""
        if buffer:
            await self._connection.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.aclose()

    def get_extra_info(self, info: str) -> object:
        """``client_addr``, ``server_addr``, ``socket``, ``is_readable``, ``ssl_object``."""
        connection = self._connection
        if info == "client_addr":
            return connection.socket.getsockname()
        if info == "server_addr":
            return connection.socket.getpeername()
        if info == "socket":
            return connection.socket
        if info == "is_readable":
            return connection.is_stale
        port = connection.port
        return port.ssl_object if info == "ssl_object" and isinstance(port, TlsPort) else None
