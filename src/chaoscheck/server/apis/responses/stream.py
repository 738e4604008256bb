"""A response as a stream: its items grow event by event, numbered, in OpenAI's order.

``response.created``, ``response.in_progress`` (between them ``response.queued``, of one in the
background); of each item ``output_item.added``, what it
consists of, ``output_item.done``; then ``response.completed`` (or ``incomplete``) with the whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chaoscheck.plan.answer import Event, EventKind, Shape
from chaoscheck.server.apis.pieces import pieces_of, slices_of
from chaoscheck.server.apis.sse import event, json_string

__all__ = ["STREAM_SHAPE", "response_events"]

#: Where things stand in an event with content.
STREAM_SHAPE = Shape(content=("delta",), number=("sequence_number",))


def response_events(response: Mapping[str, Any], waits: Iterator[float]) -> tuple[Event, ...]:
    """The whole stream, each piece of content after its wait in seconds."""
    writer = _Writer(waits)
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    begun["incomplete_details"] = None
    if response["background"]:
        queued = {**begun, "status": "queued"}
        writer.say("start", "response.created", response=queued)
        writer.say("start", "response.queued", response=queued)
    else:
        writer.say("start", "response.created", response=begun)
    writer.say("start", "response.in_progress", response=begun)
    for index, item in enumerate(response["output"]):
        if item["type"] == "message":
            _say_message(writer, index, item)
        else:
            _say_call(writer, index, item)
    writer.say("end", f"response.{response['status']}", response=response)
    return tuple(writer.events)


class _Writer:
    """Numbers events as they are said."""

    def __init__(self, waits: Iterator[float]) -> None:
        self.events: list[Event] = []
        self._waits = waits
        self._spoke = False

    def say(self, kind: EventKind, name: str, /, **members: object) -> None:
        """An event of any members."""
        said = {"type": name, "sequence_number": len(self.events), **members}
        waits_s = 0.0
        if kind == "finish" and not self._spoke:  # No word takes as long as the first word.
            waits_s, self._spoke = next(self._waits), True
        self.events.append(event(kind, json.dumps(said), name=name, delay_s=waits_s))

    def say_pieces(
        self, name: str, pieces: list[str], likely: list[str] | None = None, /, **members: object
    ) -> None:
        """A delta for each piece: ``members`` are written once, and ``likely`` is its logprobs."""
        shared = json.dumps({"type": name, **members})[:-1]
        for at, piece in enumerate(pieces):
            number = len(self.events)
            logprobs = "" if likely is None else f', "logprobs": {likely[at]}'
            said = (
                f'{shared}, "sequence_number": {number}, "delta": {json_string(piece)}{logprobs}}}'
            )
            self._spoke = True
            self.events.append(event("content", said, name=name, delay_s=next(self._waits)))

    def say_value(self, name: str, value: object, /, **members: object) -> None:
        """One delta that is no text."""
        said = {"type": name, **members, "sequence_number": len(self.events), "delta": value}
        self._spoke = True
        self.events.append(event("content", json.dumps(said), name=name, delay_s=next(self._waits)))


def _say_message(writer: _Writer, index: int, item: Mapping[str, Any]) -> None:
    part = item["content"][0]
    where = {"item_id": item["id"], "output_index": index, "content_index": 0}
    added = {**item, "status": "in_progress", "content": []}
    writer.say("start", "response.output_item.added", output_index=index, item=added)
    empty = {**part, "text": "", "logprobs": []}
    writer.say("start", "response.content_part.added", **where, part=empty)
    pieces = pieces_of(part["text"])
    likely = part["logprobs"]
    each = [json.dumps([entry]) for entry in likely] if likely else ["[]"] * len(pieces)
    writer.say_pieces("response.output_text.delta", pieces, each, **where)
    done = {"text": part["text"], "logprobs": likely}
    writer.say("finish", "response.output_text.done", **where, **done)
    writer.say("finish", "response.content_part.done", **where, part=part)
    writer.say("finish", "response.output_item.done", output_index=index, item=item)


def _say_call(writer: _Writer, index: int, item: Mapping[str, Any]) -> None:
    where = {"item_id": item["id"], "output_index": index}
    custom = item["type"] == "custom_tool_call"
    member = "input" if custom else "arguments"
    kind = "response.custom_tool_call_input" if custom else "response.function_call_arguments"
    added = {**item, "status": "in_progress", member: ""}
    writer.say("start", "response.output_item.added", output_index=index, item=added)
    if isinstance(item[member], str):
        writer.say_pieces(f"{kind}.delta", slices_of(item[member]), **where)
    else:  # An object comes in one piece.
        writer.say_value(f"{kind}.delta", item[member], **where)
    done = {member: item[member]} if custom else {"name": item["name"], member: item[member]}
    writer.say("finish", f"{kind}.done", **where, **done)
    writer.say("finish", "response.output_item.done", output_index=index, item=item)
