"""Calls of tools in recorded answers whose pieces all look alike: chat, Gemini, Ollama.

What is said in their place stands where the first call stood; no event is added or taken away. A
recorded answer with several choices keeps all but the first as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Protocol

from chaoscheck.plan.answer import ApiError, Event
from chaoscheck.plan.tool_calls import CallEnding, CallForm, ToolCall
from chaoscheck.server.apis.chat import completion as chat
from chaoscheck.server.apis.gemini import answer as gemini
from chaoscheck.server.apis.ollama import answer as ollama
from chaoscheck.server.apis.tool_calls import passed_text, passed_value, unread_call
from chaoscheck.server.replay.recorded_pieces import Piece, at

__all__ = ["CallDialect", "ChatCalls", "GeminiCalls", "OllamaCalls", "Passed", "passed_in"]

Passed = tuple[ToolCall, ...]


class CallDialect(Protocol):
    """How an API says calls in the pieces of its answers.

    ``calls`` are read from the pieces that it is made with; ``form`` is what it can say.
    """

    calls: Passed
    form: CallForm

    def say(self, pieces: list[Piece], calls: Passed, ending: CallEnding) -> list[Piece] | ApiError:
        """The pieces with these calls; an error that is the whole answer, where it must be one."""


def passed_in(call: ToolCall) -> Any:
    """What a call passes where a text is due: that, or an object if it is said bare."""
    return passed_value(call) if call.encoding == "bare" else passed_text(call)


@dataclass(slots=True)
class _Parts:
    """A call that comes in parts."""

    id: str | None = None
    kind: str = "function"
    name: str = ""
    passed: list[str] = field(default_factory=list)


class ChatCalls:
    """Chat completions: ``tool_calls``, or ``function_call``, of a message or of deltas."""

    def __init__(self, pieces: Sequence[Piece], streamed: bool) -> None:
        parts: dict[int, _Parts] = {}
        self._streamed = streamed
        self._legacy = False
        for holder in _holders(pieces):
            for number, entry in enumerate(at(holder, "tool_calls") or []):
                index = at(entry, "index") if streamed else number
                _gather(parts.setdefault(index or 0, _Parts()), entry)
            if isinstance(at(holder, "function_call"), dict):
                self._legacy = True
                _gather(parts.setdefault(0, _Parts()), {"function": holder["function_call"]})
        self._parts = [parts[index] for index in sorted(parts)]
        self.form = chat.FUNCTION_FORM if self._legacy else chat.CALL_FORM
        self.calls = tuple(
            [
                ToolCall(
                    name=each.name, arguments="".join(each.passed), custom=each.kind == "custom"
                )
                for each in self._parts
            ]
        )

    def say(self, pieces: list[Piece], calls: Passed, ending: CallEnding) -> list[Piece]:
        """All calls at once in the first piece that said one."""
        member = "function_call" if self._legacy else "tool_calls"
        entries = [self._entry(number, call) for number, call in enumerate(calls)]
        for holder in _holders(pieces):
            if holder.pop(member, None) and entries:
                holder[member] = entries[0]["function"] if self._legacy else entries
                entries = []
        for piece in pieces if ending != "call" else ():
            choice = at(piece.said, "choices", 0)
            for name in ("finish_reason", "native_finish_reason"):
                if at(choice, name):
                    choice[name] = ending
        return pieces

    def _entry(self, number: int, call: ToolCall) -> dict[str, Any]:
        parts = self._parts[call.place(number)]
        kind, member = ("custom", "input") if call.custom else ("function", "arguments")
        index = {"index": number} if self._streamed else {}
        named = {} if parts.id is None else {"id": parts.id + call.id_suffix}
        return {**index, **named, "type": kind, kind: {"name": call.name, member: passed_in(call)}}


def _holders(pieces: Sequence[Piece]) -> Iterator[dict[str, Any]]:
    for piece in pieces:
        choice = at(piece.said, "choices", 0)
        if at(choice, "index") in (None, 0):
            holder = at(choice, "message") or at(choice, "delta")
            if isinstance(holder, dict):
                yield holder


def _gather(parts: _Parts, entry: Any) -> None:
    parts.id = parts.id or at(entry, "id")
    if at(entry, "custom"):
        parts.kind = "custom"
    said = at(entry, parts.kind)
    parts.name += at(said, "name") or ""
    parts.passed.append(at(said, "input" if parts.kind == "custom" else "arguments") or "")


class GeminiCalls:
    """Gemini: ``functionCall`` among the parts of the first candidate."""

    form = gemini.CALL_FORM

    def __init__(self, pieces: Sequence[Piece], streamed: bool) -> None:
        found = [part for content in _contents(pieces) for part in _call_parts(content)]
        self.calls = tuple([_object_call(part["functionCall"], "args") for part in found])

    def say(self, pieces: list[Piece], calls: Passed, ending: CallEnding) -> list[Piece]:
        """All calls in the content that said the first one; a malformed one ends the answer."""
        new = [
            {"functionCall": {"name": call.name, "args": passed_value(call)}}
            for call in (() if ending == "malformed" else calls)
        ]
        for content in _contents(pieces):
            mine = _call_parts(content)
            if mine:
                others = [part for part in content["parts"] if part not in mine]
                content["parts"] = [*others, *new]
                new = []
        for piece in pieces if ending != "call" else ():
            candidate = at(piece.said, "candidates", 0)
            if at(candidate, "finishReason"):
                candidate["finishReason"] = "MAX_TOKENS"
                if ending == "malformed":
                    candidate["finishReason"] = "MALFORMED_FUNCTION_CALL"
                    candidate["finishMessage"] = f"Malformed function call: {unread_call(calls)[1]}"
        return pieces


def _contents(pieces: Sequence[Piece]) -> Iterator[dict[str, Any]]:
    for piece in pieces:
        content = at(piece.said, "candidates", 0, "content")
        if isinstance(content, dict):
            yield content


def _call_parts(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in content.get("parts") or [] if at(part, "functionCall", "name")]


class OllamaCalls:
    """Ollama: ``tool_calls`` of the message in a body or a line."""

    form = ollama.CALL_FORM

    def __init__(self, pieces: Sequence[Piece], streamed: bool) -> None:
        entries = [entry for message in _messages(pieces) for entry in message["tool_calls"]]
        self.calls = tuple([_object_call(at(entry, "function"), "arguments") for entry in entries])

    def say(self, pieces: list[Piece], calls: Passed, ending: CallEnding) -> list[Piece] | ApiError:
        """All calls in the message that said the first one; a malformed one is an error."""
        if ending == "malformed":
            return _refused(pieces, calls)
        new = [
            {"function": {"index": at_, "name": call.name, "arguments": passed_value(call)}}
            for at_, call in enumerate(calls)
        ]
        for message in list(_messages(pieces)):
            del message["tool_calls"]
            if new:
                message["tool_calls"], new = new, []
        for piece in pieces if ending == "length" else ():
            if at(piece.said, "done_reason"):
                piece.said["done_reason"] = "length"
        return pieces


def _refused(pieces: list[Piece], calls: Passed) -> list[Piece] | ApiError:
    message = ollama.unread_message(calls)
    unread, _, _ = unread_call(calls)
    made = accumulate([len(at(it.said, "message", "tool_calls") or []) for it in pieces])
    first = next(number for number, calls_by_then in enumerate(made) if calls_by_then > unread)
    if not first:
        return ApiError(message=message, type="server_error")
    line = json.dumps({"error": message}).encode("ascii") + b"\n"
    return [*pieces[:first], Piece(Event("error", line, pieces[first].event.delay_s), None)]


def _messages(pieces: Sequence[Piece]) -> Iterator[dict[str, Any]]:
    for piece in pieces:
        message = at(piece.said, "message")
        if at(message, "tool_calls"):
            yield message


def _object_call(said: Any, member: str) -> ToolCall:
    passed = at(said, member)
    return ToolCall(
        name=str(at(said, "name")), arguments=json.dumps({} if passed is None else passed)
    )
