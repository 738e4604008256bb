"""Ollama's chat: one JSON document, or, unless told otherwise, a stream of lines of JSON.

Tokens are the text's words (``pieces``). In a stream each piece is a line, and the last line says
that it is done, why, and what it took.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from chaoscheck.plan.answer import Answer, ApiError, Event, EventKind, Shape
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from chaoscheck.plan.tool_calls import CallEnding, CallForm, ToolCall
from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.context_room import tighter, window_for
from chaoscheck.server.apis.ollama.provider import message_of
from chaoscheck.server.apis.ollama.request import OllamaAsked, asked_of
from chaoscheck.server.apis.pieces import first_words, pieces_of, words_in
from chaoscheck.server.apis.request_body import BadRequest, echo_of
from chaoscheck.server.apis.speaker import Prompt
from chaoscheck.server.apis.sse import json_string
from chaoscheck.server.apis.token_logprobs import require_affordable, token_logprobs
from chaoscheck.server.apis.tool_calls import (
    calls_of,
    json_that_fits,
    passed_value,
    tool_calls,
    unread_call,
)
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["CALL_FORM", "answer_chat", "answer_tags", "unread_message"]

_NDJSON_TYPE = ("content-type", "application/x-ndjson")
_THOUGHT = "The last message asks for an answer, so I write one."
_TOKEN_NS = 10_000_000  # how long a token takes, as the counts tell it
_COUNTS = ("prompt_eval_count", "eval_count")


def _line_of_error(before: int) -> bytes:
    return json.dumps({"error": message_of(500, API_ERRORS[500])}).encode("ascii") + b"\n"


_SHAPE = Shape(
    items=("message",),
    content=("message", "content"),
    number=("eval_count",),
    usage=("eval_count",),
    usage_members=_COUNTS,
)
_STREAM_SHAPE = Shape(
    items=("message",),
    content=("message", "content"),
    number=None,
    usage_members=_COUNTS,
    error=_line_of_error,
)
_CALL_SHAPE = Shape(
    items=("message",),
    content=("message", "tool_calls", 0, "function", "arguments"),
    number=("eval_count",),
    usage=("eval_count",),
    usage_members=_COUNTS,
)
_CALL_STREAM_SHAPE = Shape(
    items=("message",),
    content=("message", "tool_calls", 0, "function", "arguments"),
    number=None,
    usage_members=_COUNTS,
    error=_line_of_error,
)
#: What can be said of calls, which pass objects and have no ids.
CALL_FORM = CallForm(passes="value", identified=False, endings=frozenset({"length", "malformed"}))
_TAGS_SHAPE = Shape(items=("models",), content=("models", 0, "name"), number=("models", 0, "size"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    text: str
    calls: tuple[ToolCall, ...]
    reason: str
    tokens: int
    thought: str = ""


def answer_chat(call: Call) -> Answered:
    """The good answer and the text it says; 400 and None for a bad request."""
    try:
        asked = asked_of(call.body)
        asked, room = _fitted(call, asked)
        said = _said(call, asked, room)
        require_affordable([said.text], asked.logprobs)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    call.note_tokens(asked.model, asked.tokens, said.tokens, asked.limit)
    answer = _answered(call, asked, said)
    if not said.calls:
        return answer, said.text

    def write(calls: tuple[ToolCall, ...], ending: CallEnding) -> Answer:
        if ending == "malformed":
            return _unread(call, asked, said, calls)
        reason = "length" if ending == "length" else said.reason
        return _answered(call, asked, replace(said, calls=calls, reason=reason))

    return answer._replace(calls=tool_calls(said.calls, asked.tools, CALL_FORM, write)), said.text


def _answered(call: Call, asked: OllamaAsked, said: _Said) -> Answer:
    """What is said, whole or as a stream."""
    head = {"model": asked.model, "created_at": _instant(call.created_s)}
    if asked.streamed:
        lines = _lines(call, asked, said, head)
        shape = _CALL_STREAM_SHAPE if said.calls else _STREAM_SHAPE
        return Answer(status=200, headers=(_NDJSON_TYPE,), events=lines, streamed=True, shape=shape)
    message: dict[str, object] = {"role": "assistant", "content": said.text}
    if said.thought:
        message["thinking"] = said.thought
    if said.calls:
        message["tool_calls"] = _calls(said)
    body = head | {"message": message} | _likely(asked, pieces_of(said.text)) | _end(asked, said)
    return Answer(
        status=200,
        headers=(JSON_TYPE,),
        body=json.dumps(body).encode("ascii"),
        shape=_CALL_SHAPE if said.calls else _SHAPE,
        delay_s=call.pace().whole_s(_spoken(said)),
    )


def unread_message(calls: tuple[ToolCall, ...]) -> str:
    """Ollama's words for the first of the calls that it cannot parse."""
    _, raw, wrong = unread_call(calls)
    return f"error parsing tool call: raw='{raw}', err={wrong}"


def _unread(call: Call, asked: OllamaAsked, said: _Said, calls: tuple[ToolCall, ...]) -> Answer:
    """Ollama's error for a call of its model that it cannot parse: a line where some came before.

    Else, and where no stream was asked for, it is a 500.
    """
    at, _, _ = unread_call(calls)
    message = unread_message(calls)
    begun = _answered(call, asked, replace(said, calls=calls[:at])).events[:-1]
    if not begun:
        return Answer(status=500, error=ApiError(message=message, type="server_error"))
    line = json.dumps({"error": message}).encode("ascii") + b"\n"
    (waits_s,) = islice(call.pace().waits(), len(begun), len(begun) + 1)
    events = (*begun, Event("error", line, waits_s))
    return Answer(status=200, headers=(_NDJSON_TYPE,), events=events, streamed=True)


def answer_tags(call: Call) -> Answered:
    """The models that are there; a chat may name any other all the same."""
    details = {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "3.2B",
        "quantization_level": "Q4_K_M",
    }
    model = {
        "name": "llama3.2:latest",
        "model": "llama3.2:latest",
        "modified_at": _instant(1_700_000_000),
        "size": 2_019_393_189,
        "digest": "0" * 64,
        "details": details,
    }
    body = json.dumps({"models": [model]}).encode("ascii")
    return Answer(status=200, headers=(JSON_TYPE,), body=body, shape=_TAGS_SHAPE), None


def _fitted(call: Call, asked: OllamaAsked) -> tuple[OllamaAsked, int | None]:
    """The request as Ollama cuts it to the context window, and what is left for the answer.

    The oldest messages are dropped, but for those of the system and the last one; of what is still
    too long the end is kept, so that there is room for a token.
    """
    window = tighter(window_for(call, asked.model), asked.context)
    if window is None or not asked.texts:
        return asked, window
    texts, read = list(asked.texts), asked.tokens
    for each in [text for text in texts[:-1] if text[0] != "system"]:
        if read < window:
            break
        texts.remove(each)
        read -= words_in(each[1])
    for at, (role, text) in enumerate(texts):
        excess = read - max(1, window - 1)
        if excess <= 0:
            break
        words = text.split()
        texts[at] = (role, " ".join(words[excess:]))
        read -= min(excess, len(words))
    return replace(asked, texts=tuple(texts)), max(0, window - read)


def _said(call: Call, asked: OllamaAsked, room: int | None) -> _Said:
    if not asked.texts:
        return _Said(text="", calls=(), reason="load", tokens=0)
    prompt = Prompt(
        text=echo_of(list(asked.texts)),
        model=asked.model,
        key=call.key,
        attempt=call.attempt,
        occurrence=call.occurrence,
        messages=asked.texts,
        tools=asked.tools,
    )
    reply = call.speaker.reply(prompt)
    thought = _THOUGHT if asked.thinks else ""
    thoughts = words_in(thought)
    calls = calls_of(prompt, reply)
    if room is not None and thoughts > room:
        thought, thoughts = "", 0
    left = None if room is None else room - thoughts
    if calls and left is not None and sum([words_in(its.arguments) for its in calls]) > left:
        # The window is full before a call is whole.
        return _Said(text="", calls=(), reason="length", tokens=thoughts, thought=thought)
    if calls:
        tokens = thoughts + sum([words_in(its.arguments) for its in calls])
        return _Said(text="", calls=calls, reason="stop", tokens=tokens, thought=thought)
    text = reply.text if asked.schema is None else json_that_fits(reply.text, asked.schema)
    found = [at for at in (text.find(stop) for stop in asked.stops) if at >= 0]
    if found:
        text = text[: min(found)]
    limit = tighter(asked.limit, left)
    cut = None if limit is None else first_words(text, limit)
    reason = "stop" if cut is None else "length"
    text = text if cut is None else cut
    tokens = thoughts + words_in(text)
    return _Said(text=text, calls=(), reason=reason, tokens=tokens, thought=thought)


def _spoken(said: _Said) -> int:
    """How many lines of a stream say something: a call is said at once."""
    return words_in(said.thought) + (len(said.calls) or words_in(said.text))


def _lines(call: Call, asked: OllamaAsked, said: _Said, head: dict[str, str]) -> tuple[Event, ...]:
    events: list[Event] = []
    waits = call.pace().waits()

    def add(kind: EventKind, message: dict[str, object], **members: object) -> None:
        line = {**head, "message": {"role": "assistant", **message}, "done": False, **members}
        # An answer without a word takes as long as the first word.
        waits_s = 0.0 if kind == "end" and events else next(waits)
        events.append(Event(kind, json.dumps(line).encode("ascii") + b"\n", waits_s))

    for piece in pieces_of(said.thought):
        add("start", {"content": "", "thinking": piece})
    for at in range(len(said.calls)):
        add("content", {"content": "", "tool_calls": _calls(said)[at : at + 1]})
    pieces = pieces_of(said.text)
    if asked.logprobs is None:
        # Written by hand, in a fifth of the time: there may be thousands.
        before = json.dumps(head)[:-1] + ', "message": {"role": "assistant", "content": '
        events += [
            Event("content", f'{before}{json_string(piece)}}}, "done": false}}\n'.encode(), waits_s)
            for piece, waits_s in zip(pieces, waits, strict=False)
        ]
    else:
        for piece in pieces:
            add("content", {"content": piece}, **_likely(asked, [piece]))
    add("end", {"content": ""}, **_end(asked, said))
    return tuple(events)


def _calls(said: _Said) -> list[dict[str, object]]:
    return [
        {"function": {"index": at, "name": call.name, "arguments": passed_value(call)}}
        for at, call in enumerate(said.calls)
    ]


def _end(asked: OllamaAsked, said: _Said) -> dict[str, object]:
    end: dict[str, object] = {"done": True, "done_reason": said.reason}
    if said.reason == "load":
        return end
    read_ns, said_ns = asked.tokens * _TOKEN_NS, said.tokens * _TOKEN_NS
    return end | {
        "total_duration": read_ns + said_ns,
        "load_duration": 0,
        "prompt_eval_count": asked.tokens,
        "prompt_eval_duration": read_ns,
        "eval_count": said.tokens,
        "eval_duration": said_ns,
    }


def _likely(asked: OllamaAsked, pieces: list[str]) -> dict[str, Any]:
    if asked.logprobs is None or not pieces:
        return {}
    return {"logprobs": token_logprobs(pieces, asked.logprobs)}


def _instant(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
