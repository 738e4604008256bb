"""What a raw client sees of each fault, byte by byte, and how it is booked, on every carrier.

Every fault is played in both worlds. On the real clock there are only those whose ends the kernel
makes, and one of each other family: a silence would have to be waited for there, and a busy machine
is silent too.
"""

from __future__ import annotations

import dataclasses

import pytest
import trio

from chaoscheck.history.exchange import Exchange
from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.catalogue import FAULTS, TOOL_FAULTS
from chaoscheck.server.chaos_server import ChaosServer
from tests.contract.carriers import CARRIERS, LOOPBACK_WORLD, VIRTUAL, Carrier, Loopback, at_rest
from tests.contract.clients import CLIENTS, TEXT, Ask
from tests.contract.raw_client import HowItEnded, RawClient, Seen, chat_request
from tests.contract.sights.good_answers import GOOD, in_virtual_time
from tests.contract.sights.meeting import heard, names_of, says
from tests.contract.sights.plain_sights import PLAIN_SIGHTS
from tests.contract.sights.sight import Heard, Sight, ends_early, reads_on
from tests.contract.sights.streamed_sights import STREAMED_SIGHTS
from tests.contract.stream_clients import STREAM_CLIENTS

REAL_CLOCK = Loopback()
ON_THE_REAL_CLOCK = {
    "close_before_headers",
    "close_mid_body",
    "half_close",
    "reset_before_headers",
    "reset_mid_headers",
    "reset_mid_body",
    "content_length_short",
    "content_length_long",
    "broken_chunking",
    "cut_stream",
    "status_429",
    "retry_after_garbage",
    "invalid_json",
    "mixed_line_ends",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A line of the tables, asked for plainly or as a stream, on a carrier."""

    carrier: Carrier
    sight: Sight
    streamed: bool

    @property
    def patience_s(self) -> float:
        """How long to wait for a byte: longer than anything is late."""
        return 4.0 + self.sight.late_s

    def __str__(self) -> str:
        asked = "streamed" if self.streamed else "plain"
        return f"{self.carrier.name}-{asked}-{self.sight.fault!r}"


LINES = [
    *[(sight, False) for sight in PLAIN_SIGHTS],
    *[(sight, True) for sight in STREAMED_SIGHTS],
]
IN_WORLDS = [
    Case(carrier=carrier, sight=sight, streamed=streamed)
    for carrier in (VIRTUAL, LOOPBACK_WORLD)
    for sight, streamed in LINES
]
IN_REAL_TIME = [
    Case(carrier=REAL_CLOCK, sight=sight, streamed=streamed)
    for sight, streamed in LINES
    if sight.fault.name in ON_THE_REAL_CLOCK
]

on_every_carrier = pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.name)


def _play(case: Case) -> tuple[Seen, Exchange]:
    server = ChaosServer()
    server.next_fault(case.sight.fault)

    async def scene(host: str, port: int) -> tuple[Seen, Exchange]:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request(TEXT, streamed=case.streamed))
            seen = await raw.look(patience_s=case.patience_s)
        await at_rest(server)
        return seen, server.ledger[0]

    return case.carrier.play(server, scene)


def test_every_fault_has_its_sight() -> None:
    """A fault without a proof on the wire does not ship; refuse has tests of its own.

    So have faults of tool calls: what they put on the wire is read back by a law for each API.
    """
    shown = names_of([*PLAIN_SIGHTS, *STREAMED_SIGHTS])
    of_calls = {fault.name for fault in TOOL_FAULTS}

    assert {fault.name for fault in FAULTS} == shown | of_calls | {"refuse"}
    assert shown > ON_THE_REAL_CLOCK


@pytest.mark.parametrize("case", [*IN_WORLDS, *IN_REAL_TIME], ids=str)
def test_a_raw_client_sees_exactly_this(case: Case) -> None:
    """I know, to the byte, what a fault puts on the wire, and how the connection ends."""
    sight = case.sight
    seen, _ = _play(case)

    assert (sight.status, sight.ended) == (seen.status, seen.ended)
    assert dict(sight.headers) == {name: seen.header(name) for name, _ in sight.headers}
    if sight.words is None:
        assert sight.body == in_virtual_time(seen.body)
    else:
        assert says(sight.words, seen.body)
        assert str(len(seen.body)) == seen.header("content-length")


@pytest.mark.parametrize("case", [*IN_WORLDS, *IN_REAL_TIME], ids=str)
def test_what_was_put_on_the_wire_is_booked(case: Case) -> None:
    """The ledger says what I ordered, that it happened, and what was sent until which end."""
    sight = case.sight
    seen, booked = _play(case)

    ordered = (repr(sight.fault), sight.fault.name, True)
    assert ordered == (booked.fault, booked.fault_name, booked.effect)
    sent = (sight.told_status, len(seen.body) + sight.unread, sight.booked)
    assert sent == (booked.status, booked.body_sent, booked.ended)
    head = len(seen.head) + len(b"\r\n\r\n") if sight.whole_head and seen.head else len(seen.head)
    assert head + booked.body_sent == booked.bytes_sent


@pytest.mark.parametrize("case", IN_WORLDS, ids=str)
def test_an_answer_is_as_late_as_ordered(case: Case) -> None:
    """By the world's clock the last byte goes out when the fault says, to the last digit."""
    _, booked = _play(case)

    last_byte_at_s = booked.last_byte_at_s
    assert (last_byte_at_s is None) is (booked.bytes_sent == 0)
    assert case.sight.late_s == (last_byte_at_s or booked.received_at_s) - booked.received_at_s


@pytest.mark.parametrize("case", IN_REAL_TIME, ids=str)
def test_httpx_meets_the_same_in_real_time(case: Case) -> None:
    """My client's exception class for each fault is the same everywhere."""
    server = ChaosServer()
    server.next_fault(case.sight.fault)
    ask: Ask = (STREAM_CLIENTS if case.streamed else CLIENTS)["httpx"]

    async def scene(host: str, port: int) -> Heard:
        outcome = await ask(host, port, case.patience_s)
        await at_rest(server)
        delivered = in_virtual_time(outcome.delivered)
        return heard(case.sight, "httpx", dataclasses.replace(outcome, delivered=delivered))

    assert case.sight.through("httpx") == REAL_CLOCK.play(server, scene)


@pytest.mark.parametrize(
    "case",
    [case for case in IN_WORLDS if (case.sight.ended, case.sight.booked) == ("whole", "complete")],
    ids=str,
)
def test_the_next_request_on_the_same_connection_is_answered(case: Case) -> None:
    """A fault strikes the one request it was meant for; what comes behind it is good."""
    server = ChaosServer()
    server.next_fault(case.sight.fault)

    async def scene(host: str, port: int) -> Seen:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request(TEXT, streamed=case.streamed))
            await raw.look(patience_s=case.patience_s)
            await raw.stream.send_all(chat_request("kept"))
            return await raw.look(patience_s=case.patience_s)

    seen = case.carrier.play(server, scene)

    assert (200, "whole") == (seen.status, seen.ended)
    assert b'"content":"kept"' in seen.body


@on_every_carrier
def test_bytes_beyond_the_promise_come_before_the_end(carrier: Carrier) -> None:
    """With a content-length that is too short the rest comes as well, and then FIN, never RST."""
    server = ChaosServer()
    server.next_fault(faults.content_length_short(by_bytes=10))

    async def scene(host: str, port: int) -> tuple[Seen, Seen]:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request(TEXT))
            promised = await raw.look()
            return promised, await raw.look()

    promised, rest = carrier.play(server, scene)

    assert "close" == promised.header("connection")
    assert ("eof", GOOD[-10:]) == (rest.ended, rest.head)


@on_every_carrier
def test_a_client_may_go_on_sending_to_a_half_closed_connection(carrier: Carrier) -> None:
    """FIN is only the end of what the server says: whoever goes on sending is not reset."""
    server = ChaosServer()
    server.next_fault(faults.half_close())

    async def scene(host: str, port: int) -> tuple[str, str]:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request(TEXT))
            ended = (await raw.look()).ended
            for _ in range(3):
                await raw.stream.send_all(chat_request("unheard"))
                await trio.sleep(0.001)
        await at_rest(server)
        return ended, server.ledger[0].ended

    assert ("eof", "half_closed") == carrier.play(server, scene)
    assert 1 == server.ledger.total


@on_every_carrier
def test_slow_means_at_least_the_delay(carrier: Carrier) -> None:
    """A slow answer is as late as I asked for, and then whole."""
    fault = faults.slow_response(delay_s=0.01)
    seen, booked = _play(Case(carrier=carrier, sight=reads_on(fault), streamed=False))

    assert "whole" == seen.ended
    assert booked.ended_at_s - booked.received_at_s >= 0.01


@pytest.mark.parametrize("carrier", [VIRTUAL, LOOPBACK_WORLD], ids=["virtual", "loopback world"])
@pytest.mark.parametrize(
    ("name", "ended"),
    [
        ("close_mid_body", "eof"),
        ("half_close", "eof"),
        ("reset_mid_body", "reset"),
        ("stall_mid_body", "silence"),
    ],
)
def test_a_cut_beyond_the_body_withholds_its_last_byte(
    carrier: Carrier, name: str, ended: HowItEnded
) -> None:
    """A fault in mid-body strikes short bodies too."""
    fault = faults.fault_class(name)(after_bytes=10_000)  # type: ignore[call-arg]
    sight = ends_early(fault, GOOD[:-1], ended)
    seen, booked = _play(Case(carrier=carrier, sight=sight, streamed=False))

    assert (sight.body, ended) == (seen.body, seen.ended)
    assert (len(GOOD) - 1, len(GOOD)) == (booked.body_sent, booked.body_length)


@on_every_carrier
@pytest.mark.parametrize(
    ("name", "streamed"),
    [
        ("stall_before_headers", False),
        ("stall_before_headers", True),
        ("stall_mid_body", False),
        ("stall_mid_body", True),
        ("stall_mid_stream", True),
    ],
)
def test_heal_lets_a_stalled_answer_go_on(carrier: Carrier, name: str, streamed: bool) -> None:
    """After heal a client that waited gets its answer, whole, on the same connection."""
    server = ChaosServer()
    server.next_fault(name)

    async def scene(host: str, port: int) -> tuple[Seen, Seen, Exchange]:
        async with RawClient.connected(host, port) as raw, trio.open_nursery() as nursery:
            await raw.stream.send_all(
                chat_request("first", streamed=streamed) + chat_request("kept")
            )
            nursery.start_soon(_heal_once_stalled, server)
            stalled = await raw.look()
            seen = await raw.look()
        await at_rest(server)
        return stalled, seen, server.ledger[0]

    stalled, seen, booked = carrier.play(server, scene)

    assert ("whole", "complete", True) == (stalled.ended, booked.ended, booked.effect)
    assert b'"content":"first"' in stalled.body
    assert b'"content":"kept"' in seen.body


async def _heal_once_stalled(server: ChaosServer) -> None:
    while not server.in_flight:  # noqa: ASYNC110 (the server has no event for it, by design)
        await trio.sleep(0.001)
    await trio.sleep(0.01)
    server.heal()
