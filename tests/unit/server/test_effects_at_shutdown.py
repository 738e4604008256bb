"""A server that stops in the middle of a fault counts it if its client could see it by then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from chaoscheck.history.exchange import Exchange
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.catalogue import FAULTS, fault_class
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.tool_call_fault import ToolCallFault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.replies import Replies
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.replay.source import Fetched
from chaoscheck.server.settings import ServerSettings
from chaoscheck.wire.request_codec import Request
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.raw_client import chat_request
from tests.contract.tool_clients import CALLING, CHAT_TOOLS

PACED = Replies(first_token_s=2.0, token_s=1.0)  # "hello to you" streamed: at 2, 3 and 4 s


def _stopped(
    server: ChaosServer, at_s: float, request: bytes, *, reads: bool = True
) -> tuple[Exchange, int]:
    """The entry of the only request when the server stops at ``at_s``, and the bytes it got."""

    async def ask() -> int:
        received = 0
        async with await trio.open_tcp_stream("api.test", 80) as stream:
            try:
                await stream.send_all(request)
                if not reads:
                    await trio.sleep_forever()
                while data := await stream.receive_some():
                    received += len(data)
            except trio.BrokenResourceError:
                pass
        return received

    async def scene(listeners: list[trio.SocketListener]) -> int:
        received: list[int] = []

        async def asking() -> None:
            received.append(await ask())

        async with trio.open_nursery() as clients:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.serve, listeners)
                clients.start_soon(asking)
                await trio.sleep(at_s)
                nursery.cancel_scope.cancel()
            with trio.move_on_after(1):
                await trio.sleep_forever()
            clients.cancel_scope.cancel()
        return received[0] if received else 0

    with VirtualWorld() as world:
        world.network.add_host("api.test")
        received = world.run(scene, world.run(world.network.listen, "api.test", 80))
    (entry,) = server.ledger
    return entry, received


def _server(fault: str, *, paced: bool) -> ChaosServer:
    quick = CALLING if issubclass(fault_class(fault.partition("(")[0]), ToolCallFault) else None
    server = ChaosServer(FaultPlan(replies=PACED) if paced else quick)
    server.next_fault(fault)
    return server


@pytest.mark.parametrize(
    ("fault", "streamed", "before_s", "after_s"),
    [
        # The good stream begins at 0 s and says its pieces at 2, 3 and 4 s.
        ("status_503", True, None, 0.5),
        ("slow_response(delay_s=60)", True, None, 0.5),
        ("stall_before_headers", True, None, 0.5),
        ("stall_mid_stream(after_chunks=2)", True, 3.5, 4.5),
        ("cut_stream", True, None, 4.5),
        ("close_mid_body(after_bytes=20)", True, None, 2.5),
        ("duplicate_chunks", True, 1.5, 5.0),
        ("missing_done", True, 3.5, 5.0),
        ("late_done(delay_s=30)", True, 3.5, 5.0),
        ("keep_alive_comments", True, None, 5.0),
        # The good answer comes whole after 4 s.
        ("status_503", False, None, 0.5),
        ("slow_response(delay_s=60)", False, 3.5, 4.5),
        ("stall_before_headers", False, 3.5, 4.5),
        ("stall_mid_body", False, 3.5, 4.5),
        ("slow_drip", False, 3.5, 4.5),
        ("invalid_json", False, 3.5, 4.5),
        ("truncated_json", False, 3.5, 4.5),
        ("reset_mid_body", False, 3.5, 4.5),
        ("half_close", False, 3.5, 4.5),
    ],
)
def test_a_fault_counts_from_the_moment_that_it_can_be_seen(
    fault: str, streamed: bool, before_s: float | None, after_s: float
) -> None:
    """What waits as the good answer does is no hit yet; a late or another byte is one."""
    request = chat_request("hello to you", streamed=streamed)
    if before_s is not None:
        entry, _ = _stopped(_server(fault, paced=True), before_s, request)
        assert ("server_stopped", False) == (entry.ended, entry.effect)
    entry, _ = _stopped(_server(fault, paced=True), after_s, request)

    assert entry.effect


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
def test_every_fault_under_way_at_the_end_was_hit(kind: type[Fault]) -> None:
    """Of answers without any wait each fault is seen a second later, however the server ends."""
    tools = CHAT_TOOLS if issubclass(kind, ToolCallFault) else ()
    requests = [
        chat_request("hello there", streamed=streamed, tools=tools) for streamed in (False, True)
    ]
    effects = []
    for request in requests:
        entry, _ = _stopped(_server(kind.name, paced=False), 1.0, request)
        effects += [entry.effect] if entry.fault is not None else []

    assert effects
    assert all(effects)


def test_what_a_client_took_of_a_cut_send_is_booked() -> None:
    """A huge body that the server's end cuts was seen as far as the network took it."""
    server = _server("huge_body(size_bytes=8_388_608)", paced=False)
    entry, _ = _stopped(server, 1.0, chat_request(), reads=False)

    assert ("server_stopped", True) == (entry.ended, entry.effect)
    assert 0 < entry.bytes_sent < 8 * 2**20


class _Slow:
    """A source of answers that takes ten seconds."""

    async def fetch(self, request: Request) -> Fetched:
        """The answer, late."""
        await trio.sleep(10)
        return Fetched(Answer(status=200, body=b"{}"))

    def reset(self) -> None:
        """There is nothing to forget."""


@pytest.mark.parametrize(("at_s", "ended"), [(5.0, "server_stopped"), (11.0, "complete")])
def test_a_request_that_waits_for_its_source_is_booked_when_the_server_stops(
    at_s: float, ended: str
) -> None:
    """A recorder that waits for its upstream has a request in flight, and says how it ended."""
    server = ChaosServer(settings=ServerSettings(source=_Slow()))
    entry, _ = _stopped(server, at_s, chat_request())

    assert (ended, 0) == (entry.ended, server.in_flight)
    assert entry.key


class _Broken(_Slow):
    """A source that fails in a way of its own."""

    async def fetch(self, request: Request) -> Fetched:
        """No answer at all."""
        raise ZeroDivisionError


def test_a_source_that_fails_is_the_providers_500() -> None:
    """A bug in a source of mine ends one request, and the ledger names it."""
    server = ChaosServer(settings=ServerSettings(source=_Broken()))
    entry, received = _stopped(server, 1.0, chat_request())

    assert (500, "complete") == (entry.status, entry.ended)
    assert received
    assert (entry.error or "").startswith("ZeroDivisionError")


def test_requests_that_wait_for_their_source_are_in_flight() -> None:
    """A server that is told to stop gives them the moment that it gives to others."""
    server = ChaosServer(settings=ServerSettings(source=_Slow()))
    in_flight: list[int] = []

    async def look() -> None:
        await trio.sleep(5)
        in_flight.append(server.in_flight)

    _with_look(server, look)

    assert [1] == in_flight


def _with_look(server: ChaosServer, look: Callable[[], Awaitable[None]]) -> None:
    async def scene() -> None:
        async with await trio.open_tcp_stream("api.test", 80) as stream:
            await stream.send_all(chat_request())
            await look()

    with VirtualWorld() as world:
        world.network.add_host("api.test")
        world.spawn(server.serve, world.run(world.network.listen, "api.test", 80))
        world.run(scene)
