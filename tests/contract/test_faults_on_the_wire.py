"""What a client sees of each fault, byte by byte, on every carrier."""

from __future__ import annotations

import json
from dataclasses import dataclass

import httpx
import pytest
import trio

from chaoscheck.history.exchange import Ending, Exchange
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.catalogue import FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.server.chaos_server import ChaosServer
from tests.contract.carriers import CARRIERS, Carrier, at_rest, client
from tests.contract.raw_client import HowItEnded, RawClient, Seen, chat_request

ALL = -1  # every byte of the body that was promised


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a fault looks like: to a raw client, to httpx (error class or status), booked."""

    fault: Fault
    status: int | None
    body_bytes: int
    ended: HowItEnded
    httpx: type[Exception] | int
    booked: Ending


def _status(fault: Fault, status: int) -> Sight:
    return Sight(
        fault=fault,
        status=status,
        body_bytes=ALL,
        ended="whole",
        httpx=status,
        booked="complete",
    )


def _ends_before_headers(
    fault: Fault, ended: HowItEnded, error: type[Exception], booked: Ending
) -> Sight:
    return Sight(fault=fault, status=None, body_bytes=0, ended=ended, httpx=error, booked=booked)


def _ends_mid_body(
    fault: Fault, ended: HowItEnded, error: type[Exception], booked: Ending
) -> Sight:
    return Sight(fault=fault, status=200, body_bytes=17, ended=ended, httpx=error, booked=booked)


SIGHTS = [
    _status(faults.status_429(retry_after_s=0.5), 429),
    _status(faults.status_500(), 500),
    _status(faults.status_503(retry_after_s=2), 503),
    _status(faults.status_529(), 529),
    _status(faults.slow_response(delay_s=0.01), 200),
    _status(faults.invalid_json(), 200),
    _status(faults.truncated_json(after_bytes=17), 200),
    _ends_before_headers(faults.close_before_headers(), "eof", httpx.RemoteProtocolError, "closed"),
    _ends_before_headers(faults.reset_before_headers(), "reset", httpx.ReadError, "reset"),
    _ends_before_headers(
        faults.stall_before_headers(), "silence", httpx.ReadTimeout, "stalled_until_left"
    ),
    _ends_mid_body(faults.close_mid_body(), "eof", httpx.RemoteProtocolError, "closed"),
    _ends_mid_body(faults.reset_mid_body(), "reset", httpx.ReadError, "reset"),
    _ends_mid_body(faults.stall_mid_body(), "silence", httpx.ReadTimeout, "stalled_until_left"),
]

on_every_carrier = pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.name)
of_every_fault = pytest.mark.parametrize("sight", SIGHTS, ids=lambda sight: sight.fault.name)


def _play_raw(carrier: Carrier, fault: Fault) -> tuple[Seen, Exchange]:
    server = ChaosServer()
    server.next_fault(fault)

    async def scene(host: str, port: int) -> tuple[Seen, Exchange]:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request())
            seen = await raw.look(patience_s=carrier.patience_s)
        await at_rest(server)
        return seen, server.ledger[0]

    return carrier.play(server, scene)


def test_every_fault_has_its_sight() -> None:
    """A fault without a proof on the wire does not ship."""
    assert {fault.name for fault in FAULTS} == {sight.fault.name for sight in SIGHTS}


@on_every_carrier
@of_every_fault
def test_a_raw_client_sees_exactly_this(carrier: Carrier, sight: Sight) -> None:
    """I know, to the byte, what a fault puts on the wire, and how the connection ends."""
    seen, booked = _play_raw(carrier, sight.fault)

    promised = int(seen.header("content-length") or 0)
    delivered = promised if sight.body_bytes == ALL else sight.body_bytes
    assert (sight.status, delivered, sight.ended) == (seen.status, len(seen.body), seen.ended)
    assert (sight.status, delivered, sight.booked) == (
        booked.status,
        booked.body_sent,
        booked.ended,
    )


@on_every_carrier
@of_every_fault
def test_httpx_sees_exactly_this(carrier: Carrier, sight: Sight) -> None:
    """My client's exception class for each fault is the same everywhere."""
    server = ChaosServer()
    server.next_fault(sight.fault)
    silent = sight.ended == "silence"

    async def scene(host: str, port: int) -> type[Exception] | int:
        outcome: type[Exception] | int
        timeout_s = carrier.patience_s if silent else 5.0
        async with client(host, port, read_timeout_s=timeout_s) as http:
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
            try:
                outcome = (await http.post("/v1/chat/completions", json=body)).status_code
            except httpx.TransportError as error:
                outcome = type(error)
        await at_rest(server)
        return outcome

    assert sight.httpx == carrier.play(server, scene)


@on_every_carrier
@of_every_fault
def test_an_injected_fault_is_counted_as_a_hit(carrier: Carrier, sight: Sight) -> None:
    """A fault that I ordered is one that happened: the counters can be trusted."""
    _, booked = _play_raw(carrier, sight.fault)

    assert (True, sight.fault.name, repr(sight.fault)) == (
        booked.effect,
        booked.fault_name,
        booked.fault,
    )


@on_every_carrier
@pytest.mark.parametrize("fault", [faults.invalid_json(), faults.truncated_json()], ids=repr)
def test_broken_json_arrives_as_a_whole_answer(carrier: Carrier, fault: Fault) -> None:
    """Only parsing reveals a broken body: status, content type and length are all in order."""
    seen, _ = _play_raw(carrier, fault)

    assert ("application/json", "whole") == (seen.header("content-type"), seen.ended)
    with pytest.raises(json.JSONDecodeError):
        json.loads(seen.body)


@on_every_carrier
def test_slow_means_at_least_the_delay(carrier: Carrier) -> None:
    """A slow answer is as late as I asked for, and then whole."""
    seen, booked = _play_raw(carrier, faults.slow_response(delay_s=0.01))

    assert "whole" == seen.ended
    assert booked.ended_at_s - booked.received_at_s >= 0.01


@on_every_carrier
@pytest.mark.parametrize("name", ["close_mid_body", "reset_mid_body", "stall_mid_body"])
def test_a_cut_beyond_the_body_withholds_its_last_byte(carrier: Carrier, name: str) -> None:
    """A fault in mid-body strikes short bodies too."""
    fault = faults.fault_class(name)(after_bytes=10_000)  # type: ignore[call-arg]

    seen, booked = _play_raw(carrier, fault)

    assert int(seen.header("content-length") or 0) - 1 == len(seen.body) == booked.body_sent


@on_every_carrier
@pytest.mark.parametrize("name", ["stall_before_headers", "stall_mid_body"])
def test_heal_lets_a_stalled_answer_go_on(carrier: Carrier, name: str) -> None:
    """After heal a client that waited gets its answer, whole, on the same connection."""
    server = ChaosServer()
    server.next_fault(name)

    async def scene(host: str, port: int) -> tuple[Seen, Exchange]:
        async with RawClient.connected(host, port) as raw, trio.open_nursery() as nursery:
            await raw.stream.send_all(chat_request("first") + chat_request("kept"))
            nursery.start_soon(_heal_once_stalled, server)
            await raw.look()
            seen = await raw.look()
        await at_rest(server)
        return seen, server.ledger[0]

    seen, booked = carrier.play(server, scene)

    assert ("complete", True) == (booked.ended, booked.effect)
    assert b'"content":"kept"' in seen.body


async def _heal_once_stalled(server: ChaosServer) -> None:
    while not server.in_flight:  # noqa: ASYNC110 (the server has no event for it, by design)
        await trio.sleep(0.001)
    await trio.sleep(0.01)
    server.heal()
