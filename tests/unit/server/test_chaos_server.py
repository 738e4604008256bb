"""The server as a whole: its ledger, its controls, and clients that misbehave."""

from __future__ import annotations

import hashlib

import pytest
import trio

from chaoscheck.errors import PlanError
from chaoscheck.history.exchange import Exchange
from chaoscheck.history.trace import Trace
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.limits import ConcurrencyCap, TokenLimit
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.settings import ServerSettings
from chaoscheck.wire.request_codec import Limits
from tests.contract.carriers import VIRTUAL, at_rest
from tests.contract.raw_client import RawClient, Seen, chat_request


def _exchange(server: ChaosServer, *sent: bytes, answers: int = 1) -> list[Seen]:
    """Send bytes piece by piece on one connection and look at so many answers."""

    async def scene(host: str, port: int) -> list[Seen]:
        async with RawClient.connected(host, port) as raw:
            for piece in sent:
                await raw.stream.send_all(piece)
                await trio.sleep(0.01)
            seen = [await raw.look(patience_s=0.1) for _ in range(answers)]
        await at_rest(server)
        await trio.sleep(0.1)
        return seen

    return VIRTUAL.play(server, scene)


def test_the_ledger_tells_what_was_put_on_the_wire() -> None:
    """One good request: every field of its entry."""
    server = ChaosServer()
    headers = "X-Chaos-Key: k\r\nX-Attempt-Id: a1\r\n"
    (seen,) = _exchange(server, chat_request("hi", headers=headers))

    length = len(seen.body)
    expected = Exchange(
        number=1,
        key="k",
        attempt=1,
        attempt_id="a1",
        method="POST",
        path="/v1/chat/completions",
        tag="hi",
        fault=None,
        fault_name=None,
        status=200,
        body_sent=length,
        body_length=length,
        body_digest=hashlib.sha256(seen.body).hexdigest(),
        received_at_s=0.0,
        ended_at_s=0.0,
        ended="complete",
        effect=False,
        provider="openai",
        streamed=False,
        bytes_sent=len(seen.head) + len("\r\n\r\n") + length,
        last_byte_at_s=0.0,
        client_left_at_s=None,
    )
    assert [expected] == list(server.ledger)


def test_the_digest_of_a_partial_answer_is_of_what_was_sent() -> None:
    """A client can prove which bytes it got even when the answer was cut."""
    server = ChaosServer()
    server.next_fault("close_mid_body(after_bytes=5)")
    (seen,) = _exchange(server, chat_request())

    assert hashlib.sha256(seen.body).hexdigest() == server.ledger[0].body_digest


def test_the_ledger_is_a_ring() -> None:
    """A soak does not eat the memory; the counters still know everything."""
    server = ChaosServer(FaultPlan.of({"status_500": 1.0}), settings=ServerSettings(ledger_limit=2))
    _exchange(server, chat_request() * 5, answers=5)

    assert ([4, 5], 5) == ([entry.number for entry in server.ledger], server.ledger.total)
    assert {"status_500": 5} == dict(server.hits) == dict(server.injected)


def test_pipelined_requests_are_answered_in_order() -> None:
    """Answers come in the order of requests on a connection."""
    seen = _exchange(ChaosServer(), b"".join(chat_request(f"n{n}") for n in range(4)), answers=4)

    assert [True] * 4 == [f'"content":"n{n}"'.encode() in seen[n].body for n in range(4)]


def test_a_fault_does_not_hit_a_client_mistake() -> None:
    """Queued faults wait for a request that would have been answered well."""
    server = ChaosServer()
    server.next_fault("status_503")
    seen = _exchange(
        server, b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n" + chat_request(), answers=2
    )

    assert [404, 503] == [answer.status for answer in seen]


@pytest.mark.parametrize(
    ("sent", "status", "path"),
    [
        (b"GARBAGE\r\n\r\n", 400, ""),
        (b"GET /openai/x HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n", 400, "/openai/x"),
        (b"GET /x HTTP/1.1\r\nhost: x\r\na: " + b"a" * 300 + b"\r\n\r\n", 431, "/x"),
        (b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n" + b"a" * 500, 413, "/x"),
    ],
)
def test_a_malformed_request_is_answered_booked_and_cut(
    sent: bytes, status: int, path: str
) -> None:
    """The client learns why, the ledger has it, and the connection is over."""
    server = ChaosServer(settings=ServerSettings(limits=Limits(head_bytes=200, body_bytes=400)))
    seen, after = _exchange(server, sent, answers=2)

    assert (status, "close", "eof") == (seen.status, seen.header("connection"), after.ended)
    assert [(path, status, "complete", "")] == [
        (entry.path, entry.status, entry.ended, entry.key) for entry in server.ledger
    ]


def test_a_client_that_leaves_in_mid_request_is_booked() -> None:
    """Half a request is an entry without a status."""
    server = ChaosServer()

    async def scene(host: str, port: int) -> None:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request(headers="X-Attempt-Id: a1\r\n")[:-5])
        await trio.sleep(1)

    VIRTUAL.play(server, scene)
    (entry,) = server.ledger

    assert ("client_left", None, "a1", 0) == (
        entry.ended,
        entry.status,
        entry.attempt_id,
        server.in_flight,
    )


def test_a_client_that_waits_for_100_continue_gets_it() -> None:
    """An upload that asks first is told to go on, then answered."""
    whole = chat_request(headers="Expect: 100-continue\r\n")
    head, end, body = whole.partition(b"\r\n\r\n")

    async def scene(host: str, port: int) -> tuple[bytes, Seen]:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(head + end)
            interim = await raw.stream.receive_some()
            await raw.stream.send_all(body)
            return bytes(interim), await raw.look()

    interim, seen = VIRTUAL.play(ChaosServer(), scene)

    assert (b"HTTP/1.1 100 Continue\r\n\r\n", 200) == (interim, seen.status)


@pytest.mark.parametrize(
    ("line", "connection", "ended"),
    [
        ("HTTP/1.1\r\nhost: x\r\nconnection: close", "close", "eof"),
        ("HTTP/1.0", "close", "eof"),
        ("HTTP/1.0\r\nconnection: keep-alive", "keep-alive", "silence"),
        ("HTTP/1.1\r\nhost: x", None, "silence"),
    ],
)
def test_a_connection_lasts_as_long_as_the_client_wants(
    line: str, connection: str | None, ended: str
) -> None:
    """Keep-alive follows the request, and the answer says so."""
    first, second = _exchange(ChaosServer(), f"GET / {line}\r\n\r\n".encode(), answers=2)

    assert (404, connection, ended) == (first.status, first.header("connection"), second.ended)


def test_a_client_that_leaves_during_a_slow_answer_is_noticed_at_once() -> None:
    """No answer is prepared for somebody who is gone."""
    server = ChaosServer()
    server.next_fault(faults.slow_response(delay_s=60))

    async def scene(host: str, port: int) -> None:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request())
            await trio.sleep(3)
        await trio.sleep(1)

    VIRTUAL.play(server, scene)
    (entry,) = server.ledger

    assert ("client_left", 3.0, True) == (
        entry.ended,
        entry.ended_at_s - entry.received_at_s,
        entry.effect,
    )


def test_a_script_counts_the_attempts_of_its_key() -> None:
    """``fail the first two attempts of this key`` does just that."""
    server = ChaosServer()
    server.script("k", ["status_429", "status_503"])
    keyed = chat_request(headers="X-Chaos-Key: k\r\n")
    seen = _exchange(server, (chat_request() + keyed) * 3, answers=6)

    assert [200, 429, 200, 503, 200, 200] == [answer.status for answer in seen]


def test_the_limit_of_a_plan_lets_a_patient_client_through() -> None:
    """Backing off pays: after the wait that Retry-After names there is a token."""
    server = ChaosServer(FaultPlan(limits=(TokenLimit(rate_per_s=0.5),)))

    async def scene(host: str, port: int) -> list[int | None]:
        async with RawClient.connected(host, port) as raw:
            statuses = []
            for _ in range(3):
                await raw.stream.send_all(chat_request())
                seen = await raw.look()
                statuses.append(seen.status)
                await trio.sleep(float(seen.header("retry-after") or 0))
            return statuses

    assert [200, 429, 200] == VIRTUAL.play(server, scene)


def test_a_stalled_answer_counts_as_in_flight() -> None:
    """The cap counts what is under way, and what is refused says so."""
    server = ChaosServer(FaultPlan(limits=(ConcurrencyCap(in_flight=1),)))
    server.next_fault("stall_before_headers")

    async def scene(host: str, port: int) -> tuple[int, int | None]:
        async with RawClient.connected(host, port) as one, RawClient.connected(host, port) as two:
            await one.stream.send_all(chat_request())
            await trio.sleep(0.1)
            in_flight = server.in_flight
            await two.stream.send_all(chat_request())
            return in_flight, (await two.look()).status

    assert (1, 429) == VIRTUAL.play(server, scene)


def test_a_server_that_is_stopped_books_what_was_under_way() -> None:
    """Stopping the server loses no entry, and no hit: the stall had held its client up."""
    server = ChaosServer()
    server.next_fault("stall_before_headers")

    async def scene(host: str, port: int) -> None:
        raw = await trio.open_tcp_stream(host, port)
        await raw.send_all(chat_request())
        await trio.sleep(0.1)

    VIRTUAL.play(server, scene)

    assert [("server_stopped", True)] == [(entry.ended, entry.effect) for entry in server.ledger]


def test_the_trace_is_told_of_requests_faults_and_answers() -> None:
    """A story of a failing run names each fault where it happened."""
    trace = Trace(lambda: 0.0)
    server = ChaosServer(trace=trace)
    server.next_fault("status_529")
    _exchange(server, chat_request())

    assert ["request", "fault", "answered"] == [event.kind for event in trace]


@pytest.mark.parametrize("limit", [0, -1, 1.5])
def test_a_ledger_holds_at_least_one_entry(limit: int) -> None:
    """A ledger that cannot hold anything is a mistake."""
    with pytest.raises(PlanError, match="ledger_limit"):
        ChaosServer(settings=ServerSettings(ledger_limit=limit))


def test_a_new_plan_takes_the_place_of_the_old_one() -> None:
    """Assigning a plan changes what the next request meets."""
    server = ChaosServer(FaultPlan.of({"status_500": 1.0}))
    server.plan = FaultPlan.of({"status_503": 1.0}, seed=4)
    (seen,) = _exchange(server, chat_request())

    assert (503, 4) == (seen.status, server.plan.seed)


@pytest.mark.parametrize(
    ("target", "provider"), [("/v1/models", "anthropic"), ("/api/v1/models", "openrouter")]
)
def test_a_bad_host_is_refused_in_the_providers_form(target: str, provider: str) -> None:
    """What my client reads of its own mistake, it reads as from its provider; then it is over."""
    server = ChaosServer()
    head = f"GET {target} HTTP/1.1\r\nanthropic-version: 2023-06-01\r\n\r\n"
    seen, after = _exchange(server, head.encode(), answers=2)

    assert (400, "close", "eof") == (seen.status, seen.header("connection"), after.ended)
    assert [(provider, 400)] == [(entry.provider, entry.status) for entry in server.ledger]
