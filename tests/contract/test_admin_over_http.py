"""Admin over HTTP, on every carrier: steer a running server, and count what it did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.settings import ServerSettings
from tests.contract.carriers import CARRIERS, Carrier, at_rest, client
from tests.contract.raw_client import RawClient

CHAT = "/v1/chat/completions"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
TOKEN = {"x-chaos-token": "t"}

Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(params=CARRIERS, ids=lambda carrier: carrier.name)
def carrier(request: pytest.FixtureRequest) -> Carrier:
    """Where it is played."""
    chosen: Carrier = request.param
    return chosen


def _server(rate: float = 0.0) -> ChaosServer:
    return ChaosServer(FaultPlan.of({"status_503": rate}), settings=ServerSettings(admin_token="t"))


def _play(
    carrier: Carrier, server: ChaosServer, scene: Callable[[httpx.AsyncClient, Ask], Awaitable[Any]]
) -> Any:
    """Play ``scene(http, ask)``, where ``ask(method, name)`` asks the admin with its token."""

    async def played(host: str, port: int) -> Any:
        async with client(host, port) as http:

            async def ask(method: str, name: str, **sent: Any) -> httpx.Response:
                return await http.request(method, f"/_chaoscheck/{name}", headers=TOKEN, **sent)

            return await scene(http, ask)

    return carrier.play(server, played)


def test_a_plan_put_is_what_the_next_request_meets(carrier: Carrier) -> None:
    """I change the weather of a running server, heal it, and bring its first weather back."""

    async def scene(http: httpx.AsyncClient, ask: Ask) -> list[int]:
        statuses = [(await http.post(CHAT, json=HELLO)).status_code]
        for method, name, sent in (
            ("PUT", "plan", {"rates": {"status_429": 1.0}}),
            ("POST", "heal", {}),
            ("POST", "reset", {"plan": True}),
        ):
            assert 200 == (await ask(method, name, json=sent)).status_code
            statuses.append((await http.post(CHAT, json=HELLO)).status_code)
        return statuses

    assert [503, 429, 200, 503] == _play(carrier, _server(rate=1.0), scene)


def test_faults_queue_up(carrier: Carrier) -> None:
    """The next requests meet the faults I name, and the one after them none."""

    async def scene(http: httpx.AsyncClient, ask: Ask) -> list[int]:
        await ask("POST", "faults", json={"faults": ["status_429", "status_500"]})
        return [(await http.post(CHAT, json=HELLO)).status_code for _ in range(3)]

    assert [429, 500, 200] == _play(carrier, _server(), scene)


def test_admin_requests_meet_no_fault_and_are_not_counted(carrier: Carrier) -> None:
    """Looking changes nothing: no fault strikes me, no counter moves, no exchange is booked."""
    server = _server(rate=1.0)

    async def scene(_: httpx.AsyncClient, ask: Ask) -> list[Any]:
        await ask("GET", "health")
        await ask("GET", "nowhere")
        await ask("POST", "faults", json={"faults": ["reset_before_headers"]})
        said = (await ask("GET", "stats")).json()
        return [said["requests_total"], said["in_flight"], (await ask("GET", "export")).text]

    assert [0, 0, ""] == _play(carrier, server, scene)
    assert (0, 0) == (server.ledger.total, server.in_flight)


def test_counters_over_http_equal_the_ledger(carrier: Carrier) -> None:
    """Both formats and the export tell the same story as the ledger, until it is reset."""
    server = _server()

    async def scene(http: httpx.AsyncClient, ask: Ask) -> tuple[Any, ...]:
        await ask("POST", "faults", json={"faults": ["status_429"]})
        for _ in range(3):
            await http.post(CHAT, json=HELLO)
        await at_rest(server)
        told = (await ask("GET", "stats")).json()
        text = (await ask("GET", "stats?format=prometheus")).text
        exported = (await ask("GET", "export?limit=2")).text.splitlines()
        await ask("POST", "reset")
        return told, text, exported, (await ask("GET", "stats")).json()

    told, text, exported, after = _play(carrier, server, scene)

    assert (3, {"status_429": 1}, {"200": 2, "429": 1}) == (
        told["requests_total"],
        told["hits"],
        told["statuses"],
    )
    assert 'chaoscheck_fault_hits_total{fault="status_429"} 1\n' in text
    assert (2, 0, {}) == (len(exported), after["requests_total"], after["hits"])


def test_a_stranger_learns_nothing(carrier: Carrier) -> None:
    """Without the token every endpoint is 401, and the connection stays good."""

    async def scene(http: httpx.AsyncClient, _: Ask) -> list[int]:
        answers = [
            await http.request(method, f"/_chaoscheck/{name}", headers={"x-chaos-token": "T"})
            for method, name in (("GET", "stats"), ("PUT", "plan"), ("GET", "nowhere"))
        ]
        return [answer.status_code for answer in answers]

    assert [401] * 3 == _play(carrier, _server(), scene)


def test_without_a_token_there_is_no_admin(carrier: Carrier) -> None:
    """A server that was given no token treats the admin's paths as any unknown one."""

    async def scene(_: httpx.AsyncClient, ask: Ask) -> int:
        return (await ask("GET", "health")).status_code

    server = ChaosServer()

    assert (404, 1) == (_play(carrier, server, scene), server.ledger.total)


def test_head_has_no_body(carrier: Carrier) -> None:
    """HEAD tells the length and sends nothing, so the next answer is read right."""

    async def scene(host: str, port: int) -> tuple[bytes, bool]:
        asked = "{} /_chaoscheck/health HTTP/1.1\r\nhost: x\r\nx-chaos-token: t\r\n\r\n"
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all((asked.format("HEAD") + asked.format("GET")).encode())
            data = b""
            while not data.endswith(b"}\n"):
                data += await raw.stream.receive_some()
        return data, data.count(b"HTTP/1.1 200") == 2

    data, both = carrier.play(_server(), scene)

    assert (True, 1) == (both, data.count(b'"status"'))
