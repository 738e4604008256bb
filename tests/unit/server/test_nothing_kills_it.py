"""Nothing that a client or a plan says ends the server: it answers, books and lives."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.delivery import Act, Send, Wait, Wire
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server import internal_errors
from chaoscheck.server.books.ledger import Ledger
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.decision import Decisions
from chaoscheck.server.service import Service
from chaoscheck.server.settings import ServerSettings
from tests.contract.carriers import VIRTUAL, at_rest
from tests.contract.raw_client import RawClient, Seen

MESSAGES = [{"role": "user", "content": "a secret prompt"}]
CHAT = "/v1/chat/completions"
TOOL = {"name": "t", "description": "", "parameters": {}}


def _posted(path: str, body: object) -> bytes:
    text = json.dumps(body).encode()
    return b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (
        path.encode(),
        len(text),
        text,
    )


def _played(server: ChaosServer, *requests: bytes) -> list[Seen]:
    """Each request on a connection of its own, and its answer."""

    async def scene(host: str, port: int) -> list[Seen]:
        seen = []
        for request in requests:
            async with RawClient.connected(host, port) as raw:
                await raw.stream.send_all(request)
                seen.append(await raw.look(patience_s=1.0))
        await at_rest(server)
        return seen

    return VIRTUAL.play(server, scene)


def _schema(numbers: Mapping[str, object]) -> dict[str, object]:
    value = {"type": "number", **numbers}
    schema = {"type": "object", "properties": {"x": value}, "required": ["x"]}
    return {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}


HUGE = 9_223_372_036_854_775_807


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (CHAT, {"messages": MESSAGES, "max_tokens": HUGE}),
        (CHAT, {"messages": MESSAGES, "max_completion_tokens": HUGE}),
        (CHAT, {"messages": MESSAGES, "n": HUGE}),
        ("/v1/responses", {"input": "hi", "max_output_tokens": HUGE}),
        ("/v1/embeddings", {"input": "hi", "dimensions": HUGE}),
        ("/v1/messages", {"messages": MESSAGES, "max_tokens": HUGE}),
        ("/v1/messages", {"messages": MESSAGES, "max_tokens": 10**400}),
    ],
)
def test_a_count_beyond_all_sense_is_the_clients_mistake(
    path: str, asked: Mapping[str, object]
) -> None:
    """A number that the provider would refuse is refused as the provider refuses it."""
    server = ChaosServer()
    (seen,) = _played(server, _posted(path, {"model": "m", **asked}))

    assert (400, None) == (seen.status, server.ledger[0].error)


@pytest.mark.parametrize(
    "numbers",
    [
        {"multipleOf": 5e-324},
        {"multipleOf": -5e-324, "minimum": 3},
        {"multipleOf": 1e-9, "minimum": 1e14},
        {"minimum": 10**400},
        {"exclusiveMinimum": 1.7e308, "exclusiveMaximum": -1.7e308},
        {"multipleOf": 0},
    ],
)
def test_a_schema_of_odd_numbers_is_met_as_far_as_possible(numbers: Mapping[str, object]) -> None:
    """The issue's ``multipleOf: 5e-324`` ended the process."""
    server = ChaosServer()
    asked = {"model": "m", "messages": MESSAGES, "response_format": _schema(numbers)}
    (seen,) = _played(server, _posted(CHAT, asked))

    assert (200, None) == (seen.status, server.ledger[0].error)
    said = json.loads(json.loads(seen.body)["choices"][0]["message"]["content"])
    assert isinstance(said["x"], int | float)


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses", "/v1/embeddings"])
@pytest.mark.parametrize("depth", [101, 900])
def test_json_is_nested_a_hundred_deep_at_most(path: str, depth: int) -> None:
    """What can be read on one stack cannot be written on a deeper one."""
    server = ChaosServer()
    nested: object = 1
    for _ in range(depth - 1):
        nested = [nested]
    asked = {"model": "m", "max_tokens": 9, "messages": MESSAGES, "input": "hi", "metadata": nested}
    (seen,) = _played(server, _posted(path, asked))

    assert (400, None) == (seen.status, server.ledger[0].error)


class _Broken(Fault):
    """A fault that fails where its class says."""

    name = "broken"

    def on_answer(self, answer: Answer) -> Answer:
        raise OverflowError(f"while reading {MESSAGES[0]['content']} in /home/somebody/plan.toml")


class _BrokenDelivery(Fault):
    name = "broken_delivery"

    def on_delivery(self, wire: Wire) -> tuple[Act, ...]:
        return (Send(wire.head), Wait(float("nan")))


def _failing(server: ChaosServer, fault: Fault) -> None:
    server._service.decisions.one_shots.append(fault)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (CHAT, "server_error"),
        ("/v1/messages", "api_error"),
        ("/openai/deployments/d/chat/completions?api-version=2024-10-21", None),
        ("/api/v1/chat/completions", None),
    ],
)
def test_an_error_of_our_own_is_the_providers_500_and_the_server_lives(
    path: str, kind: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The client sees its provider's 500 without a word of what it asked, and the next is good."""
    internal_errors._reported.clear()
    server = ChaosServer()
    _failing(server, _Broken())
    request = _posted(path, {"model": "m", "max_tokens": 9, "messages": MESSAGES})
    failed, good = _played(server, request, request)

    assert [500, 200] == [failed.status, good.status]
    assert kind == json.loads(failed.body)["error"].get("type")
    for secret in (b"secret", b"Traceback", b"/home", b"OverflowError"):
        assert secret not in failed.body
    booked = server.ledger[0]
    assert (500, "complete", None, 0) == (
        booked.status,
        booked.ended,
        booked.fault,
        server.in_flight,
    )
    assert booked.error is not None
    assert booked.error.startswith("OverflowError in chaoscheck.server.script, line ")
    assert ["chaoscheck.server"] == [record.name for record in caplog.records]


def test_an_error_in_the_middle_of_an_answer_cuts_it_and_the_server_lives() -> None:
    """What was begun cannot become a 500: the connection ends, and the ledger says why."""
    server = ChaosServer()
    _failing(server, _BrokenDelivery())
    request = _posted(CHAT, {"model": "m", "messages": MESSAGES})
    cut, good = _played(server, request, request)

    assert (("eof", "whole")) == (cut.ended, good.ended)
    booked = server.ledger[0]
    assert ("closed", 200) == (booked.ended, booked.status)
    assert booked.error is not None
    assert booked.error.startswith("ValueError in chaoscheck.server.connection, line ")


def test_a_sink_that_fails_costs_its_own_rows_only(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody's ``sink`` raises: requests are answered and counted as before."""
    internal_errors._reported.clear()

    def sink(exchange: object) -> None:
        raise OSError("no space left")

    server = ChaosServer(settings=ServerSettings(sink=sink))
    request = _posted(CHAT, {"model": "m", "messages": MESSAGES})
    seen = _played(server, request, request)

    assert [200, 200] == [each.status for each in seen]
    assert 2 == server.ledger.total
    assert [logging.ERROR] == [record.levelno for record in caplog.records]


def test_a_failing_connection_fate_refuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection has no request to book an error with: it is served as if none were due."""

    def failing(*_: object) -> None:
        raise OverflowError

    service = Service(Decisions(FaultPlan(), None), Ledger(10), None)
    monkeypatch.setattr(service.decisions, "decide_connection", failing)

    assert service.accept(0.0) is None
