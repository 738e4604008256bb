"""Calls of tools in answers of real providers: beside texts and reasoning, in their own order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.answer import Answer, Event
from chaoscheck.plan.fault import Fault
from chaoscheck.server.replay.recorded_calls import with_recorded_calls

_SCHEMA = {"properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT = {"tools": [{"type": "function", "function": {"name": "look", "parameters": _SCHEMA}}]}
CLAUDE = {"tools": [{"name": "look", "input_schema": _SCHEMA}]}
ITEMS = {"tools": [{"type": "function", "name": "look", "parameters": _SCHEMA}]}

Document = dict[str, Any]


def whole(body: Document) -> Answer:
    """A recorded body."""
    return Answer(status=200, body=json.dumps(body).encode())


def streamed(*documents: Document, delay_s: float = 1.0) -> Answer:
    """A recorded stream of named events, each a second after the last."""
    events = [
        Event("start", f"event: {it['type']}\ndata: {json.dumps(it)}\n\n".encode(), delay_s)
        for it in documents
    ]
    return Answer(status=200, streamed=True, events=tuple(events))


def struck(fault: Fault, answer: Answer, request: Document) -> Answer:
    """The recorded answer under a fault that applies to it."""
    found = with_recorded_calls(answer, json.dumps(request).encode())
    assert fault.applies_to(found)
    return fault.on_answer(found)


def documents_of(answer: Answer) -> list[Document]:
    """What the events say."""
    return [json.loads(event.payload.partition(b"data: ")[2]) for event in answer.events]


def _block(index: int, block: Document, *deltas: Document) -> list[Document]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *[{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas],
        {"type": "content_block_stop", "index": index},
    ]


def _use(at: int) -> Document:
    return {"type": "tool_use", "id": f"toolu_{at}", "name": "look", "input": {}}


TEXT_BLOCK = _block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "I look."})
ROME = _block(
    1,
    _use(1),
    {"type": "input_json_delta", "partial_json": ""},
    {"type": "input_json_delta", "partial_json": '{"city": '},
    {"type": "input_json_delta", "partial_json": '"Rome"}'},
)
BARE = _block(2, _use(2))  # a call without arguments says no delta
MESSAGE_END: list[Document] = [
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    {"type": "message_stop"},
]
MESSAGE = streamed({"type": "message_start"}, *TEXT_BLOCK, *ROME, *BARE, *MESSAGE_END)


def test_a_text_before_the_calls_of_a_message_stays() -> None:
    """The model says what it does and then calls twice; only the call that is meant is cut."""
    answer = struck(faults.truncated_tool_arguments(after_bytes=12), MESSAGE, CLAUDE)

    cut = {"type": "input_json_delta", "partial_json": '{"city": "Ro'}
    empty = {"type": "input_json_delta", "partial_json": "{}"}
    assert [
        {"type": "message_start"},
        *TEXT_BLOCK,
        *_block(1, _use(1), cut),
        *_block(2, _use(2), empty),
        *MESSAGE_END,
    ] == documents_of(answer)


def test_a_recorded_stream_takes_as_long_as_before() -> None:
    """The events that are said in place of others take over their times."""
    answer = struck(faults.unknown_tool(), MESSAGE, CLAUDE)

    assert len(MESSAGE.events) == sum(event.delay_s for event in answer.events)


def test_a_message_without_its_calls_keeps_its_text() -> None:
    """The reason still says that there are calls."""
    answer = struck(faults.missing_tool_call(), MESSAGE, CLAUDE)

    assert [{"type": "message_start"}, *TEXT_BLOCK, *MESSAGE_END] == documents_of(answer)


def test_a_whole_message_keeps_its_text_and_its_other_call() -> None:
    """A block of text stands where it stood."""
    text = {"type": "text", "text": "I look."}
    rome = {**_use(1), "input": {"city": "Rome"}}
    body = {"content": [text, rome, _use(2)], "stop_reason": "tool_use"}
    answer = struck(faults.mistyped_tool_arguments(), whole(body), CLAUDE)

    mistyped = {**rome, "input": {"city": 42}}
    assert {**body, "content": [text, mistyped, _use(2)]} == json.loads(answer.body)


REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "look",
    "arguments": '{"city": "Rome"}',
    "status": "completed",
}
SAID = {"type": "message", "id": "msg_1", "content": []}
OUTPUT = [REASONING, CALL, SAID]


def _item_events(index: int, item: Document, *between: Document) -> list[Document]:
    where = {"output_index": index, "item": item}
    return [
        {"type": "response.output_item.added", **where},
        *[{"output_index": index, **it} for it in between],
        {"type": "response.output_item.done", **where},
    ]


def test_items_behind_a_call_that_is_said_twice_move_on() -> None:
    """Reasoning before the call and a message behind it stay, numbered as they now stand."""
    arguments = "response.function_call_arguments"
    deltas = [{"type": f"{arguments}.delta", "delta": it} for it in ('{"city"', ': "Rome"}')]
    done = {"type": f"{arguments}.done", "arguments": CALL["arguments"]}
    response = {"status": "completed", "output": OUTPUT}
    recorded = [
        {"type": "response.created", "response": {"status": "in_progress", "output": []}},
        *_item_events(0, REASONING),
        *_item_events(1, {**CALL, "arguments": ""}, *deltas, done),
        *_item_events(2, SAID),
        {"type": "response.completed", "response": response},
    ]
    numbered = [{**it, "sequence_number": at} for at, it in enumerate(recorded)]
    answer = struck(faults.duplicate_tool_call(), streamed(*numbered), ITEMS)

    documents = documents_of(answer)
    again = {**CALL, "id": "fc_1_again", "call_id": "call_1_again"}
    assert [REASONING, CALL, again, SAID] == documents[-1]["response"]["output"]
    assert list(range(len(documents))) == [it["sequence_number"] for it in documents]
    dones = [it for it in documents if it["type"] == "response.output_item.done"]
    assert [(0, "rs_1"), (1, "fc_1"), (2, "fc_1_again"), (3, "msg_1")] == [
        (it["output_index"], it["item"]["id"]) for it in dones
    ]


def test_a_limit_makes_a_recorded_response_incomplete() -> None:
    """Its last event bears another name, as the provider's would."""
    response = {"status": "completed", "output": [CALL]}
    end = {"type": "response.completed", "response": response}
    fault = faults.wrong_finish_reason(reason="length")
    answer = struck(fault, streamed(*_item_events(0, CALL), end), ITEMS)

    last = documents_of(answer)[-1]
    assert b"event: response.incomplete\n" in answer.events[-1].payload
    assert ("response.incomplete", "incomplete") == (last["type"], last["response"]["status"])
    assert {"reason": "max_output_tokens"} == last["response"]["incomplete_details"]


def test_the_other_choices_of_a_chat_stay() -> None:
    """Only the first choice is changed, and what it says beside the call is kept."""
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    first = {"index": 0, "message": {"content": "I look.", "tool_calls": [call]}}
    other = {"index": 1, "message": {"content": "no", "tool_calls": [call]}}
    answer = struck(faults.unknown_tool(tool="shell"), whole({"choices": [first, other]}), CHAT)

    choices = json.loads(answer.body)["choices"]
    shell = {**call, "function": {"name": "shell", "arguments": "{}"}}
    assert {"content": "I look.", "tool_calls": [shell]} == choices[0]["message"]
    assert other == choices[1]


def test_a_custom_call_keeps_its_member() -> None:
    """A custom tool takes any text, which can be cut but not broken as JSON."""
    call = {"id": "c", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}
    recorded = whole({"choices": [{"index": 0, "message": {"tool_calls": [call]}}]})
    answer = struck(faults.truncated_tool_arguments(after_bytes=2), recorded, {})

    (cut,) = json.loads(answer.body)["choices"][0]["message"]["tool_calls"]
    assert {"name": "shell", "input": "ls"} == cut["custom"]
    assert not faults.malformed_tool_arguments().applies_to(with_recorded_calls(recorded, b""))


def test_ollama_says_that_it_could_not_read_a_later_call() -> None:
    """What came before has been said; where nothing was, the whole answer is the error."""
    calls = [{"function": {"name": "look", "arguments": {"city": it}}} for it in ("Rome", "Oslo")]
    lines = [
        {"message": {"content": ""} | ({"tool_calls": [call]} if call else {}), "done": not call}
        for call in [*calls, None]
    ]
    events = tuple([Event("content", json.dumps(it).encode() + b"\n") for it in lines])
    recorded = Answer(status=200, streamed=True, events=events)

    later = struck(faults.malformed_tool_arguments(call=1), recorded, CHAT)
    first = struck(faults.malformed_tool_arguments(), recorded, CHAT)

    assert lines[0] == json.loads(later.events[0].payload)
    assert 'error parsing tool call: raw=\'{"city": "Oslo",}\'' in later.events[
        -1
    ].payload.decode().replace("\\", "")
    assert 500 == first.status
    assert first.error is not None


@pytest.mark.parametrize(
    "recorded",
    [
        whole({"choices": [{"message": {"tool_calls": "none"}}]}),
        whole({"choices": [{"message": {"tool_calls": [{"function": {"arguments": {"a": 1}}}]}}]}),
        whole({"content": "text"}),
        whole({"output": [{"type": "function_call"}], "content": [{"type": "tool_use"}]}),
        Answer(status=200, body=b"no JSON"),
        Answer(status=200, body=b"[1, 2]"),
        Answer(status=500, body=b'{"error": "no"}'),
        Answer(status=200, streamed=True),
        streamed({"type": "content_block_start", "content_block": _use(1)}),
        streamed(
            {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta"}}
        ),
    ],
    ids=lambda answer: str(answer.body or answer.events)[:60],
)
def test_a_recording_may_hold_anything(recorded: Answer) -> None:
    """What no API would say is replayed as it is, or with a fault of calls, but never fails."""
    answer = with_recorded_calls(recorded, b'{"tools": [{"name": 5}, 3]}')

    for fault in (faults.unknown_tool(), faults.duplicate_tool_call(), faults.missing_tool_call()):
        fault.on_answer(answer)
