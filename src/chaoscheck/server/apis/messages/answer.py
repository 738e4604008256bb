"""Anthropic's Messages API: what the assistant says as one JSON body, or as a stream of events."""

from __future__ import annotations

import json
from dataclasses import replace

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.messages.reply import Said, said_to
from chaoscheck.server.apis.messages.request import Asked, asked_of
from chaoscheck.server.apis.messages.stream import streamed_message
from chaoscheck.server.apis.messages.thinking import signature_of
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.speaker import ToolCall
from chaoscheck.server.apis.sse import json_string
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_message"]


SHAPE = Shape(
    items=("content",),
    content=("content", 0, "text"),
    number=("usage", "input_tokens"),
    usage=("usage",),
)
TOOL_SHAPE = Shape(
    items=("content",),
    content=("content", 0, "input"),
    number=("usage", "input_tokens"),
    usage=("usage",),
)


_SHAPES = (SHAPE, TOOL_SHAPE)
# Behind a thinking block stands what is said otherwise.
_THOUGHTFUL_SHAPES = tuple(
    replace(shape, content=("content", 1, *shape.content[2:])) for shape in _SHAPES
)


def answer_message(call: Call) -> Answered:
    """The good answer to a message and what it says; 400 and None for a bad request."""
    try:
        asked = asked_of(call.body)
    except BadRequest as bad:
        return Answer(status=400, error=bad.error), None
    said = said_to(call, asked)
    call.note_tokens(asked.model, asked.input_tokens, said.tokens, asked.max_tokens)
    answer = streamed_message(call, asked, said) if asked.streamed else _whole(call, asked, said)
    return answer, said.tag


def _whole(call: Call, asked: Asked, said: Said) -> Answer:
    number = call.number
    content = (
        _tool_blocks(number, said.calls)
        if said.calls
        else f'{{"type":"text","text":{json_string(said.text)}}}'
    )
    shape = (_THOUGHTFUL_SHAPES if said.thinking.tokens else _SHAPES)[bool(said.calls)]
    stop = "null" if said.stop_sequence is None else json_string(said.stop_sequence)
    body = (
        f'{{"id":"msg_{number:06d}","type":"message","role":"assistant",'
        f'"model":{json_string(asked.model)},"content":[{_thinking_block(number, said)}{content}],'
        f'"stop_reason":"{said.stop_reason}","stop_sequence":{stop},'
        f'"usage":{{"input_tokens":{asked.input_tokens},"cache_creation_input_tokens":0,'
        f'"cache_read_input_tokens":0,"output_tokens":{said.tokens},'
        f'"service_tier":"standard"{said.details}}}}}'
    )
    return Answer(
        status=200,
        headers=(JSON_TYPE,),
        body=body.encode("ascii"),
        shape=shape,
        delay_s=said.lasts_s(call.pace()),
    )


def _thinking_block(number: int, said: Said) -> str:
    if not said.thinking.tokens:
        return ""
    return (
        f'{{"type":"thinking","thinking":{json_string(said.thinking.text)},'
        f'"signature":"{signature_of(number)}"}},'
    )


def _tool_blocks(number: int, calls: tuple[ToolCall, ...]) -> str:
    return ",".join(
        [
            f'{{"type":"tool_use","id":"toolu_{number:06d}_{index}",'
            f'"name":{json_string(tool.name)},"input":{_object(tool.arguments)}}}'
            for index, tool in enumerate(calls)
        ]
    )


def _object(arguments: str) -> str:
    # Read and written again, so that the body is JSON in ASCII whatever a recording holds.
    try:
        read = json.loads(arguments)
    except (ValueError, RecursionError):
        read = None
    return json.dumps(read if isinstance(read, dict) else {})
