"""Every request that leaves is a call of the audit, as the server got it and as it was answered."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from chaoscheck import VirtualWorld
from chaoscheck.components.audit_errors import AuditClosed, AuditConflict
from chaoscheck.components.audit_recorder import AuditedState, AuditRecorder
from chaoscheck.components.audit_trail import AuditTrail
from chaoscheck.components.audited_calls import (
    ATTEMPT_ID_HEADER,
    Unaudited,
    auditing,
    judging,
)
from chaoscheck.components.audited_run import AuditedOutputPort
from chaoscheck.components.audited_transport import AuditedTransport
from chaoscheck.components.output_port import CollectingOutputPort, RowResult
from chaoscheck.components.query import AttemptEvent
from properties.audited_process import UNSYNCED

PATHS = st.sampled_from(["/v1/chat", "/", "/a%20b", "/v1/models?limit=3", "/x?y=/z"])


@dataclass(slots=True)
class Server:
    """Answers within the transport, and keeps what it got."""

    body: bytes = b"answer"
    status: int = 200
    error: BaseException | None = None
    breaks_after: int | None = None
    got: list[httpx.Request] = field(default_factory=list)
    closed: bool = False
    bodies_closed: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange; it takes a second."""
        self.got.append(request)
        await trio.sleep(1)
        if self.error is not None:
            raise self.error
        return httpx.Response(self.status, stream=_Pieces(self))

    async def aclose(self) -> None:
        """Close it."""
        self.closed = True


class _Pieces(httpx.AsyncByteStream):
    """The body in pieces of two bytes."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.server.body), 2):
            await trio.sleep(1)
            if self.server.breaks_after is not None and start >= self.server.breaks_after:
                raise httpx.ReadError("cut")
            yield self.server.body[start : start + 2]

    async def aclose(self) -> None:
        """Whoever gets a body has to close it, read or not."""
        self.server.bodies_closed += 1


@dataclass(slots=True, kw_only=True)
class Audited:
    """A client over an audited transport, its server and its audit, in an open world."""

    world: VirtualWorld
    server: Server
    recorder: AuditRecorder
    run: tuple[str, str]
    client: httpx.AsyncClient

    def state(self) -> AuditedState:
        """The state of a new row."""
        index = len(self.recorder.export()["rows"])
        return self.recorder.begin_row(*self.run, index, {"row": index})

    def calls(self) -> list[dict[str, Any]]:
        """The calls in the audit."""
        return self.recorder.export()["calls"]


@contextmanager
def audited(server: Server | None = None) -> Iterator[Audited]:
    """A new audit with a run."""
    with (
        TemporaryDirectory() as folder,
        AuditTrail.create(Path(folder, "audit.db"), settings=UNSYNCED) as trail,
        VirtualWorld() as world,
    ):
        server = server or Server()
        recorder = AuditRecorder(trail)
        client = httpx.AsyncClient(transport=AuditedTransport(server, recorder))
        run = recorder.begin_run("plugin")
        yield Audited(world=world, server=server, recorder=recorder, run=run, client=client)
        world.run(client.aclose)
        assert server.closed


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@example("POST", "/v1/models?limit=3", b"body", b"answer", 200)
@example("GET", "/a%20b", b"", b"", 503)
@given(
    st.sampled_from(["POST", "GET", "PUT"]),
    PATHS,
    st.binary(max_size=9),
    st.binary(max_size=9),
    st.sampled_from([200, 204, 400, 429, 500, 503]),
)
def test_a_call_is_the_request_that_the_server_got_and_the_answer_that_it_sent(
    method: str, path: str, body: bytes, answer: bytes, status: int
) -> None:
    """Method, path and digest by the server's own count; status, digest and length of the reply."""
    with audited(Server(body=answer, status=status)) as here:
        state = here.state()
        with auditing(state):
            reply = here.world.run(send, here.client, method, path, body)
        [call], [got] = here.calls(), here.server.got

        assert (answer, status) == (reply.content, reply.status_code)
        assert (got.method, got.url.raw_path.split(b"?")[0].decode()) == (
            call["method"],
            call["path"],
        )
        assert digest(got.content) == digest(body) == call["request_digest"]
        assert got.headers[ATTEMPT_ID_HEADER] == call["attempt_id"]
        assert (state.state_id, 0) == (call["state_id"], call["call_index"])
        assert ("ok", status, digest(answer), len(answer), None) == end_of(call)


async def send(client: httpx.AsyncClient, method: str, path: str, body: bytes) -> httpx.Response:
    """One request, read to its end."""
    return await client.request(method, f"http://api.test{path}", content=body)


def end_of(call: dict[str, Any]) -> tuple[object, ...]:
    """What became of it."""
    names = ("status", "status_code", "body_digest", "body_length", "error_type")
    return tuple(call[name] for name in names)


def test_a_body_that_is_streamed_out_is_not_read_for_the_audit() -> None:
    """It has no digest, and arrives whole."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    with audited() as here:

        async def stream() -> None:
            await here.client.post("http://api.test/", content=pieces())

        with auditing(here.state()):
            here.world.run(stream)
        assert here.calls()[0]["request_digest"] is None


def test_without_a_state_no_request_leaves() -> None:
    """Outside of a block, and after it: refused, not sent, not in the audit."""
    with audited() as here:
        for number in range(2):
            with pytest.raises(Unaudited, match="'auditing' block"):
                here.world.run(send, here.client, "GET", "/", b"")
            assert (len(here.server.got), len(here.calls())) == (number, number)
            with auditing(here.state()):
                here.world.run(send, here.client, "GET", "/", b"")


def test_blocks_may_stand_within_each_other() -> None:
    """The inner state is that of its own block alone."""
    with audited() as here:
        outer, inner = here.state(), here.state()
        with auditing(outer):
            with auditing(inner):
                here.world.run(send, here.client, "GET", "/1", b"")
            here.world.run(send, here.client, "GET", "/2", b"")
            here.world.run(send, here.client, "GET", "/3", b"")

        places = {call["path"]: (call["state_id"], call["call_index"]) for call in here.calls()}
        assert places == {
            "/1": (inner.state_id, 0),
            "/2": (outer.state_id, 0),
            "/3": (outer.state_id, 1),
        }


def test_an_audit_that_cannot_be_written_lets_nothing_out() -> None:
    """The error of the audit reaches the caller."""
    with audited() as here:
        state = here.state()
        here.recorder.trail.fence()
        with auditing(state), pytest.raises(AuditClosed):
            here.world.run(send, here.client, "GET", "/", b"")
        assert here.server.got == []


def test_a_transport_error_is_the_end_of_its_call() -> None:
    """By its name; so is a body that breaks off, with what came of it."""
    with audited(Server(error=httpx.ConnectError("down"))) as here, auditing(here.state()):
        with pytest.raises(httpx.ConnectError):
            here.world.run(send, here.client, "GET", "/", b"")
        assert end_of(here.calls()[0]) == ("error", None, None, None, "ConnectError")
    with audited(Server(breaks_after=4)) as here, auditing(here.state()):
        with pytest.raises(httpx.ReadError):
            here.world.run(send, here.client, "GET", "/", b"")
        assert end_of(here.calls()[0]) == ("error", 200, digest(b"answ"), 4, "ReadError")


@pytest.mark.parametrize(
    ("after_s", "expected"),
    [
        (0.5, ("unknown", None, None, None, "cancelled")),
        (2.5, ("unknown", 200, digest(b"an"), 2, "cancelled")),
    ],
)
def test_a_cancelled_call_is_unknown(after_s: float, expected: tuple[object, ...]) -> None:
    """Before the reply and within it; the audit may even be out of order, nobody is held up."""
    for fenced in (False, True):
        with audited() as here:

            async def give_up(here: Audited = here, fenced: bool = fenced) -> None:
                with auditing(here.state()), trio.move_on_after(after_s):
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(send, here.client, "GET", "/", b"")
                        await trio.sleep(0.25)
                        if fenced:
                            here.recorder.trail.fence()

            here.world.run(give_up)
            assert here.world.now == after_s
            pending = ("pending", None, None, None, None)
            assert end_of(here.calls()[0]) == (pending if fenced else expected)


def test_who_was_cancelled_before_its_turn_sends_nothing() -> None:
    """Not even an intent is written: its row may have its outcome already."""
    with audited() as here:

        async def too_late() -> None:
            with auditing(here.state()), trio.CancelScope() as scope:
                scope.cancel()
                await here.client._transport.handle_async_request(
                    httpx.Request("GET", "http://api.test/")
                )

        here.world.run(too_late)
        assert (here.calls(), here.server.got) == ([], [])


def test_a_body_that_is_closed_early_is_unknown_with_what_came_of_it() -> None:
    """Whoever closes it need not have read it; closing it again changes nothing."""
    with audited() as here:

        async def look() -> None:
            with auditing(here.state()):
                async with here.client.stream("GET", "http://api.test/") as reply:
                    pieces = reply.aiter_raw()
                    assert await anext(pieces) == b"an"
                await reply.aclose()

        here.world.run(look)
        assert here.server.bodies_closed > 0
        assert end_of(here.calls()[0]) == ("unknown", 200, digest(b"an"), 2, "closed_early")


@pytest.mark.parametrize("outcome", ["ok", "capacity", "transient", "permanent", "abandoned"])
def test_what_an_executor_made_of_an_attempt_is_the_kind_of_its_call(outcome: Any) -> None:
    """A failure of whatever kind overrides what the status alone told; anything else does not."""
    with audited(Server(status=200)) as here:
        listen = judging(here.recorder)
        state = here.state()
        with auditing(state):
            listen(event(outcome))  # nothing was called yet
            here.world.run(send, here.client, "GET", "/", b"")
            listen(event(outcome))
        listen(event("permanent"))  # of no row that is audited

        failed = outcome if outcome in ("capacity", "transient", "permanent") else None
        assert here.calls()[0]["failure_kind"] == failed


def event(outcome: Any) -> AttemptEvent:
    """What a listener hears."""
    return AttemptEvent(
        query="q",
        number=1,
        submitted_s=0,
        started_s=0,
        ended_s=1,
        outcome=outcome,
        status_code=None,
        retry_after_s=None,
        own_delay_s=None,
        delay_s=None,
        why=None,
        next_step="failed",
    )


# ---------------------------------------------------------------------- the port of outcomes


GOOD = RowResult(ticket=5, row={}, content="c", model="m", usage={"total_tokens": 3}, attempts=2)
BAD = RowResult(ticket=5, row={}, error={"reason": "r", "error_type": "t"}, attempts=1)
TAKING: dict[str, Callable[[AuditedOutputPort], None]] = {
    "completed": lambda port: port.emit(GOOD),
    "failed": lambda port: port.emit(BAD),
    "evicted": lambda port: port.evicted(5),
}


@pytest.mark.parametrize("outcome", TAKING)
def test_a_result_is_recorded_before_it_is_handed_over(outcome: str) -> None:
    """Once: a second result of the same row, or one of no row, is a conflict."""
    collected = CollectingOutputPort()
    with audited() as here:
        port = AuditedOutputPort(here.recorder, collected, destination="shelf")
        port.expect(5, here.state())
        TAKING[outcome](port)
        with pytest.raises(AuditConflict, match="got one with ticket 5"):
            TAKING[outcome](port)
        tables = here.recorder.export()

    [ended] = tables["token_outcomes"]
    assert ended["outcome"] == outcome
    assert collected.results == {"completed": [GOOD], "failed": [BAD], "evicted": []}[outcome]
    assert [each["destination"] for each in tables["transform_errors"]] == (
        ["shelf"] if outcome == "failed" else []
    )
    if outcome == "completed":
        assert ended["result"] == (
            '{"content": "c", "model": "m", "usage": {"total_tokens": 3}, "attempts": 2}'
        )


def test_a_result_that_cannot_be_recorded_is_not_handed_over() -> None:
    """Nothing goes on unaudited."""
    collected = CollectingOutputPort()
    with audited() as here:
        port = AuditedOutputPort(here.recorder, collected)
        port.expect(5, here.state())
        here.recorder.trail.fence()
        with pytest.raises(AuditClosed):
            port.emit(GOOD)

    assert collected.results == []
