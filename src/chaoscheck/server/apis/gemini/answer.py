"""Gemini's generateContent, whole or as a stream of server-sent events or of one JSON array.

Tokens are the text's words (``pieces``). In a stream each piece is a response of its own, and the
last one says why the text ended, and how many tokens it took.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from chaoscheck.plan.answer import Answer, Event, EventKind, Shape
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS
from chaoscheck.plan.tool_calls import CallEnding, CallForm, ToolCall
from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.context_room import room_behind, tighter
from chaoscheck.server.apis.gemini.provider import error_object
from chaoscheck.server.apis.gemini.request import GeminiAsked, asked_of
from chaoscheck.server.apis.json_fitting import fitting
from chaoscheck.server.apis.pieces import (
    LENGTH_MAX,
    first_words,
    pieces_of,
    share_of,
    words_in,
)
from chaoscheck.server.apis.request_body import BadRequest, echo_of
from chaoscheck.server.apis.speaker import Prompt
from chaoscheck.server.apis.sse import EVENT_STREAM_TYPE, json_string
from chaoscheck.server.apis.token_logprobs import require_affordable, token_logprobs
from chaoscheck.server.apis.tool_calls import (
    calls_of,
    json_that_fits,
    passed_value,
    tool_calls,
    unread_call,
)
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["CALL_FORM", "answer_generate", "answer_stream"]

_PART = ("candidates", 0, "content", "parts", 0)
_USAGE = ("usageMetadata",)
#: What can be said of calls, which pass objects and have no ids.
CALL_FORM = CallForm(passes="value", identified=False, endings=frozenset({"length", "malformed"}))
_THOUGHT = "The last content asks for an answer, so I write one."


def _stream_error(before: int) -> bytes:
    said = json.dumps({"error": error_object(500, API_ERRORS[500])})
    return f"data: {said}\r\n\r\n".encode("ascii")


def _array_error(before: int) -> bytes:
    said = json.dumps({"error": error_object(500, API_ERRORS[500])})
    return f"{',' if before else '['}\n{said}\n]\n".encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A text, or ``calls`` in its place; ``called`` tells that no text is said, if no call either.

    ``message`` explains a reason that is not a good one.
    """

    text: str
    calls: tuple[ToolCall, ...]
    reason: str
    tokens: int
    called: bool = False
    message: str | None = None

    @property
    def parts(self) -> list[dict[str, object]]:
        """What is said as the parts of a content."""
        return [_call_part(it) for it in self.calls] if self.called else [{"text": self.text}]

    @property
    def ending(self) -> dict[str, object]:
        """Why it ended."""
        told = {} if self.message is None else {"finishMessage": self.message}
        return {"finishReason": self.reason, **told}


def answer_generate(call: Call) -> Answered:
    """The good answer and the text it says; 400 and None for a bad request."""
    try:
        asked = asked_of(call.body)
        said = _said(call, asked)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    return _answered(asked, said, lambda its: _whole(call, asked, its))


def answer_stream(call: Call) -> Answered:
    """The same, piece by piece: as events with ``alt=sse``, else as the items of an array."""
    try:
        asked = asked_of(call.body)
        sse = _wants_events(call.query)
        said = _said(call, asked)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    return _answered(asked, said, lambda its: _streamed(call, asked, its, sse))


def _answered(asked: GeminiAsked, said: _Said, written: Callable[[_Said], Answer]) -> Answered:
    answer = written(said)
    if not said.calls:
        return answer, said.text

    def write(calls: tuple[ToolCall, ...], ending: CallEnding) -> Answer:
        if ending == "malformed":
            message = f"Malformed function call: {unread_call(calls)[1]}"
            others = replace(said, calls=(), reason="MALFORMED_FUNCTION_CALL", message=message)
        else:
            reason = "MAX_TOKENS" if ending == "length" else said.reason
            others = replace(said, calls=calls, reason=reason)
        return written(others)

    return answer._replace(calls=tool_calls(said.calls, asked.tools, CALL_FORM, write)), said.text


def _whole(call: Call, asked: GeminiAsked, said: _Said) -> Answer:
    thoughts: list[dict[str, object]] = (
        [{"text": _THOUGHT, "thought": True}] if asked.options.thoughts else []
    )
    candidate = {
        "content": _content([*thoughts, *said.parts]),
        **said.ending,
        **_likely(asked, pieces_of(said.text), said),
    }
    body = _response(call, asked, candidate) | {"usageMetadata": _usage(asked, said)}
    spoken = len(thoughts) + (len(said.calls) or words_in(said.text))
    return Answer(
        status=200,
        headers=(JSON_TYPE,),
        body=json.dumps(body).encode("ascii"),
        shape=_shape(said, at=len(thoughts)),
        delay_s=call.pace().whole_s(spoken),
    )


def _streamed(call: Call, asked: GeminiAsked, said: _Said, sse: bool) -> Answer:
    writer = _Writer(call, asked, sse=sse)
    if asked.options.thoughts:
        writer.say("start", [{"text": _THOUGHT, "thought": True}])
    for tool in said.calls:
        writer.say("content", [_call_part(tool)])
    if not said.called:
        writer.say_text(said)
    writer.finish(said)
    return Answer(
        status=200,
        headers=(EVENT_STREAM_TYPE if sse else JSON_TYPE,),
        events=tuple(writer.events),
        streamed=True,
        shape=_shape(said, stream=True, sse=sse),
    )


def _content(parts: list[dict[str, object]]) -> dict[str, object]:
    # Gemini leaves out a field without a value.
    return {"parts": parts, "role": "model"} if parts else {"role": "model"}


_TEXT_BEGIN = '{"content": {"parts": [{"text": '


class _Writer:
    """Writes responses one after the other, each at its time."""

    def __init__(self, call: Call, asked: GeminiAsked, *, sse: bool) -> None:
        self.events: list[Event] = []
        self._call = call
        self._asked = asked
        self._sse = sse
        self._waits = call.pace().waits()

    def say(self, kind: EventKind, parts: list[dict[str, object]], **members: object) -> None:
        """A response with these parts."""
        candidate = {"content": {"parts": parts, "role": "model"}, **members}
        self._add(kind, _response(self._call, self._asked, candidate))

    def say_text(self, said: _Said) -> None:
        """The text, piece by piece."""
        asked = self._asked
        if asked.options.logprobs is not None:
            for piece in pieces_of(said.text):
                self.say("content", [{"text": piece}], **_likely(asked, [piece], said))
            return
        # Written by hand, in a fifth of the time: there may be thousands.
        candidates = range(asked.options.candidates)
        ends = json.dumps(_response(self._call, asked, {}) | {"candidates": None})
        begin, _, end = ends.partition('"candidates": null')
        before = [("" if index == 0 else ", ") + _TEXT_BEGIN for index in candidates]
        after = [f'}}], "role": "model"}}, "index": {index}}}' for index in candidates]
        for piece in pieces_of(said.text, share_of(len(candidates))):
            text = json_string(piece)
            said_by_all = "".join([f"{a}{text}{b}" for a, b in zip(before, after, strict=True)])
            self._add_written("content", f'{begin}"candidates": [{said_by_all}]{end}')

    def finish(self, said: _Said) -> None:
        """The response that ends the stream."""
        content: dict[str, object] = {"parts": [{"text": ""}], "role": "model"}
        if said.message is not None:
            content = _content([])
        last = _response(self._call, self._asked, {"content": content, **said.ending})
        self._add("end", last | {"usageMetadata": _usage(self._asked, said)})

    def _add(self, kind: EventKind, response: dict[str, Any]) -> None:
        self._add_written(kind, json.dumps(response))

    def _add_written(self, kind: EventKind, written: str) -> None:
        if self._sse:
            payload = f"data: {written}\r\n\r\n"
        else:
            ending = "\n]\n" if kind == "end" else "\n"
            payload = f"{',' if self.events else '['}\n{written}{ending}"
        # An answer without a word takes as long as the first word.
        waits_s = next(self._waits) if kind == "content" or not self.events else 0.0
        self.events.append(Event(kind, payload.encode("ascii"), waits_s))


def _wants_events(query: str) -> bool:
    alt = parse_qs(query).get("alt", ["json"])[-1]
    if alt not in ("json", "sse"):
        raise BadRequest(f"Invalid value for alt: {alt[:100]!r}. Supported are json and sse.")
    return alt == "sse"


def _said(call: Call, asked: GeminiAsked) -> _Said:
    model = (call.model or "").removeprefix("models/")
    options = asked.options
    room = room_behind(call, model, asked.tokens)
    if room is not None and options.thoughts:
        room = max(0, room - len(_THOUGHT.split()))
    said = _reply(call, asked, room)
    # What is thought is counted as said, as the total of the usage has it.
    thoughts = len(_THOUGHT.split()) if options.thoughts else 0
    most = None if options.limit is None else options.limit * options.candidates
    spoken = said.tokens * options.candidates + thoughts
    call.note_tokens(model, asked.tokens, spoken, most)
    return said


def _reply(call: Call, asked: GeminiAsked, room: int | None) -> _Said:
    options = asked.options
    prompt = Prompt(
        text=echo_of(list(asked.texts)),
        model=call.model or "",
        key=call.key,
        attempt=call.attempt,
        occurrence=call.occurrence,
        messages=asked.texts,
        tools=asked.tools,
        must_call=asked.must_call,
    )
    reply = call.speaker.reply(prompt)
    calls = calls_of(prompt, reply)
    if calls:
        tokens = sum([words_in(its.arguments) for its in calls])
        if room is not None and tokens > room:  # The window is full before a call is whole.
            return _Said(text="", calls=(), reason="MAX_TOKENS", tokens=0)
        return _Said(text="", calls=calls, reason="STOP", tokens=tokens, called=True)
    text = reply.text
    if options.enum:
        text = str(fitting(options.schema, text))
    elif options.schema is not None:
        text = json_that_fits(text, options.schema)
    found = [at for at in (text.find(stop) for stop in options.stops) if at >= 0]
    if found:
        text = text[: min(found)]
    limit = tighter(options.limit, room)
    cut = None if limit is None else first_words(text, limit)
    text_said = text if cut is None else cut
    written = len(json_string(text_said)) if options.candidates > 1 else 0
    if options.candidates * written > LENGTH_MAX:
        raise BadRequest("candidateCount: candidates of this length exceed an answer's size.")
    require_affordable([text_said], options.logprobs, options.candidates)
    if cut is not None:
        return _Said(text=cut, calls=(), reason="MAX_TOKENS", tokens=limit or 0)
    return _Said(text=text, calls=(), reason="STOP", tokens=words_in(text))


def _call_part(call: ToolCall) -> dict[str, object]:
    return {"functionCall": {"name": call.name, "args": passed_value(call)}}


def _response(call: Call, asked: GeminiAsked, candidate: dict[str, Any]) -> dict[str, Any]:
    candidates = [{**candidate, "index": index} for index in range(asked.options.candidates)]
    return {
        "candidates": candidates,
        "modelVersion": (call.model or "").removeprefix("models/"),
        "responseId": f"resp{call.number:06d}",
    }


def _usage(asked: GeminiAsked, said: _Said) -> dict[str, object]:
    spoken = said.tokens * asked.options.candidates
    thoughts = len(_THOUGHT.split()) if asked.options.thoughts else 0
    usage: dict[str, object] = {
        "promptTokenCount": asked.tokens,
        "candidatesTokenCount": spoken,
        "totalTokenCount": asked.tokens + spoken + thoughts,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": asked.tokens}],
    }
    return usage | {"thoughtsTokenCount": thoughts} if thoughts else usage


def _likely(asked: GeminiAsked, pieces: list[str], said: _Said) -> dict[str, object]:
    if asked.options.logprobs is None or said.called or not pieces:
        return {}
    chosen, tops = [], []
    for entry in token_logprobs(pieces, asked.options.logprobs):
        top: Any = entry["top_logprobs"]
        chosen.append(_candidate(entry))
        tops.append({"candidates": [_candidate(it) for it in top]})
    average = sum([it["logProbability"] for it in chosen]) / len(chosen)
    return {
        "avgLogprobs": average,
        "logprobsResult": {"chosenCandidates": chosen, "topCandidates": tops},
    }


def _candidate(entry: dict[str, Any]) -> dict[str, Any]:
    token = entry["token"]
    return {"token": token, "tokenId": len(token), "logProbability": entry["logprob"]}


def _shape(said: _Said, *, at: int = 0, stream: bool = False, sse: bool = True) -> Shape:
    part = (*_PART[:-1], at)
    return Shape(
        items=("candidates",),
        content=(*part, "functionCall") if said.calls else (*part, "text"),
        number=("candidates", 0, "index"),
        usage=None if stream else _USAGE,
        usage_members=_USAGE,
        error=_stream_error if sse else _array_error,
    )
