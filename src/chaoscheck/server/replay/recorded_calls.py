"""Calls of tools in a recorded answer, of whichever API it is, for the faults that edit them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.plan.tool_calls import CallEnding, ToolCall
from chaoscheck.server.apis.speaker import ToolOffer
from chaoscheck.server.apis.tool_calls import tool_calls
from chaoscheck.server.replay.block_dialects import MessageCalls, ResponseCalls
from chaoscheck.server.replay.call_dialects import (
    CallDialect,
    ChatCalls,
    GeminiCalls,
    OllamaCalls,
)
from chaoscheck.server.replay.recorded_pieces import (
    Piece,
    at,
    edited_answer,
    pieces_of_answer,
)

__all__ = ["with_recorded_calls"]


_DIALECTS: tuple[Callable[[Sequence[Piece], bool], CallDialect], ...] = (
    ChatCalls,
    MessageCalls,
    ResponseCalls,
    GeminiCalls,
    OllamaCalls,
)


def with_recorded_calls(answer: Answer, request: bytes) -> Answer:
    """``answer`` with the calls in it, if any; ``request`` is the body that it answers."""
    if answer.status >= 400:
        return answer
    dialect = _dialect_of(pieces_of_answer(answer), answer.streamed)
    if dialect is None:
        return answer

    def write(calls: tuple[ToolCall, ...], ending: CallEnding) -> Answer:
        said = dialect.say(pieces_of_answer(answer), calls, ending)
        if isinstance(said, ApiError):
            return Answer(status=500, error=said)
        return edited_answer(answer, said)

    offered = tuple(_offers(request))
    return answer._replace(calls=tool_calls(dialect.calls, offered, dialect.form, write))


def _dialect_of(pieces: Sequence[Piece], streamed: bool) -> CallDialect | None:
    """The dialect that finds calls in the pieces; None if there are none."""
    for kind in _DIALECTS:
        try:
            dialect = kind(pieces, streamed)
        except (LookupError, TypeError, AttributeError):
            continue  # A recording may hold anything: what no API says has no calls.
        if dialect.calls:
            return dialect
    return None


def _offers(request: bytes) -> Iterator[ToolOffer]:
    """The tools of a request, in any API's words."""
    try:
        asked = json.loads(request)
    except (ValueError, RecursionError):
        return
    for tool in [*_list(asked, "tools"), *_list(asked, "functions")]:
        declared = [
            *_list(tool, "functionDeclarations"),
            *_list(tool, "function_declarations"),
        ]
        for holder in declared or [at(tool, "function") or at(tool, "custom") or tool]:
            name = at(holder, "name")
            if isinstance(name, str):
                yield ToolOffer(name=name, parameters=_schema_of(holder))


def _schema_of(holder: Any) -> Mapping[str, object]:
    for member in ("parameters", "parametersJsonSchema", "input_schema"):
        found = at(holder, member)
        if isinstance(found, dict):
            return found
    return {}


def _list(holder: Any, member: str) -> list[Any]:
    found = at(holder, member)
    return found if isinstance(found, list) else []
