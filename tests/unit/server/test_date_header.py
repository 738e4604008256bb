"""``Date`` stands on every answer, by the calendar of the world that the server runs in."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import trio

from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.settings import ServerSettings
from tests.contract.carriers import VIRTUAL
from tests.contract.raw_client import RawClient, Seen, chat_request

TOKEN = "token"
ADMIN = f"GET /_chaoscheck/health HTTP/1.1\r\nhost: x\r\nx-chaos-token: {TOKEN}\r\n\r\n".encode()
LATE_S = 3.0


def _asked_twice(request: bytes, fault: str | None = None) -> list[Seen]:
    """The answers at the beginning and ``LATE_S`` virtual seconds later."""
    plan = FaultPlan() if fault is None else FaultPlan.of({fault: 1.0})
    server = ChaosServer(plan, settings=ServerSettings(admin_token=TOKEN))

    async def scene(host: str, port: int) -> list[Seen]:
        seen = []
        for _ in range(2):
            async with RawClient.connected(host, port) as raw:
                await raw.stream.send_all(request)
                seen.append(await raw.look())
            await trio.sleep(LATE_S)
        return seen

    return VIRTUAL.play(server, scene)


def _date(seen: Seen) -> datetime:
    dates = [line for line in seen.head.split(b"\r\n") if line.startswith(b"date: ")]
    assert 1 == len(dates)
    return parsedate_to_datetime(dates[0].partition(b" ")[2].decode())


@pytest.mark.parametrize(
    ("request_", "fault", "status"),
    [
        (chat_request(), None, 200),
        (chat_request(streamed=True), None, 200),
        (chat_request(path="/v1/messages"), None, 400),
        (b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n", None, 404),
        (b"HEAD /v1/models HTTP/1.0\r\n\r\n", None, 200),
        (b"GARBAGE\r\n\r\n", None, 400),
        (ADMIN, None, 200),
        (chat_request(), "status_503", 503),
        (chat_request(), "empty_body", 200),
        (chat_request(), "content_length_long", 200),
    ],
)
def test_every_answer_bears_the_date(request_: bytes, fault: str | None, status: int) -> None:
    """A client can tell the server's clock from its own by any answer, an error's too."""
    first, second = _asked_twice(request_, fault)

    assert (status, status) == (first.status, second.status)
    assert timedelta(seconds=LATE_S) == _date(second) - _date(first)


def test_the_date_is_as_deterministic_as_the_world() -> None:
    """The same run gives the same bytes, dates included."""
    assert _asked_twice(chat_request()) == _asked_twice(chat_request())
