"""Servers and clients that make their own sockets, as their users run them."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import httpx
import httpx_ws
import trio
import trio_websocket
from hypercorn.config import Config
from hypercorn.trio import serve
from quart_trio import QuartTrio

from tests.contract.scripted_server import CERTIFICATE

__all__ = [
    "CONVERSATIONS",
    "HERE",
    "ask",
    "greet",
    "hypercorn_config",
    "over_hypercorn_with_tls",
    "serve_hypercorn",
]

HERE = "127.0.0.1"
Asgi = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]],
                Awaitable[None]]  # fmt: skip


async def greet(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application: it greets, and starts and stops when it is told."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello", "more_body": True})
    await send({"type": "http.response.body", "body": b" world"})


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def hypercorn_config(bind: str, *, tls: bool = False) -> Config:
    """Serve there, quietly."""
    config = Config()
    config.bind = [bind]
    config.errorlog = None
    if tls:
        config.certfile = config.keyfile = str(CERTIFICATE)
    return config


@contextlib.asynccontextmanager
async def serve_hypercorn(app: Any, *, tls: bool = False) -> AsyncGenerator[str]:
    """Hypercorn serves ``app`` on a socket of its own making; the URL."""
    stop = trio.Event()
    config = hypercorn_config(f"{HERE}:0", tls=tls)
    async with trio.open_nursery() as nursery:
        run = partial(serve, app, config, shutdown_trigger=stop.wait)
        [url] = await nursery.start(run)
        yield url
        stop.set()  # shutdown is the application's last message


async def ask(url: str, *, verify: ssl.SSLContext | bool = False) -> str:
    """One GET by a bare httpx client."""
    async with httpx.AsyncClient(verify=verify, trust_env=False) as client:
        return (await client.get(url)).text


async def over_anyio() -> list[object]:
    """An anyio listener and stream."""
    listener = await anyio.create_tcp_listener(local_host=HERE)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)

    async def echo(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            async for chunk in stream:
                await stream.send(chunk)

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, echo)
        async with await anyio.connect_tcp(HERE, port) as client:
            await client.send(b"hello")
            heard: list[object] = [await client.receive()]
            await client.send_eof()
            with contextlib.suppress(anyio.EndOfStream):
                heard.append(await client.receive())
        group.cancel_scope.cancel()
    return heard


async def over_hypercorn() -> list[object]:
    """An ASGI application, its life span included."""
    async with serve_hypercorn(greet) as url:
        return [await ask(url), await ask(f"{url}/again")]


async def over_hypercorn_with_tls() -> list[object]:
    """The same over TLS, whose certificate the client checks."""
    context = ssl.create_default_context(cafile=str(CERTIFICATE))
    context.check_hostname = False  # it is made out to another name
    async with serve_hypercorn(greet, tls=True) as url:
        return [await ask(url, verify=context)]


async def over_quart_trio() -> list[object]:
    """A Quart application that sleeps in a request."""
    app = QuartTrio(__name__)

    @app.get("/<name>")
    async def greeting(name: str) -> str:
        await trio.sleep(60)
        return f"hello {name}"

    async with serve_hypercorn(app) as url, httpx.AsyncClient(verify=False, timeout=90) as client:
        before = trio.current_time()
        text = (await client.get(f"{url}/quart")).text
        return [text, 60 <= trio.current_time() - before < 61]


async def _capitals(request: trio_websocket.WebSocketRequest) -> None:
    connection = await request.accept()
    with contextlib.suppress(trio_websocket.ConnectionClosed):
        while True:
            message = await connection.get_message()
            assert isinstance(message, str)
            await connection.send_message(message.upper())


@contextlib.asynccontextmanager
async def _web_socket_server() -> AsyncGenerator[str]:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, _capitals, HERE, 0, None)
        yield f"{HERE}:{server.port}"
        nursery.cancel_scope.cancel()


async def over_trio_websocket() -> list[object]:
    """Both ends by trio-websocket."""
    async with (
        _web_socket_server() as place,
        trio_websocket.open_websocket_url(f"ws://{place}/") as client,
    ):
        await client.send_message("hello")
        heard = await client.get_message()
        await client.ping()
        return [heard]


async def over_httpx_ws() -> list[object]:
    """A WebSocket client over httpx."""
    web_socket: httpx_ws.AsyncWebSocketSession
    async with (
        _web_socket_server() as place,
        httpx.AsyncClient(verify=False) as client,
        httpx_ws.aconnect_ws(f"http://{place}/", client) as web_socket,
    ):
        await web_socket.send_text("hello")
        return [await web_socket.receive_text()]


CONVERSATIONS: list[tuple[Callable[[], Awaitable[list[object]]], list[object]]] = [
    (over_anyio, [b"hello"]),
    (over_hypercorn, ["hello world", "hello world"]),
    (over_hypercorn_with_tls, ["hello world"]),
    (over_quart_trio, ["hello quart", True]),
    (over_trio_websocket, ["HELLO"]),
    (over_httpx_ws, ["HELLO"]),
]
