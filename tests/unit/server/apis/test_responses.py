"""The Responses API: whole answers, streams, calls and mistakes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoscheck.plan.answer import Answer
from chaoscheck.server.apis.responses.answer import answer_response
from chaoscheck.server.apis.speaker import Echo
from tests.unit.server.apis.calls import ask, at, document, says

TOOL = {
    "type": "function",
    "name": "f",
    "parameters": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
}
CALLING = {"tools": [TOOL], "tool_choice": {"type": "function", "name": "f"}}


def respond(asked: object = "hello there", **parameters: object) -> Answer:
    """The answer to this input."""
    return ask(answer_response, {"model": "m", "input": asked, **parameters})[0]


def test_a_response_echoes_the_input() -> None:
    """The whole document, where it is not a copy of the request."""
    said = document(respond())

    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": "hello there"}
    item = {
        "id": "msg_000007",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }
    assert ("resp_000007", "response", 1_700_000_000, "completed", "m") == (
        said["id"],
        said["object"],
        said["created_at"],
        said["status"],
        said["model"],
    )
    assert [item] == said["output"]
    assert (2, 2, 4) == tuple(
        said["usage"][f"{name}_tokens"] for name in ("input", "output", "total")
    )


@pytest.mark.parametrize(
    ("asked", "echo"),
    [
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "a"),
        ([{"type": "message", "role": "user", "content": "a"}], "a"),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "input_text", "text": "x"}, {"type": "input_image"}],
                }
            ],
            "x",
        ),
        (
            [
                {"role": "user", "content": "q"},
                {"type": "reasoning", "summary": []},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "done"},
            ],
            "q",
        ),
        ([{"type": "item_reference", "id": "x"}], ""),
        ([], ""),
    ],
)
def test_the_last_user_message_is_echoed(asked: object, echo: str) -> None:
    """Whatever else stands in the input."""
    assert echo == document(respond(asked))["output"][0]["content"][0]["text"]


def test_parameters_are_repeated() -> None:
    """What I asked for stands in the answer, and instructions count as input."""
    said = document(respond("a b", instructions="c d", temperature=0.5, metadata={"k": "v"}))

    assert ("c d", 0.5, {"k": "v"}, 4) == (
        said["instructions"],
        said["temperature"],
        said["metadata"],
        said["usage"]["input_tokens"],
    )


def test_a_limit_makes_a_response_incomplete() -> None:
    """max_output_tokens is told as the reason, whole or streamed."""
    said = document(respond("a b c", max_output_tokens=2))
    last = says(respond("a b c", max_output_tokens=2, stream=True), "end")[0]

    found = (said["status"], said["incomplete_details"], said["output"][0]["content"][0]["text"])
    assert ("incomplete", {"reason": "max_output_tokens"}, "a b") == found
    assert ("response.incomplete", said) == (last["type"], last["response"])


def test_a_format_is_met() -> None:
    """The text is an object of the schema that I gave."""
    schema = TOOL["parameters"]
    text = {"format": {"type": "json_schema", "name": "n", "schema": schema}}

    said = document(respond("hi", text=text))

    assert {"a": "hi"} == json.loads(said["output"][0]["content"][0]["text"])


def test_a_demanded_function_is_called() -> None:
    """A call in place of a message."""
    (item,) = document(respond("hi", **CALLING))["output"]

    assert ("function_call", "f", '{"a":"hi"}', "call_000007_0") == (
        item["type"],
        item["name"],
        item["arguments"],
        item["call_id"],
    )


TEXT_STREAM = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]
CALL_STREAM = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "response.completed",
]


@pytest.mark.parametrize(
    ("parameters", "names"), [({}, TEXT_STREAM), (CALLING, CALL_STREAM)], ids=["text", "call"]
)
def test_a_stream_comes_in_the_order_of_openai(
    parameters: dict[str, Any], names: list[str]
) -> None:
    """Each event is named, twice, and numbered without a gap; the last one holds the whole."""
    answer = respond(stream=True, **parameters)

    events = says(answer)
    assert names == [event["type"] for event in events]
    heads = [event.payload.split(b"\n")[0].decode() for event in answer.events]
    assert [f"event: {name}" for name in names] == heads
    assert list(range(len(names))) == [event["sequence_number"] for event in events]
    assert document(respond(**parameters)) == events[-1]["response"]


@pytest.mark.parametrize("parameters", [{}, CALLING], ids=["text", "call"])
def test_the_shape_leads_to_what_a_client_reads(parameters: dict[str, Any]) -> None:
    """Faults find the text in a whole response and in each delta."""
    whole, streamed = respond(**parameters), respond(stream=True, **parameters)

    assert whole.shape is not None
    assert streamed.shape is not None
    text = at(document(whole), whole.shape.content)
    assert "hello there" in text
    assert text == "".join([at(said, streamed.shape.content) for said in says(streamed, "content")])
    assert 1_700_000_000 == at(document(whole), whole.shape.number)
    assert dict is type(at(document(whole), whole.shape.usage))


@pytest.mark.parametrize("text", ["", "a", "a b c"])
def test_a_stream_takes_as_long_as_the_whole_response(text: str) -> None:
    """Also where nothing is said."""
    body = {"model": "m", "input": text}
    speaker = Echo(first_token_s=0.5, token_s=0.25)

    whole, _ = ask(answer_response, body, speaker=speaker)
    streamed, _ = ask(answer_response, body | {"stream": True}, speaker=speaker)

    assert whole.delay_s == sum([event.delay_s for event in streamed.events])


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"input": None}, "input"),
        ({"input": 1}, "input"),
        ({"input": ["a"]}, "input[0]"),
        ({"input": [{"content": "a"}]}, "input[0].role"),
        ({"input": [{"role": "king", "content": "a"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": 1}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": ["a"]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{}]}]}, "input[0].content[0].type"),
        ({"input": [{"type": 1}]}, "input[0].type"),
        ({"input": [{"type": "function_call_output"}]}, "input[0].call_id"),
        ({"model": None}, "model"),
        ({"instructions": 1}, "instructions"),
        ({"temperature": 3}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"stream": 1}, "stream"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "x"}}, "tool_choice"),
        ({"text": 1}, "text"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        (
            {
                "text": {
                    "format": {"type": "json_schema", "name": "n", "schema": {"type": ["null"]}}
                }
            },
            "text.format.schema",
        ),
    ],
)
def test_a_bad_request_is_told_which_parameter_is_wrong(
    parameters: dict[str, object], param: str
) -> None:
    """My client's mistakes are answered as OpenAI answers them."""
    answer, said = ask(answer_response, {"model": "m", "input": "hi"} | parameters)

    assert answer.error is not None
    assert (400, param, None) == (answer.status, answer.error.param, said)
