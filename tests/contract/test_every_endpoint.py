"""Every endpoint answers well, and every fault strikes it in the shape of its API."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from chaoscheck.history.exchange import Exchange
from chaoscheck.plan.answer import Answer
from chaoscheck.plan.catalogue import FAULTS, STREAM_FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.faults.close_mid_body import CloseMidBody
from chaoscheck.plan.faults.content_filter import ContentFilter
from chaoscheck.plan.faults.context_length import ContextLength
from chaoscheck.plan.faults.cut_stream import CutStream
from chaoscheck.plan.faults.invalid_utf8 import InvalidUtf8
from chaoscheck.plan.faults.retry_after_http_date import RetryAfterHttpDate
from chaoscheck.plan.faults.status_401 import Status401
from chaoscheck.plan.faults.status_429 import Status429
from chaoscheck.plan.faults.status_503 import Status503
from chaoscheck.server.apis.call import Call
from chaoscheck.server.apis.routes import path_of, route
from chaoscheck.server.apis.speaker import Echo
from chaoscheck.server.apis.store import Store
from chaoscheck.server.chaos_server import ChaosServer
from tests.contract.carriers import VIRTUAL, at_rest, client
from tests.contract.endpoints import ENDPOINTS, Asked, Endpoint

# A client's own file cannot be downloaded from Anthropic: there is no good answer to strike.
REFUSING = "anthropic GET /v1/files/ID/content"
GOOD = tuple([endpoint for endpoint in ENDPOINTS if endpoint.name != REFUSING])

of_every_endpoint = pytest.mark.parametrize("endpoint", GOOD, ids=lambda each: each.name)


def _named(asked: Asked, name: str) -> Asked:
    body = asked.body.replace(b'"ID"', json.dumps(name).encode())
    target = asked.target.replace("ID", name)
    return Asked(method=asked.method, target=target, body=body, headers=asked.headers)


def _answers(endpoint: Endpoint) -> Iterator[Answer]:
    store, name = Store(), ""
    for number, asked in enumerate(endpoint.requests, start=1):
        asked = _named(asked, name)
        headers = {key.encode(): value.encode() for key, value in asked.headers.items()}
        found = route(asked.method, asked.target, path_of(asked.target), headers)
        assert found.error is None
        call = Call(
            body=asked.body,
            headers=headers,
            number=number,
            created_s=1_700_000_000,
            key="k",
            attempt=1,
            speaker=Echo(),
            model=found.model,
            query=asked.target.partition("?")[2],
            store=store,
        )
        answer, _ = found.api(call)
        if number < len(endpoint.requests):
            name = json.loads(answer.body)["id"]
        yield answer


def good_answer(endpoint: Endpoint) -> Answer:
    """What the endpoint answers to its example, without a server."""
    return list(_answers(endpoint))[-1]


# ``mixed_line_ends`` and ``keep_alive_comments`` are about server-sent events, and usage stands in
# a stream of completions or of chat only if it was asked for.
EVENTS_ONLY = {"mixed_line_ends", "keep_alive_comments"}
UNCOUNTED = {"no_usage"}


@of_every_endpoint
def test_every_fault_that_applies_changes_the_answer(endpoint: Endpoint) -> None:
    """None is passed over silently, and none fails on a shape that it does not know."""
    answer = good_answer(endpoint)
    assert 200 == answer.status

    struck = set()
    for kind in FAULTS:
        fault = kind()
        if fault.strikes == "request" and fault.applies_to(answer):
            struck.add(fault.name)
            delivers = kind.on_delivery is not Fault.on_delivery
            assert delivers or fault.on_answer(answer) != answer, fault.name

    if answer.streamed:
        assert {it.name for it in STREAM_FAULTS} - struck <= EVENTS_ONLY | UNCOUNTED
    elif answer.shape is not None:
        assert {"null_content", "truncated_json", "missing_fields"} <= struck


def _check_openai(error: Any, status: int) -> None:
    assert {"message", "type", "param", "code"} == set(error["error"])


def _check_azure(error: Any, status: int) -> None:
    assert {"code", "message"} <= set(error["error"])


def _check_openrouter(error: Any, status: int) -> None:
    assert (status, str) == (error["error"]["code"], type(error["error"]["message"]))


def _check_anthropic(error: Any, status: int) -> None:
    assert {"type", "error", "request_id"} == set(error)
    assert ("error", {"type", "message"}) == (error["type"], set(error["error"]))


def _check_gemini(error: Any, status: int) -> None:
    assert {"code", "message", "status"} == set(error["error"])
    assert (status, True) == (error["error"]["code"], error["error"]["status"].isupper())


def _check_ollama(error: Any, status: int) -> None:
    assert ({"error"}, str) == (set(error), type(error["error"]))


SHAPES = {
    "openai": _check_openai,
    "azure": _check_azure,
    "openrouter": _check_openrouter,
    "anthropic": _check_anthropic,
    "gemini": _check_gemini,
    "ollama": _check_ollama,
}
ERRORS = (
    Status401(),
    Status429(),
    Status503(),
    ContentFilter(),
    ContextLength(),
    RetryAfterHttpDate(),
)


@pytest.mark.parametrize("provider", SHAPES)
def test_each_error_comes_in_the_shape_of_its_api(provider: str) -> None:
    """Over the wire, at every endpoint of the provider: 2 s, as there are hundreds of requests."""
    endpoints = [endpoint for endpoint in GOOD if endpoint.place.provider.name == provider]
    server = ChaosServer()

    async def scene(host: str, port: int) -> int:
        checked = 0
        async with client(host, port) as http:
            for endpoint in endpoints:
                for fault in ERRORS:
                    reply = await _last_reply(http, endpoint, server, fault)
                    SHAPES[provider](reply.json(), reply.status_code)
                    assert reply.status_code >= 400
                    checked += 1
        return checked

    assert len(endpoints) * len(ERRORS) == VIRTUAL.play(server, scene)
    assert {provider} == {each.provider for each in server.ledger}


DELIVERED = (CloseMidBody(), InvalidUtf8(), CutStream(after_bytes=20))


@pytest.mark.parametrize("provider", SHAPES)
def test_each_broken_delivery_has_its_effect(provider: str) -> None:
    """Over the wire, at every endpoint: a cut connection, a broken text, a cut stream."""
    endpoints = [endpoint for endpoint in GOOD if endpoint.place.provider.name == provider]
    server = ChaosServer()

    async def scene(host: str, port: int) -> list[tuple[str, Exchange]]:
        met = []
        pairs = [
            (endpoint, fault)
            for endpoint in endpoints
            for fault in DELIVERED
            if fault.applies_to(good_answer(endpoint))
        ]
        async with client(host, port) as http:
            for endpoint, fault in pairs:
                with contextlib.suppress(httpx.HTTPError, ValueError):
                    await _last_reply(http, endpoint, server, fault)
                await at_rest(server)
                met.append((endpoint.name, list(server.ledger)[-1]))
        return met

    met = VIRTUAL.play(server, scene)

    assert {endpoint.name for endpoint in endpoints} == {name for name, _ in met}
    assert [] == [(name, each.fault) for name, each in met if not each.effect]


async def _last_reply(http: Any, endpoint: Endpoint, server: ChaosServer, fault: Fault) -> Any:
    reply, name = None, ""
    for number, asked in enumerate(endpoint.requests, start=1):
        asked = _named(asked, name)
        if number == len(endpoint.requests):
            server.next_fault(fault)
        reply = await http.request(
            asked.method, asked.target, content=asked.body, headers=dict(asked.headers)
        )
        if number < len(endpoint.requests):
            name = reply.json()["id"]
    return reply
