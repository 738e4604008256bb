"""An export of a full ledger is written while it is sent: it keeps nobody waiting."""

from __future__ import annotations

import json

import pytest
import trio

from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.settings import ServerSettings
from tests.contract.carriers import VIRTUAL
from tests.contract.raw_client import RawClient, chat_request

TOKEN = "token"
ROWS = 230


def _export(version: str) -> bytes:
    head = f"GET /_chaoscheck/export HTTP/{version}\r\nhost: x\r\nconnection: keep-alive\r\n"
    return f"{head}x-chaos-token: {TOKEN}\r\n\r\n".encode()


def _numbers(body: bytes) -> list[int]:
    lines = [line for line in body.split(b"\r\n") if line.startswith(b"{")]
    return [json.loads(line)["number"] for line in b"".join(lines).splitlines()]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_long_export_has_every_exchange_in_order(version: str) -> None:
    """In chunks, or until the connection ends for a client that knows none."""
    server = ChaosServer(settings=ServerSettings(admin_token=TOKEN))

    async def scene(host: str, port: int) -> bytes:
        async with RawClient.connected(host, port) as raw:
            for _ in range(ROWS):
                await raw.stream.send_all(chat_request())
                await raw.look()
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(_export(version))
            received = b""
            with trio.move_on_after(5):
                while data := await raw.stream.receive_some():
                    received += data
        return received.partition(b"\r\n\r\n")[2]

    body = VIRTUAL.play(server, scene)

    assert list(range(1, ROWS + 1)) == _numbers(body)


def test_others_are_answered_while_a_long_export_is_written() -> None:
    """Between two pieces of it the server has time for a request."""
    server = ChaosServer(settings=ServerSettings(admin_token=TOKEN))
    order: list[str] = []

    async def export(host: str, port: int) -> None:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(_export("1.1"))
            await raw.look()
            order.append("export")

    async def scene(host: str, port: int) -> None:
        async with RawClient.connected(host, port) as raw:
            for _ in range(ROWS):
                await raw.stream.send_all(chat_request())
                await raw.look()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(export, host, port)
                await raw.stream.send_all(chat_request())
                await raw.look()
                order.append("chat")

    VIRTUAL.play(server, scene)

    assert ["chat", "export"] == order
