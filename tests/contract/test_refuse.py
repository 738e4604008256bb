"""A connection that is refused: reset as soon as it is accepted, with nothing read.

The kernel completes the handshake before a server hears of it, so what a client meets depends on
how far it has come when the RST arrives: it is compared as a set. What never happens is an answer,
a FIN, or a wait.
"""

from __future__ import annotations

import pytest
import trio

from chaoscheck.history.exchange import Exchange
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.chaos_server import ChaosServer
from tests.contract.carriers import CARRIERS, VIRTUAL, Carrier, at_rest
from tests.contract.clients import CLIENTS, TEXT, Outcome
from tests.contract.raw_client import RawClient, Seen, chat_request
from tests.contract.stream_clients import STREAM_CLIENTS

PATIENCE_S = 4.0  # nobody needs it: a reset comes at once

# While it connects, sends, waits for the answer, or finds the connection gone by then.
OF_HTTP = {"ConnectError", "WriteError", "ReadError", "RemoteProtocolError"}
OF_SDKS = {f"APIConnectionError from {error}" for error in OF_HTTP}
LEGAL = {
    "raw": {"OSError", "reset"},
    "httpx": OF_HTTP,
    "httpx2": OF_HTTP,
    "openai": OF_SDKS,
    "anthropic": OF_SDKS,
}

on_every_carrier = pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.name)
of_every_client = pytest.mark.parametrize("client", CLIENTS)


def _ask(
    carrier: Carrier, server: ChaosServer, *clients: str, streamed: bool = False
) -> list[Outcome]:
    """What these clients meet, one after the other, each on a connection of its own."""
    asking = STREAM_CLIENTS if streamed else CLIENTS

    async def scene(host: str, port: int) -> list[Outcome]:
        met = [await asking[client](host, port, PATIENCE_S) for client in clients]
        await at_rest(server)
        return met

    return carrier.play(server, scene)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@of_every_client
@on_every_carrier
def test_a_refused_client_gets_an_error_and_the_next_an_answer(
    carrier: Carrier, client: str, streamed: bool
) -> None:
    """My client is told that its connection is gone; with the next one all is well."""
    server = ChaosServer()
    server.next_fault("refuse")

    refused, served = _ask(carrier, server, client, client, streamed=streamed)

    assert refused.ended in LEGAL[client]
    assert (None, b"") == (refused.status, refused.delivered)
    assert ("whole", 200) == (served.ended, served.status)
    assert {"refuse": 1} == dict(server.injected) == dict(server.hits)


@on_every_carrier
def test_a_raw_client_sees_a_reset_and_never_an_end(carrier: Carrier) -> None:
    """Who connects and only listens, or says half a request, is reset: no FIN, no silence."""
    server = ChaosServer(FaultPlan.of({"refuse": 1.0}))

    async def connect(host: str, port: int, said: bytes) -> str:
        try:
            async with RawClient.connected(host, port) as raw:
                await raw.stream.send_all(said)
                return (await raw.look(patience_s=PATIENCE_S)).ended
        except (OSError, trio.BrokenResourceError):
            return "reset"

    async def scene(host: str, port: int) -> list[str]:
        return [await connect(host, port, said) for said in (b"", b"POST / HT", chat_request())]

    assert ["reset"] * 3 == carrier.play(server, scene)


@on_every_carrier
def test_a_refused_connection_is_in_the_ledger(carrier: Carrier) -> None:
    """Nothing was asked, so it has no key and no attempt; but it happened, and is counted."""
    server = ChaosServer()
    server.next_fault("refuse")
    _ask(carrier, server, "httpx", "httpx")

    refused, served = server.ledger
    assert _account(refused) == {
        "number": 1,
        "key": "",
        "attempt": 0,
        "method": "",
        "path": "",
        "fault": "refuse()",
        "effect": True,
        "status": None,
        "bytes_sent": 0,
        "last_byte_at_s": None,
        "ended": "reset",
    }
    assert (2, None, 200, "complete", 1) == (
        served.number,
        served.fault,
        served.status,
        served.ended,
        served.attempt,
    )


def _account(exchange: Exchange) -> dict[str, object]:
    names = [
        *("number", "key", "attempt", "method", "path", "fault"),
        *("effect", "status", "bytes_sent", "last_byte_at_s", "ended"),
    ]
    return {name: getattr(exchange, name) for name in names}


@on_every_carrier
def test_a_connection_that_is_open_already_is_not_refused(carrier: Carrier) -> None:
    """Refusing is for newcomers: requests on a kept connection pass, and the fault waits."""
    server = ChaosServer()

    async def scene(host: str, port: int) -> tuple[Seen, Outcome]:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request(TEXT))
            await raw.look()
            server.next_fault("refuse")
            await raw.stream.send_all(chat_request("kept"))
            kept = await raw.look()
            newcomer = await CLIENTS["httpx"](host, port, PATIENCE_S)
        await at_rest(server)
        return kept, newcomer

    kept, newcomer = carrier.play(server, scene)

    assert ("whole", 200) == (kept.ended, kept.status)
    assert newcomer.ended in OF_HTTP
    assert [None, None, "refuse()"] == [exchange.fault for exchange in server.ledger]


@on_every_carrier
def test_it_does_not_stand_in_the_way_of_faults_of_requests(carrier: Carrier) -> None:
    """The refused connection takes its own fault, the next one's request the other."""
    server = ChaosServer()
    server.next_fault("status_503")
    server.next_fault("refuse")

    refused, failed = _ask(carrier, server, "httpx", "httpx")

    assert refused.ended in OF_HTTP
    assert ("whole", 503) == (failed.ended, failed.status)


@on_every_carrier
def test_by_rate_some_connections_are_refused_and_others_served(carrier: Carrier) -> None:
    """The same seed refuses the same connections, counted from the first, on every carrier."""
    server = ChaosServer(FaultPlan.of({faults.refuse(): 0.5}, seed=7))

    outcomes = _ask(carrier, server, *["raw"] * 12)

    fates = [outcome.ended == "whole" for outcome in outcomes]
    assert [exchange.fault is None for exchange in server.ledger] == fates
    assert fates == _fates_in_virtual_time()
    assert {True, False} == set(fates)


def _fates_in_virtual_time() -> list[bool]:
    server = ChaosServer(FaultPlan.of({faults.refuse(): 0.5}, seed=7))
    return [outcome.ended == "whole" for outcome in _ask(VIRTUAL, server, *["raw"] * 12)]


@on_every_carrier
def test_healed_everybody_is_let_in(carrier: Carrier) -> None:
    """After heal nobody is refused any more."""
    server = ChaosServer(FaultPlan.of({"refuse": 1.0}))
    server.heal()

    assert ["whole"] * 3 == [outcome.ended for outcome in _ask(carrier, server, *["httpx"] * 3)]
