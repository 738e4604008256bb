"""Calls and attempts as the ledger has them: what ends a call, seen through a client."""

from __future__ import annotations

import contextlib

import httpx
import pytest
import trio

from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.replies import Replies
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.job import Job
from chaoscheck.server.service import Service
from chaoscheck.wire.request_codec import Request
from chaoscheck.world.virtual import VirtualWorld

BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
PATH = "/v1/chat/completions"


def places(server: ChaosServer, timeouts_s: list[float]) -> list[tuple[int, int]]:
    """(occurrence, attempt) of equal requests, one after the other, given up after a while."""

    async def ask() -> None:
        async with httpx.AsyncClient(base_url="http://api.test", verify=False) as client:
            for timeout_s in timeouts_s:
                with contextlib.suppress(httpx.TransportError):
                    await client.post(PATH, json=BODY, timeout=timeout_s)
                await trio.sleep(1)

    with VirtualWorld() as world:
        world.network.add_host("api.test")
        world.spawn(server.serve, world.run(world.network.listen, "api.test", 80))
        world.run(ask)
        by_number = sorted(server.ledger, key=lambda exchange: exchange.number)
        return [(each.occurrence, each.attempt) for each in by_number]


def test_equal_requests_that_end_well_are_calls_of_their_own() -> None:
    """Each begins at attempt 1."""
    assert [(1, 1), (2, 1), (3, 1)] == places(ChaosServer(), [9, 9, 9])


def test_a_client_that_leaves_a_good_answer_comes_back_to_its_call() -> None:
    """My time-out ends no call: nothing was answered whole."""
    server = ChaosServer(FaultPlan(replies=Replies(first_token_s=5)))

    assert [(1, 1), (1, 2), (2, 1)] == places(server, [1, 9, 9])


def test_a_refused_request_is_an_attempt_that_failed() -> None:
    """A fault is followed by the next attempt at the same call, once."""
    server = ChaosServer()
    server.next_fault("status_500")

    assert [(1, 1), (1, 2), (2, 1)] == places(server, [9, 9, 9])


def test_an_error_of_the_servers_own_is_an_attempt_that_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the server failed on is a 500; my retry is the next attempt."""
    server = ChaosServer()

    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("chaoscheck.server.service.Service._good_answer", breaks)

    assert [(1, 1), (1, 2)] == places(server, [9, 9])


def test_a_fault_that_had_no_effect_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stall that was healed before it began: the next request is another call."""
    server = ChaosServer()
    server.next_fault("stall_before_headers")
    begin = Service.begin

    def begin_and_heal(service: Service, request: Request, now_s: float) -> Job:
        job = begin(service, request, now_s)
        service.heal()
        return job

    monkeypatch.setattr(Service, "begin", begin_and_heal)

    assert [(1, 1), (2, 1)] == places(server, [9, 9])
    assert {"stall_before_headers": 1} == server.injected


def test_a_call_goes_on_to_the_end_of_its_script() -> None:
    """A good attempt within a script is followed by what the script says next, once a call."""
    server = ChaosServer(FaultPlan.of(first=[None, "status_500"]))

    assert [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)] == places(server, [9] * 5)
    assert [200, 500, 200, 200, 500] == [exchange.status for exchange in server.ledger]


# What is late and whole has had its effect; so each fault that hits a request is here.
_HITS = [fault() for fault in FAULTS if fault().strikes == "request"]


@pytest.mark.parametrize("fault", _HITS, ids=lambda fault: fault.name)
def test_every_fault_that_had_an_effect_leaves_its_call_open(fault: Fault) -> None:
    """The request after it is the second attempt, and the one after that another call."""
    server = ChaosServer()
    server.next_fault(fault)
    met = places(server, [9, 99, 99])

    if server.hits:
        assert [(1, 1), (1, 2), (2, 1)] == met
    else:
        assert [(1, 1), (2, 1), (3, 1)] == met
