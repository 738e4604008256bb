"""Anthropic's Messages API: what the assistant says as one JSON body, or as a stream of events."""

from __future__ import annotations

import json
from dataclasses import replace

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.plan.tool_calls import CallEnding, ToolCall
from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.context_room import room_for_messages
from chaoscheck.server.apis.messages.reply import (
    CALL_FORM,
    STOP_REASONS,
    STREAMED_CALL_FORM,
    Said,
    call_id,
    said_to,
)
from chaoscheck.server.apis.messages.request import Asked, asked_of
from chaoscheck.server.apis.messages.stream import streamed_message
from chaoscheck.server.apis.messages.thinking import signature_of
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.sse import json_string
from chaoscheck.server.apis.tool_calls import passed_value, tool_calls
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
        room = room_for_messages(call, asked.model, asked.input_tokens, asked.max_tokens)
    except BadRequest as bad:
        return Answer(status=400, error=bad.error), None
    said = said_to(call, asked)
    if room is not None and said.tokens > room:
        # Only a call is longer than max_tokens: the window is full before it is whole.
        said = Said("", 0, "max_tokens")
    call.note_tokens(asked.model, asked.input_tokens, said.tokens, asked.max_tokens)
    answer = _answered(call, asked, said)
    if not said.calls:
        return answer, said.tag

    def write(calls: tuple[ToolCall, ...], ending: CallEnding) -> Answer:
        reason = STOP_REASONS.get(ending, said.stop_reason)
        return _answered(call, asked, said._replace(calls=calls, stop_reason=reason))

    form = STREAMED_CALL_FORM if asked.streamed else CALL_FORM
    return answer._replace(calls=tool_calls(said.calls, asked.tools, form, write)), said.tag


def _answered(call: Call, asked: Asked, said: Said) -> Answer:
    return streamed_message(call, asked, said) if asked.streamed else _whole(call, asked, said)


def _whole(call: Call, asked: Asked, said: Said) -> Answer:
    number = call.number
    content = (
        f'{{"type":"text","text":{json_string(said.text)}}}'
        if said.speaks
        else _tool_blocks(number, said.calls)
    )
    thoughts = _thinking_block(number, said)
    blocks = ",".join([part for part in (thoughts, content) if part])
    shape = (_THOUGHTFUL_SHAPES if said.thinking.tokens else _SHAPES)[bool(said.calls)]
    stop = "null" if said.stop_sequence is None else json_string(said.stop_sequence)
    body = (
        f'{{"id":"msg_{number:06d}","type":"message","role":"assistant",'
        f'"model":{json_string(asked.model)},"content":[{blocks}],'
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
        f'"signature":"{signature_of(number)}"}}'
    )


def _tool_blocks(number: int, calls: tuple[ToolCall, ...]) -> str:
    return ",".join(
        [
            f'{{"type":"tool_use","id":"{call_id(number, index, tool)}",'
            f'"name":{json_string(tool.name)},"input":{json.dumps(passed_value(tool))}}}'
            for index, tool in enumerate(calls)
        ]
    )
