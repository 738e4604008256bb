"""Anthropic's Messages API as a stream of named events (API reference, "Streaming messages").

``message_start``, then for each content block ``content_block_start``, its deltas and
``content_block_stop``; a ``ping`` follows the first block's start. ``message_delta`` says why the
text ended and counts the output; ``message_stop`` ends the stream.
"""

from __future__ import annotations

from collections.abc import Iterator

from chaoscheck.plan.answer import Answer, Event, EventKind, Shape
from chaoscheck.server.apis.call import Call
from chaoscheck.server.apis.messages.reply import Said, argument_pieces, call_id
from chaoscheck.server.apis.messages.request import Asked
from chaoscheck.server.apis.messages.thinking import signature_of
from chaoscheck.server.apis.pieces import pieces_of
from chaoscheck.server.apis.sse import EVENT_STREAM_TYPE, Repeated, event, json_string
from chaoscheck.server.apis.tool_calls import passed_text

__all__ = ["streamed_message"]


TEXT_SHAPE = Shape(items=("delta",), content=("delta", "text"), number=("index",))
TOOL_SHAPE = Shape(items=("delta",), content=("delta", "partial_json"), number=("index",))


def _named(kind: EventKind, name: str, members: str = "") -> Event:
    return event(kind, f'{{"type":"{name}"{members}}}', name=name)


_PING = _named("start", "ping")  # It bears data and comes before any text.
_STOP = _named("end", "message_stop")
_NO_THOUGHT = '{"type":"thinking","thinking":"","signature":""}'
_NO_TEXT = '{"type":"text","text":""}'


def streamed_message(call: Call, asked: Asked, said: Said) -> Answer:
    """The whole stream, each delta at its speaker's pace."""
    events = [_message_start(call.number, asked)]
    waits = call.pace().waits()
    first = 0
    if said.thinking.tokens:
        first = 1
        _add_block(events, 0, _NO_THOUGHT, _thinking_deltas(call.number, said.thinking.text, waits))
    if said.speaks:
        _add_block(events, first, _NO_TEXT, _text_deltas(said.text, first, waits))
    for index, tool in enumerate(said.calls, start=first):
        block = (
            f'{{"type":"tool_use","id":"{call_id(call.number, index - first, tool)}",'
            f'"name":{json_string(tool.name)},"input":{{}}}}'
        )
        _add_block(events, index, block, _input_deltas(index, passed_text(tool), waits))
    return Answer(
        status=200,
        headers=(EVENT_STREAM_TYPE, ("cache-control", "no-cache")),
        events=(*events, _message_delta(said), _STOP),
        streamed=True,
        shape=TOOL_SHAPE if said.calls else TEXT_SHAPE,
    )


def _message_start(number: int, asked: Asked) -> Event:
    message = (
        f'{{"id":"msg_{number:06d}","type":"message","role":"assistant",'
        f'"model":{json_string(asked.model)},"content":[],"stop_reason":null,'
        f'"stop_sequence":null,"usage":{{"input_tokens":{asked.input_tokens},'
        f'"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,'
        f'"service_tier":"standard"}}}}'
    )
    return _named("start", "message_start", f',"message":{message}')


def _add_block(events: list[Event], index: int, block: str, deltas: list[Event]) -> None:
    at = f',"index":{index}'
    events.append(_named("start", "content_block_start", f'{at},"content_block":{block}'))
    if index == 0:
        events.append(_PING)
    events += deltas
    events.append(_named("finish", "content_block_stop", at))


def _text_deltas(text: str, index: int, waits: Iterator[float]) -> list[Event]:
    deltas = _deltas(index, "text_delta", "text") if index else _DELTAS_OF_TEXT
    return deltas.events(pieces_of(text), waits)


def _thinking_deltas(number: int, text: str, waits: Iterator[float]) -> list[Event]:
    # No client takes thoughts for the text, so they come before all that bears content.
    thoughts = _deltas(0, "thinking_delta", "thinking").events(pieces_of(text), waits)
    signed = _deltas(0, "signature_delta", "signature").events(
        [signature_of(number)], [0.0 if thoughts else next(waits)]
    )
    return [event._replace(kind="start") for event in (*thoughts, *signed)]


def _input_deltas(index: int, arguments: str, waits: Iterator[float]) -> list[Event]:
    deltas = _deltas(index, "input_json_delta", "partial_json")
    return deltas.events(argument_pieces(arguments), waits)


def _deltas(index: int, kind: str, member: str) -> Repeated:
    return Repeated(
        name="content_block_delta",
        before=(
            f'{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{member}":'
        ),
        after="}}",
    )


_DELTAS_OF_TEXT = _deltas(0, "text_delta", "text")


def _message_delta(said: Said) -> Event:
    stop = "null" if said.stop_sequence is None else json_string(said.stop_sequence)
    return _named(
        "finish",
        "message_delta",
        f',"delta":{{"stop_reason":"{said.stop_reason}","stop_sequence":{stop}}},'
        f'"usage":{{"output_tokens":{said.tokens}{said.details}}}',
    )
