"""Faults of tool calls: an answer is the good one, but for what the fault says, in every API.

The law is ``models.tool_call_answers``. A server is asked twice, once without and once with the
fault, and a client that knows all APIs reads both answers; recorded answers are held to it too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.catalogue import TOOL_FAULTS
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.plan.faults.duplicate_tool_call import DuplicateToolCall
from chaoscheck.plan.faults.malformed_tool_arguments import MalformedToolArguments
from chaoscheck.plan.faults.mistyped_tool_arguments import MistypedToolArguments
from chaoscheck.plan.faults.truncated_tool_arguments import TruncatedToolArguments
from chaoscheck.plan.faults.unknown_tool import UnknownTool
from chaoscheck.plan.replies import Replies
from chaoscheck.plan.tool_calls import CallEnding, ToolCall, ToolCalls
from chaoscheck.server.apis.call import Call
from chaoscheck.server.apis.routes import path_of, route
from chaoscheck.server.apis.speakers import speaker_of
from chaoscheck.server.apis.store import Store
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.server.replay.recorded_calls import with_recorded_calls
from chaoscheck.strategies.faults import faults
from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.world.virtual import VirtualWorld
from models.tool_call_answers import complaints
from properties.tool_call_reading import read
from properties.tool_call_requests import APIS, SCHEMAS, Asked, asked_of, calling


class Met(NamedTuple):
    """What a client got, and what the ledger says of it."""

    status: int
    body: bytes
    fault: str | None
    effect: bool


def met(asked: Asked, replies: Replies, fault: Fault | None) -> Met:
    """Ask a fresh server, which would strike this request with the fault."""
    server = ChaosServer(FaultPlan(replies=replies))
    if fault is not None:
        server.next_fault(fault)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(
            base_url="http://api.test", transport=FastTransport()
        ) as client:
            return await client.post(asked.target, headers=dict(asked.headers), content=asked.body)

    with VirtualWorld() as world:
        world.network.add_host("api.test")
        world.spawn(server.serve, world.run(world.network.listen, "api.test", 80))
        answer = world.run(ask)
    (exchange,) = server.ledger
    return Met(answer.status_code, answer.content, exchange.fault_name, exchange.effect)


def of_a_recording(asked: Asked, replies: Replies, fault: Fault | None) -> Met:
    """The same where the good answer is a recorded one, which is all that is known of it."""
    target = asked.target
    headers = {name.encode(): value.encode() for name, value in asked.headers.items()}
    found = route("POST", target, path_of(target), headers)
    good, _ = found.api(
        Call(
            body=asked.body,
            headers=headers,
            number=1,
            created_s=1_700_000_000,
            key="k",
            attempt=1,
            speaker=speaker_of(FaultPlan(replies=replies)),
            model=found.model,
            query=target.partition("?")[2],
            store=Store(),
        )
    )
    answer = with_recorded_calls(good._replace(calls=None, shape=None), asked.body)
    struck = fault is not None and fault.applies_to(answer)
    if fault is not None and struck:
        answer = fault.on_answer(answer)
    if answer.error is not None:
        answer = found.provider.worded(answer, "req_1")
    said = answer.body or b"".join([event.payload for event in answer.events])
    return Met(answer.status, said, fault.name if fault and struck else None, struck)


_ARGUMENTS = st.fixed_dictionaries(
    {"city": st.text(max_size=12), "days": st.integers(-9, 99)},
    optional={"exact": st.booleans(), "near": st.lists(st.text(max_size=3), max_size=2)},
)
_CALLS = st.lists(
    st.tuples(st.just("forecast"), _ARGUMENTS) | st.just(("unknown_tool", {})),
    min_size=1,
    max_size=3,
)


def check(api: str, streamed: bool, fault: Fault, replies: Replies, meet: Any = met) -> list[str]:
    """The law for one answer: what is wrong with it, in words; nothing where all is as it must."""
    asked = asked_of(api, streamed=streamed)
    good, seen = meet(asked, replies, None), meet(asked, replies, fault)
    if seen.fault is None:
        return [] if good == seen else ["an answer differs that no fault struck"]
    if not seen.effect:
        return ["the ledger says that the fault had no effect"]
    parameters = {field.name: getattr(fault, field.name) for field in dataclasses.fields(fault)}
    return complaints(
        fault.name,
        parameters,
        read(api, good.body, streamed=streamed),
        read(api, seen.body, streamed=streamed and seen.status == 200),
        SCHEMAS,
    )


@pytest.mark.parametrize("meet", [met, of_a_recording])
@settings(max_examples=100)
@given(st.sampled_from(list(APIS)), st.booleans(), faults(TOOL_FAULTS), _CALLS)
def test_an_answer_is_the_good_one_but_for_what_the_fault_says(
    meet: Any,
    api: str,
    streamed: bool,
    fault: Fault,
    calls: list[tuple[str, dict[str, Any]]],
) -> None:
    """Whichever API I ask, whole or streamed, and however many tools the model calls."""
    replies = calling(calls)

    assert [] == check(api, streamed, fault, replies, meet)


#: Which faults apply to which APIs, whole and streamed: what is not said here always applies.
_NEVER: Mapping[str, Mapping[str, str]] = {
    "wrong_finish_reason": dict.fromkeys(
        ("responses", "responses openrouter", "gemini", "gemini array", "ollama"), "both"
    ),
    "unencoded_tool_arguments": dict.fromkeys(
        ("messages", "gemini", "gemini array", "ollama"), "both"
    ),
    "malformed_tool_arguments": {"messages": "whole"},
    "truncated_tool_arguments": {"messages": "whole"},
    "duplicate_tool_call": {"functions": "both"},
}


@pytest.mark.parametrize("api", APIS)
def test_a_fault_applies_wherever_its_api_can_say_it(api: str) -> None:
    """What cannot be said is not counted as injected: the answer is the good one."""
    replies = calling([("forecast", {"city": "Rome", "days": 3})])
    for streamed in (False, True):
        asked = asked_of(api, streamed=streamed)
        good = met(asked, replies, None)
        for kind in TOOL_FAULTS:
            never = _NEVER.get(kind.name, {}).get(api)
            legal = never is None or (never == "whole" and streamed)
            for seen in (met(asked, replies, kind()), of_a_recording(asked, replies, kind())):
                assert (kind.name if legal else None, legal) == (seen.fault, seen.effect), kind.name
            assert legal or good == met(asked, replies, kind())
    same = met(asked_of(api, streamed=False), replies, DuplicateToolCall(ids="same"))
    assert (api not in ("functions", "gemini", "gemini array", "ollama")) == same.effect


@pytest.mark.parametrize("api", APIS)
def test_an_answer_without_a_call_is_left_alone(api: str) -> None:
    """A fault of tool calls waits for an answer that has one, streamed or whole."""
    for streamed in (False, True):
        asked = asked_of(api, streamed=streamed)
        good = met(asked, calling([]), None)
        for kind in TOOL_FAULTS:
            assert good == met(asked, calling([]), kind())


class CutsTheOther(TruncatedToolArguments):
    """A broken twin: it cuts the last call whichever was meant, and says that it was whole."""

    def edited(self, good: ToolCalls) -> tuple[tuple[ToolCall, ...], CallEnding] | None:
        called = super().edited(good)
        return None if called is None else ((*called[0][:-1], called[0][0]), "call")


class TakesTheSameId(DuplicateToolCall):
    """A broken twin: an own id is the same as well."""

    def edited(self, good: ToolCalls) -> tuple[tuple[ToolCall, ...], CallEnding] | None:
        return dataclasses.replace(DuplicateToolCall(), ids="same").edited(good)


class WritesJson(MalformedToolArguments):
    """A broken twin: white space behind the arguments is legal JSON."""

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        return dataclasses.replace(call, arguments=f"{call.arguments} ")


class KeepsTheType(MistypedToolArguments):
    """A broken twin: another value, of the right type."""

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        return dataclasses.replace(call, arguments=call.arguments.replace("3", "4"))


class CallsAnother(UnknownTool):
    """A broken twin: the tool was offered."""

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        return dataclasses.replace(call, name="unknown_tool")


class LosesTheModel(UnknownTool):
    """A broken twin: the rest of the answer is another one."""

    def on_answer(self, answer: Answer) -> Answer:
        struck = super().on_answer(answer)
        body = struck.body.replace(b'"model"', b'"mod"')
        events = [
            it._replace(payload=it.payload.replace(b'"model"', b'"mod"')) for it in struck.events
        ]
        return struck._replace(body=body, events=tuple(events))


@pytest.mark.parametrize(
    "twin",
    [CutsTheOther, TakesTheSameId, WritesJson, KeepsTheType, CallsAnother, LosesTheModel],
    ids=lambda twin: twin.__name__,
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_fault_that_does_something_else_is_caught(twin: type[Fault], streamed: bool) -> None:
    """Each broken twin breaks the law, so each sentence of it tests something."""
    calls = [("forecast", {"city": "Rome", "days": 3}), ("forecast", {"city": "Oslo", "days": 3})]

    assert [] != check("chat", streamed, twin(), calling(calls))
