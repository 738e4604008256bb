"""How a connection carries out a script: what counts as an effect, and what the client meets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

import pytest
import trio

from chaoscheck.history.exchange import Exchange
from chaoscheck.plan.delivery import Act, Close, HalfClose, Reset, Send, Stall, Wait, Wire
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.faults.invalid_json import InvalidJson
from chaoscheck.plan.faults.refuse import Refuse
from chaoscheck.plan.faults.slow_drip import SlowDrip
from chaoscheck.plan.replies import Replies
from chaoscheck.server.books.ledger import Ledger
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.connection import Connection
from chaoscheck.server.decision import Decisions
from chaoscheck.server.job import Job
from chaoscheck.server.service import Service
from chaoscheck.wire.request_codec import Limits, Request
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.carriers import CARRIERS, VIRTUAL, Carrier, at_rest
from tests.contract.raw_client import RawClient, Seen, chat_request

T = TypeVar("T")

FAULT = InvalidJson()  # any fault: what it would do is replaced by a script
A, B = Send(b"a" * 10), Send(b"b" * 10)


class Scripted(Service):
    """A service that answers every request with the same script."""

    def __init__(self, acts: Sequence[Act], fault: Fault | None) -> None:
        super().__init__(Decisions(FaultPlan(), None), Ledger(100), None)
        self._acts = tuple(acts)
        self._fault = fault

    def begin(self, request: Request, now_s: float) -> Job:
        """A good job, but for what is to be done."""
        job = super().begin(request, now_s)
        job.acts, job.fault, job.struck = self._acts, self._fault, self._fault is not None
        return job

    async def serve(self, listeners: Sequence[trio.SocketListener]) -> None:
        """Connections on any listeners."""

        async def connect(stream: trio.SocketStream) -> None:
            await Connection(stream, self, Limits()).serve()

        await trio.serve_listeners(connect, list(listeners))


def _play(service: Scripted, scene: Callable[[RawClient], Awaitable[T]]) -> T:
    """One client of a service in a virtual world, which is healed of nothing by itself."""

    async def connected() -> T:
        async with RawClient.connected("api.test", 80) as raw:
            await raw.stream.send_all(chat_request())
            result = await scene(raw)
        await trio.sleep(0.1)
        return result

    with VirtualWorld() as world:
        world.network.add_host("api.test")
        world.spawn(service.serve, world.run(world.network.listen, "api.test", 80))
        return world.run(connected)


def _booked(service: Scripted, *, leaves_after_s: float) -> Exchange:
    """The entry of a client that reads nothing and leaves."""

    async def scene(_: RawClient) -> None:
        await trio.sleep(leaves_after_s)

    _play(service, scene)
    (booked,) = service.ledger
    return booked


def _stream(tokens: int) -> list[Act]:
    """A stream of 10 bytes at once and 10 more each second."""
    acts: list[Act] = [A]
    for _ in range(tokens):
        acts += [Wait(1), B]
    return acts


@pytest.mark.parametrize(
    ("acts", "fault", "leaves_after_s", "ended", "effect"),
    [
        ([A, Wait(1), B], None, 2, "complete", False),
        ([A, Wait(1), B], None, 0.5, "client_left", False),
        ([A, Wait(1), B], FAULT, 2, "complete", True),
        ([A, Wait(1), B], FAULT, 0.5, "client_left", True),
        ([A, B], FAULT, 2, "complete", True),
        ([A, B], None, 2, "complete", False),
        ([A, Stall(), B], FAULT, 2, "stalled_until_left", True),
        ([A, Close()], FAULT, 2, "closed", True),
        ([A, Reset()], FAULT, 2, "reset", True),
        ([A, HalfClose()], FAULT, 2, "half_closed", True),
        ([A, Wait(1), Wait(1), Close()], FAULT, 1.5, "client_left", True),
    ],
)
def test_an_effect_is_what_was_seen_to_happen(
    acts: list[Act], fault: Fault | None, leaves_after_s: float, ended: str, effect: bool
) -> None:
    """A slow answer is no fault by itself, and a fault counts once time passed or it was sent."""
    booked = _booked(Scripted(acts, fault), leaves_after_s=leaves_after_s)

    assert (ended, effect) == (booked.ended, booked.effect)


@pytest.mark.parametrize(
    ("stalls_s", "effect"), [(0.0, False), (3.0, True)], ids=["at that instant", "later"]
)
def test_a_stall_counts_only_if_it_held_something_up(stalls_s: float, effect: bool) -> None:
    """A stall that is healed in no time leaves a good answer, and is not said to have happened."""
    service = Scripted([A, Stall(), B], FAULT)

    async def scene(raw: RawClient) -> bytes:
        before = await raw.stream.receive_some()
        await trio.sleep(stalls_s)
        service.heal()
        return before + await raw.stream.receive_some()

    assert A.data + B.data == _play(service, scene)
    (booked,) = service.ledger
    assert ("complete", stalls_s, effect) == (booked.ended, booked.ended_at_s, booked.effect)


class HealedAtOnce(Scripted):
    """A service that is healed as soon as it has decided a request's fate."""

    def begin(self, request: Request, now_s: float) -> Job:
        """The job, whose stalls are healed already."""
        job = super().begin(request, now_s)
        self.heal()
        return job


def test_a_stall_that_was_healed_before_it_began_is_no_effect() -> None:
    """What never happened is not counted as exercised."""
    booked = _booked(HealedAtOnce([A, Stall(), B], FAULT), leaves_after_s=1)

    assert ("complete", 20, False) == (booked.ended, booked.bytes_sent, booked.effect)


def test_a_client_that_leaves_a_stream_is_noticed_at_once() -> None:
    """No token is paid for that nobody reads: the stream ends when the client leaves."""
    booked = _booked(Scripted(_stream(100), None), leaves_after_s=2.5)

    assert ("client_left", 30, 2.5, 2.0) == (
        booked.ended,
        booked.bytes_sent,
        booked.client_left_at_s,
        booked.last_byte_at_s,
    )


def test_a_slow_stream_does_not_hoard_what_its_client_pipelines() -> None:
    """A client that talks all the while is read ahead for 1 MiB in all, not for 1 MiB a token."""
    service = Scripted(_stream(20), None)
    block = chat_request("x" * 100_000)

    async def scene(raw: RawClient) -> int:
        taken = 0
        with trio.move_on_after(15):
            while taken < 20 * 2**20:
                await raw.stream.send_all(block)
                taken += len(block)
        return taken

    assert 1 * 2**20 < _play(service, scene) < 3 * 2**20


def test_a_half_closed_connection_is_read_until_the_client_leaves() -> None:
    """I see the end of a part, can still send as much as I like, and am not reset."""
    service = Scripted([A, HalfClose()], FAULT)

    async def scene(raw: RawClient) -> list[bytes]:
        seen = [await raw.stream.receive_some(), await raw.stream.receive_some()]
        await trio.sleep(1)
        for _ in range(3):
            await raw.stream.send_all(b"x" * 2**20)
        assert service.in_flight == 1
        return [*seen, await raw.stream.receive_some()]

    assert [A.data, b"", b""] == _play(service, scene)
    (booked,) = service.ledger
    assert ("half_closed", 10, 1.0, 1.0, 0) == (
        booked.ended,
        booked.bytes_sent,
        booked.client_left_at_s,
        booked.ended_at_s,
        service.in_flight,
    )


def _struck(carrier: Carrier, fault: Fault, patience_s: float) -> tuple[list[Seen], ChaosServer]:
    """Two connections, each with one request, the first of which meets a connection fault."""
    server = ChaosServer()
    server.next_fault(fault)

    async def look(host: str, port: int) -> Seen:
        async with RawClient.connected(host, port) as raw:
            try:
                await raw.stream.send_all(chat_request())
            except trio.BrokenResourceError:
                return Seen(head=b"", body=b"", ended="reset")
            return await raw.look(patience_s=patience_s)

    async def scene(host: str, port: int) -> list[Seen]:
        seen = [await look(host, port), await look(host, port)]
        await at_rest(server)
        return seen

    return carrier.play(server, scene), server


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.name)
def test_a_refused_connection_is_reset_before_it_is_read(carrier: Carrier) -> None:
    """My first connection dies whatever I send, the second one is served."""
    (first, second), server = _struck(carrier, Refuse(), 1.0)

    assert [(None, "reset"), (200, "whole")] == [
        (seen.status, seen.ended) for seen in (first, second)
    ]
    assert [("refuse", "", None, "reset", True), (None, "POST", 200, "complete", False)] == [
        (entry.fault_name, entry.method, entry.status, entry.ended, entry.effect)
        for entry in server.ledger
    ]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SlowToAccept(Fault):
    """A connection fault of one's own: nothing is read for two seconds, then all is as usual."""

    name: ClassVar[str] = "slow_to_accept"
    strikes: ClassVar[Literal["request", "connection"]] = "connection"

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        """A pause that ends nothing."""
        return (Wait(2),)


def test_a_connection_that_is_not_ended_is_served() -> None:
    """A fault of the connection need not be its end."""
    seen, server = _struck(VIRTUAL, SlowToAccept(), 5.0)

    assert [200, 200] == [answer.status for answer in seen]
    assert [
        ("slow_to_accept", 0.0, 2.0, True),
        (None, 2.0, 2.0, False),
        (None, 2.0, 2.0, False),
    ] == [
        (entry.fault_name, entry.received_at_s, entry.ended_at_s, entry.effect)
        for entry in server.ledger
    ]


def test_a_slow_drip_takes_its_time() -> None:
    """The whole answer comes, and it comes late."""
    server = ChaosServer()
    server.next_fault(SlowDrip(piece_bytes=100, delay_s=1))

    async def scene(host: str, port: int) -> Seen:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request())
            seen = await raw.look(patience_s=1.5)
        await at_rest(server)
        return seen

    seen = VIRTUAL.play(server, scene)
    (booked,) = server.ledger

    pauses = (len(seen.body) - 1) // 100
    assert ("whole", float(pauses), True) == (seen.ended, booked.ended_at_s, booked.effect)
    assert pauses > 1


def test_a_client_that_leaves_during_the_base_latency_saw_no_fault() -> None:
    """What every answer waits for is no effect of the fault that would have come after it."""
    plan = FaultPlan.of({"status_500": 1.0}, replies=Replies(base_latency_s=60))
    server = ChaosServer(plan)

    async def scene(host: str, port: int) -> None:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(chat_request())
            await trio.sleep(3)
        await at_rest(server)

    VIRTUAL.play(server, scene)
    (booked,) = server.ledger

    assert ("status_500", "client_left", 3.0, False) == (
        booked.fault_name,
        booked.ended,
        booked.ended_at_s,
        booked.effect,
    )


@pytest.mark.parametrize(
    ("request_bytes", "faults", "status"),
    [
        (chat_request(), {}, 200),
        (b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n", {}, 404),
        (b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n", {}, 200),
        (chat_request(), {"status_503": 1.0}, 503),
    ],
)
def test_every_answer_waits_for_the_base_latency(
    request_bytes: bytes, faults: dict[Fault | str, float], status: int
) -> None:
    """Good answers, lists, unknown paths and errors of faults come as late as I said."""
    server = ChaosServer(FaultPlan.of(faults, replies=Replies(base_latency_s=1.5)))

    async def scene(host: str, port: int) -> Seen:
        async with RawClient.connected(host, port) as raw:
            await raw.stream.send_all(request_bytes)
            seen = await raw.look(patience_s=2)
        await at_rest(server)
        return seen

    seen = VIRTUAL.play(server, scene)

    assert (status, 1.5) == (seen.status, server.ledger[0].ended_at_s)
