"""Calls of tools in recorded answers whose streams number what they say: Messages, Responses.

A stream says each call that takes a recorded one's place in as few events as its API allows, where
the first recorded call stood; what stands behind the calls is numbered anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chaoscheck.plan.tool_calls import CallEnding, ToolCall
from chaoscheck.server.apis.messages import reply as messages
from chaoscheck.server.apis.responses import document as responses
from chaoscheck.server.apis.tool_calls import passed_text, passed_value
from chaoscheck.server.replay.call_dialects import Passed, passed_in
from chaoscheck.server.replay.recorded_pieces import Piece, at, new_piece, put_in_place

__all__ = ["MessageCalls", "ResponseCalls"]

_KINDS = {"function_call": "arguments", "custom_tool_call": "input"}


class MessageCalls:
    """Anthropic's messages: blocks of the type ``tool_use``."""

    def __init__(self, pieces: Sequence[Piece], streamed: bool) -> None:
        self._streamed = streamed
        self.form = messages.STREAMED_CALL_FORM if streamed else messages.CALL_FORM
        self._blocks: dict[int, dict[str, Any]] = {}  # by index
        passed: dict[int, str] = {}
        for index, block in _blocks_in(pieces):
            if at(block, "type") == "tool_use":
                self._blocks[index] = block
        for piece in pieces:
            if at(piece.said, "delta", "type") == "input_json_delta":
                index = piece.said["index"]
                passed[index] = passed.get(index, "") + piece.said["delta"]["partial_json"]
        self.calls = tuple(
            [
                ToolCall(
                    name=str(at(block, "name")),
                    arguments=passed.get(index) or json.dumps(at(block, "input") or {}),
                )
                for index, block in self._blocks.items()
            ]
        )

    def say(self, pieces: list[Piece], calls: Passed, ending: CallEnding) -> list[Piece]:
        """The blocks of the calls in place of those that were recorded."""
        reason = messages.STOP_REASONS.get(ending)
        for piece in pieces if reason is not None else ():
            for holder in (piece.said, at(piece.said, "delta")):
                if at(holder, "stop_reason"):
                    holder["stop_reason"] = reason
        return (
            self._streamed_blocks(pieces, calls) if self._streamed else self._whole(pieces, calls)
        )

    def _block(self, number: int, call: ToolCall) -> dict[str, Any]:
        block = list(self._blocks.values())[call.place(number)]
        return {**block, "id": f"{at(block, 'id')}{call.id_suffix}", "name": call.name}

    def _whole(self, pieces: list[Piece], calls: Passed) -> list[Piece]:
        new = [
            {**self._block(number, call), "input": passed_value(call)}
            for number, call in enumerate(calls)
        ]
        said = pieces[0].said
        first = min(self._blocks)
        kept = [block for index, block in enumerate(said["content"]) if index not in self._blocks]
        said["content"] = [*kept[:first], *new, *kept[first:]]
        return pieces

    def _streamed_blocks(self, pieces: list[Piece], calls: Passed) -> list[Piece]:
        first = min(self._blocks)
        new: list[Piece] = []
        for number, call in enumerate(calls):
            where = {"index": first + number}
            block = {**self._block(number, call), "input": {}}
            start = {"type": "content_block_start", **where, "content_block": block}
            delta = {"type": "input_json_delta", "partial_json": passed_text(call)}
            new += [
                new_piece("start", start),
                new_piece("content", {"type": "content_block_delta", **where, "delta": delta}),
                new_piece("finish", {"type": "content_block_stop", **where}),
            ]
        gone = [piece for piece in pieces if at(piece.said, "index") in self._blocks]
        places = _places(_indices(pieces, "index"), self._blocks, len(calls))
        for piece in pieces:
            if at(piece.said, "index") in places:
                piece.said["index"] = places[piece.said["index"]]
        return put_in_place(pieces, gone, new)


def _blocks_in(pieces: Sequence[Piece]) -> list[tuple[int, Any]]:
    started = [
        (piece.said["index"], piece.said["content_block"])
        for piece in pieces
        if at(piece.said, "type") == "content_block_start"
    ]
    content = at(pieces[0].said, "content") if pieces else None
    return started or list(enumerate(content if isinstance(content, list) else []))


def _indices(pieces: Sequence[Piece], member: str) -> list[int]:
    found = {at(piece.said, member) for piece in pieces}
    return sorted(index for index in found if isinstance(index, int))


def _places(indices: Sequence[int], of_calls: Mapping[int, Any], calls: int) -> dict[int, int]:
    """Where what is no call stands now: behind the calls it moves by what these became more."""
    first = min(of_calls)
    kept = [index for index in indices if index not in of_calls]
    moved = {}
    for number, index in enumerate(kept):
        moved[index] = number if index < first else number + calls
    return moved


class ResponseCalls:
    """The Responses API: items of the types ``function_call`` and ``custom_tool_call``."""

    def __init__(self, pieces: Sequence[Piece], streamed: bool) -> None:
        self.form = responses.CALL_FORM
        self._streamed = streamed
        output = at(_response_in(pieces), "output")
        items = output if isinstance(output, list) else []
        self._items = {
            index: item for index, item in enumerate(items) if at(item, "type") in _KINDS
        }
        self.calls = tuple(
            [
                ToolCall(
                    name=str(at(item, "name")),
                    arguments=str(at(item, _KINDS[item["type"]])),
                    custom=item["type"] == "custom_tool_call",
                )
                for item in self._items.values()
            ]
        )

    def say(self, pieces: list[Piece], calls: Passed, ending: CallEnding) -> list[Piece]:
        """The items of the calls in place of those that were recorded."""
        new = [self._item(number, call, ending) for number, call in enumerate(calls)]
        response = _response_in(pieces)
        first = min(self._items)
        kept = [item for index, item in enumerate(response["output"]) if index not in self._items]
        response["output"] = [*kept[:first], *new, *kept[first:]]
        if ending == "length":
            response["status"] = "incomplete"
            response["incomplete_details"] = {"reason": "max_output_tokens"}
        return self._events(pieces, new, ending) if self._streamed else pieces

    def _item(self, number: int, call: ToolCall, ending: CallEnding) -> dict[str, Any]:
        item = list(self._items.values())[call.place(number)]
        return {
            **item,
            "id": at(item, "id") if call.repeats is None else f"{at(item, 'id')}_again",
            "call_id": f"{at(item, 'call_id')}{call.id_suffix}",
            "name": call.name,
            "status": "incomplete" if ending == "length" else at(item, "status"),
            _KINDS[item["type"]]: passed_in(call),
        }

    def _events(
        self, pieces: list[Piece], items: Sequence[dict[str, Any]], ending: CallEnding
    ) -> list[Piece]:
        first = min(self._items)
        new = [
            piece
            for number, item in enumerate(items)
            for piece in _events_of_item(first + number, item)
        ]
        gone = [piece for piece in pieces if at(piece.said, "output_index") in self._items]
        places = _places(_indices(pieces, "output_index"), self._items, len(items))
        for piece in pieces:
            if at(piece.said, "output_index") in places:
                piece.said["output_index"] = places[piece.said["output_index"]]
        said = put_in_place(pieces, gone, new)
        if ending == "length":
            said = [_incomplete(piece) for piece in said]
        for number, piece in enumerate(said):
            if isinstance(piece.said, dict):
                piece.said["sequence_number"] = number
        return said


def _response_in(pieces: Sequence[Piece]) -> Any:
    """The whole response: what a stream ends with, or a body that is none of its events."""
    for piece in reversed(pieces):
        if str(at(piece.said, "type")) in ("response.completed", "response.incomplete"):
            return piece.said["response"]
    return pieces[0].said if pieces else None


def _events_of_item(index: int, item: dict[str, Any]) -> list[Piece]:
    member = _KINDS[item["type"]]
    custom = member == "input"
    kind = "response.custom_tool_call_input" if custom else "response.function_call_arguments"
    where = {"item_id": item["id"], "output_index": index}
    added = {**item, "status": "in_progress", member: ""}
    name = {} if custom else {"name": item["name"]}
    item_at = {"output_index": index, "item": item}
    events = [
        new_piece("start", {"type": "response.output_item.added", **item_at, "item": added}),
        new_piece("content", {"type": f"{kind}.delta", **where, "delta": item[member]}),
        new_piece("finish", {"type": f"{kind}.done", **where, **name, member: item[member]}),
        new_piece("finish", {"type": "response.output_item.done", **item_at}),
    ]
    return events if item[member] != "" else [events[0], *events[2:]]


def _incomplete(piece: Piece) -> Piece:
    """The last event by the name that it has where the response is not complete."""
    if at(piece.said, "type") != "response.completed":
        return piece
    ended = new_piece("end", {**piece.said, "type": "response.incomplete"})
    ended.event = ended.event._replace(delay_s=piece.event.delay_s)
    return ended
