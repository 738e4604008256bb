"""Dialling: from an origin to a connected byte stream, TCP or TLS over it, on trio.

The port that comes out has the two calls of a socket, ``recv`` and ``send``: on TCP they are the
socket's own, because a stream around it costs a fifth of a request.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import sniffio
import trio

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.wire.client_errors import ClientErrors

__all__ = ["BROKEN", "Dialler", "Origin", "Port", "aclose_port"]

# What a broken or closed connection raises: sockets OSError, TLS streams BrokenResourceError.
BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)

_DEFAULT_PORTS = {b"http": 80, b"https": 443, b"ws": 80, b"wss": 443}
_TLS_SCHEMES = {b"https", b"wss"}
_GOODBYE_S = 1.0  # a peer that does not read must not hold up whoever closes a TLS connection
_BACKOFF_S = 0.5  # pauses between dials: 0, 0.5, 1, 2, 4, ... seconds


class Origin(NamedTuple):
    """Where connections lead; those to one origin are interchangeable."""

    scheme: bytes
    host: bytes
    port: int

    @classmethod
    def of(cls, scheme: bytes, host: bytes, port: int | None) -> Origin:
        """The origin, with the scheme's own port by default; KeyError for a foreign scheme."""
        return cls(scheme, host, _DEFAULT_PORTS[scheme] if port is None else port)

    @classmethod
    def speaks(cls, scheme: bytes) -> bool:
        """Whether we know how to talk to such an origin."""
        return scheme in _DEFAULT_PORTS


class Port(Protocol):
    """One connected, ordered byte stream."""

    def recv(self, size: int, /) -> Awaitable[bytes]:
        """The next bytes, at most ``size``; none at the end."""

    def send(self, data: bytes | memoryview, /) -> Awaitable[int]:
        """Send some of ``data``; how many bytes."""


class TlsPort:
    """TLS with the calls of a socket."""

    __slots__ = ("stream",)

    def __init__(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        self.stream = stream

    @property
    def ssl_object(self) -> object:
        """The standard library's view of the session: certificate, cipher, version."""
        return self.stream._ssl_object  # httpx hands out trio's, too

    async def recv(self, size: int) -> bytes:
        """As a socket's."""
        return bytes(await self.stream.receive_some(size))

    async def send(self, data: bytes | memoryview) -> int:
        """As a socket's, but it sends all."""
        await self.stream.send_all(data)
        return len(data)


async def aclose_port(port: Port, socket: trio.socket.SocketType) -> None:
    """Close, cancelled or not; a TLS peer is told so, if it listens within a second."""
    if isinstance(port, TlsPort):
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _GOODBYE_S):
            try:
                await port.stream.aclose()
            except BROKEN:
                pass  # It is gone already.
    socket.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialler:
    """How to reach origins: the TLS context (made when first needed), retries, local address.

    PlanError unless ``retries`` is an integer >= 0.
    """

    errors: ClientErrors
    tls: Callable[[], ssl.SSLContext]
    retries: int = 0
    local_address: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.retries, int) or isinstance(self.retries, bool) or self.retries < 0:
            raise PlanError(f"retries must be an integer >= 0, got {self.retries!r}")

    async def dial(
        self, origin: Origin, *, server_name: str | None, timeout_s: float | None
    ) -> tuple[Port, trio.socket.SocketType]:
        """A connected port and the socket below; ConnectError or ConnectTimeout (of httpx).

        TCP and TLS have ``timeout_s`` each. WorldError outside trio.
        """
        if sniffio.current_async_library() != "trio":
            raise WorldError(
                "the fast transport runs on trio only, not on"
                f" {sniffio.current_async_library()}; there, use httpx's own"
            )
        left, pause_s = self.retries, 0.0
        while True:
            try:
                return await self._dial_once(origin, server_name, timeout_s)
            except (self.errors.connect_error, self.errors.connect_timeout):
                if left == 0:
                    raise
            await trio.sleep(pause_s)
            left, pause_s = left - 1, pause_s * 2 or _BACKOFF_S

    async def _dial_once(
        self, origin: Origin, server_name: str | None, timeout_s: float | None
    ) -> tuple[Port, trio.socket.SocketType]:
        host = origin.host.decode("ascii")
        limit_s = math.inf if timeout_s is None else timeout_s
        try:
            with trio.fail_after(limit_s):
                tcp = await trio.open_tcp_stream(
                    host, origin.port, local_address=self.local_address
                )
        except trio.TooSlowError as error:
            raise self.errors.connect_timeout(f"no connection within {limit_s:g} s") from error
        except OSError as error:
            raise self.errors.connect_error(str(error)) from error
        if origin.scheme not in _TLS_SCHEMES:
            return tcp.socket, tcp.socket
        return await self._shake_hands(tcp, server_name or host, limit_s), tcp.socket

    async def _shake_hands(
        self, tcp: trio.SocketStream, server_name: str, limit_s: float
    ) -> TlsPort:
        try:
            stream = trio.SSLStream(
                tcp, self.tls(), server_hostname=server_name, https_compatible=True
            )
            with trio.fail_after(limit_s):
                await stream.do_handshake()
        except BaseException as error:
            tcp.socket.close()
            if isinstance(error, trio.TooSlowError):
                raise self.errors.connect_timeout(f"no TLS within {limit_s:g} s") from error
            if isinstance(error, trio.BrokenResourceError):
                raise self.errors.connect_error(str(error.__cause__ or error)) from error
            raise
        return TlsPort(stream)
