"""Scenes between an HTTP client and a server, and what they look like from the client's side."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol, cast

import httpx
import httpx2
import trio

from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.wire.fast_transport2 import FastTransport2
from tests.contract.carriers import Carrier

__all__ = ["LIBRARIES", "Exchanged", "Lab", "Library", "Scene", "Server", "Story", "play"]


class Server(Protocol):
    """What a scene needs of its server."""

    connections: int

    async def serve(self, listeners: Sequence[trio.abc.Listener[trio.SocketStream]]) -> None:
        """Serve until cancelled, counting connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """httpx or httpx2, with our transport for it."""

    module: ModuleType
    fast: type[FastTransport] | type[FastTransport2]

    def transport(self, kind: str, limits: Any, verify: ssl.SSLContext | bool) -> Any:
        """``own``: its own pool; ``fast``: ours."""
        made = self.fast if kind == "fast" else self.module.AsyncHTTPTransport
        return made(verify=verify, limits=limits)


LIBRARIES = (
    Library(module=httpx, fast=FastTransport),
    Library(module=httpx2, fast=FastTransport2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """One exchange as its client saw it: the error's class name or None, and what arrived."""

    error: str | None = None
    status: int | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    version: bytes = b""
    body: bytes = b""


@dataclass(slots=True, kw_only=True)
class Lab:
    """A client with a server to talk to; ``seen`` is what came of each exchange, in order."""

    library: Library
    kind: str
    host: str
    port: int
    patience_s: float
    seen: list[Exchanged] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def client(
        self,
        *,
        timeout: dict[str, float] | None = None,
        verify: ssl.SSLContext | bool = False,
        **limits: float,
    ) -> AsyncIterator[Any]:
        """A client of the library over the transport under test."""
        module = self.library.module
        bounds = module.Limits(**{"max_connections": 10, "keepalive_expiry": 5.0, **limits})
        async with module.AsyncClient(
            transport=self.library.transport(self.kind, bounds, verify),
            base_url=f"http://{self.host}:{self.port}",
            timeout=module.Timeout(100.0, **(timeout or {})),
            trust_env=False,
        ) as client:
            yield client

    async def ask(self, client: Any, path: str, *, method: str = "GET", **request: Any) -> None:
        """One exchange, its body read to the end."""
        response, body = None, b""
        try:
            async with client.stream(method, path, **request) as response:
                async for piece in response.aiter_raw():
                    body += piece
        except Exception as error:
            self.note(type(error).__name__, response, body)
        else:
            self.note(None, response, body)

    def note(self, error: str | None, response: Any, body: bytes) -> None:
        """Write down an exchange."""
        if response is None:
            self.seen.append(Exchanged(error=error))
            return
        headers = [(name, value) for name, value in response.headers.raw if name != b"date"]
        self.seen.append(
            Exchanged(
                error=error,
                status=response.status_code,
                headers=tuple(headers),
                version=response.extensions["http_version"],
                body=body,
            )
        )

    @property
    def outcomes(self) -> list[str | int | None]:
        """Of each exchange the error's class name, or the status."""
        return [each.error or each.status for each in self.seen]


Scene = Callable[[Lab], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What came of a scene; two transports are equal when their stories are."""

    seen: tuple[Exchanged, ...]
    outcomes: tuple[str | int | None, ...]
    connections: int


def play(carrier: Carrier, library: Library, kind: str, server: Server, scene: Scene) -> Story:
    """Play ``scene`` with a fresh client of ``kind`` against ``server``."""

    async def with_client(host: str, port: int) -> tuple[Exchanged, ...]:
        lab = Lab(
            library=library,
            kind=kind,
            host=host,
            port=port,
            patience_s=carrier.patience_s,
        )
        await scene(lab)
        return tuple(lab.seen)

    # A carrier asks of a server only that it can serve.
    seen = carrier.play(cast("ChaosServer", server), with_client)
    outcomes = tuple(each.error or each.status for each in seen)
    return Story(seen=seen, outcomes=outcomes, connections=server.connections)
