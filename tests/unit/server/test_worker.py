"""What takes long to answer is answered on a thread, in real time, while others are served."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trio
import trio.testing

from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.replies import RecordedReply, Replies
from chaoscheck.server import service as services
from chaoscheck.server.apis.routes import PLACES, route
from chaoscheck.server.books.ledger import Ledger
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.decision import Decisions
from chaoscheck.server.identity import key_of
from chaoscheck.server.job import Job
from chaoscheck.server.service import Service
from chaoscheck.server.threaded import ThreadedServer
from chaoscheck.server.worker import LARGE_BYTES
from chaoscheck.wire.request_codec import Request
from tests.contract.carriers import VIRTUAL, at_rest
from tests.contract.raw_client import RawClient, chat_request

LONG = "long " * (LARGE_BYTES // 5)


def _request(text: str = LONG) -> Request:
    said = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return Request(
        method="POST",
        target="/v1/chat/completions",
        headers={},
        body=json.dumps(said).encode(),
        keep_alive=True,
        version="1.1",
    )


def _ask(url: str, text: str = "hello") -> int:
    headers = {"content-type": "application/json"}
    url += "/v1/chat/completions"
    with urllib.request.urlopen(
        urllib.request.Request(url, _request(text).body, headers), timeout=10
    ) as reply:
        reply.read()
        return int(reply.status)


def _service(plan: FaultPlan | None = None) -> Service:
    service = Service(Decisions(plan or FaultPlan(), None), Ledger(10), None)
    service.use_worker()
    return service


def _key_on(look: Callable[[], object]) -> Callable[[Request, str], str]:
    def looked(request: Request, path: str) -> str:
        if len(request.body) >= LARGE_BYTES:
            look()
        return key_of(request, path)

    return looked


def test_others_are_answered_while_a_long_prompt_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """My short question is answered before a long one of someone else is."""
    long_has_come, others_answered = threading.Event(), threading.Event()

    def read() -> None:
        long_has_come.set()
        others_answered.wait(10)

    monkeypatch.setattr(services, "key_of", _key_on(read))
    with ThreadedServer() as server, ThreadPoolExecutor(1) as clients:
        long = clients.submit(_ask, server.url, LONG)
        assert long_has_come.wait(10)
        assert [200] * 3 == [_ask(server.url) for _ in range(3)]
        assert not long.done()
        others_answered.set()
        assert 200 == long.result(10)
        assert [2, 3, 4, 1] == [exchange.number for exchange in server.ledger]


def test_a_world_has_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """In virtual time a long prompt is read where it arrives, so that runs replay."""
    threads: list[threading.Thread] = []
    look = _key_on(lambda: threads.append(threading.current_thread()))
    monkeypatch.setattr(services, "key_of", look)
    server = ChaosServer()

    async def scene(host: str, port: int) -> None:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request(LONG))
            await raw.look()
        await at_rest(server)

    VIRTUAL.play(server, scene)
    assert [threading.main_thread()] == threads


def test_equal_long_prompts_are_attempts_in_the_order_of_arrival() -> None:
    """The second of two equal ones is the next attempt at the first, which failed."""
    service = _service(FaultPlan.of(first=["status_429"]))
    jobs: list[Job] = []

    async def main() -> None:
        request = _request()
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                job = service.begin(request, trio.current_time())
                jobs.append(job)
                nursery.start_soon(service.finish, job, request)
                await trio.testing.wait_all_tasks_blocked()

    trio.run(main)
    assert [(1, 429), (2, 200)] == [(job.attempt, job.status) for job in jobs]


def test_an_error_on_the_thread_is_the_provider_s_500(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server lives, and books it."""

    def fail() -> None:
        raise OverflowError

    monkeypatch.setattr(services, "key_of", _key_on(fail))
    service = _service()

    async def main() -> Job:
        job = service.begin(_request(), 0.0)
        await service.finish(job, _request())
        return job

    job = trio.run(main)
    assert (500, None) == (job.status, job.work)
    assert "OverflowError" in str(job.error)


def test_what_is_worked_on_when_the_server_stops_is_booked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger says that the server was stopped, and nothing is left in flight."""
    began, ends = threading.Event(), threading.Event()

    def read() -> None:
        began.set()
        ends.wait(10)

    monkeypatch.setattr(services, "key_of", _key_on(read))
    service = _service()

    async def main() -> None:
        job = service.begin(_request(), 0.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.finish, job, _request())
            await trio.to_thread.run_sync(began.wait, 10)
            nursery.cancel_scope.cancel()

    try:
        trio.run(main)
    finally:
        ends.set()
    assert (0, ["server_stopped"]) == (service.in_flight, [each.ended for each in service.ledger])


@pytest.mark.parametrize(
    ("replies", "aside"),
    [
        ({"mode": "seeded", "words_max": 30}, False),
        ({"mode": "seeded", "words_max": 100_000}, True),
        ({"mode": "recorded", "entries": (RecordedReply(text="short"),)}, False),
        ({"mode": "recorded", "entries": (RecordedReply(text=2 * LONG),)}, True),
    ],
)
def test_long_replies_are_said_on_the_thread(replies: dict[str, Any], aside: bool) -> None:
    """A plan whose replies take long to make stops no other request."""
    service = _service(FaultPlan(replies=Replies(**replies)))
    request = _request("hello")

    async def main() -> Job:
        job = service.begin(request, 0.0)
        assert aside == (job.work is not None)
        await service.finish(job, request)
        return job

    assert 200 == trio.run(main).status


def test_every_look_at_a_batch_is_worked_on_the_thread() -> None:
    """A look answers some of a batch's requests, however short it is itself."""
    batches = [place for place in PLACES if "batches" in place.path]
    assert len(batches) >= 18
    assert all(place.costly for place in batches)
    assert route("GET", "/v1/batches/batch_1", "/v1/batches/batch_1").costly
    assert route("POST", "/v1/batches", "/v1/batches").costly
    assert not route("POST", "/v1/chat/completions", "/v1/chat/completions").costly
