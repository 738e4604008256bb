"""OpenAI's Responses API: one output message, or calls of tools, whole or as a stream.

Tokens are the text's words (``pieces``). Responses are kept, unless ``store`` is false, so that
they can be fetched and continued; OpenRouter keeps none.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.plan.tool_calls import CallEnding, ToolCall
from chaoscheck.server.apis.call import Answered, Api, Call
from chaoscheck.server.apis.context_room import prompt_too_long, tighter, window_for
from chaoscheck.server.apis.pieces import first_words, slices_of, words_in
from chaoscheck.server.apis.request_body import BadRequest, echo_of
from chaoscheck.server.apis.responses.document import (
    CALL_FORM,
    call_items,
    message_item,
    response_document,
)
from chaoscheck.server.apis.responses.kept import KeptResponse, as_begun, keep, kept_of
from chaoscheck.server.apis.responses.request import ResponseAsked, response_asked
from chaoscheck.server.apis.responses.stream import STREAM_SHAPE, response_events
from chaoscheck.server.apis.speaker import Prompt
from chaoscheck.server.apis.sse import EVENT_STREAM_TYPE
from chaoscheck.server.apis.token_logprobs import require_affordable
from chaoscheck.server.apis.tool_calls import calls_of, text_that_fits, tool_calls
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_openrouter_response", "answer_response"]

_TEXT_SHAPE = Shape(
    items=("output",),
    content=("output", 0, "content", 0, "text"),
    number=("created_at",),
    usage=("usage",),
)
_CALL_SHAPE = Shape(
    items=("output",), content=("output", 0, "arguments"), number=("created_at",), usage=("usage",)
)
_CUSTOM_SHAPE = Shape(
    items=("output",), content=("output", 0, "input"), number=("created_at",), usage=("usage",)
)
_QUEUED_SHAPE = Shape(items=("output",), content=("status",), number=("created_at",))


def _answer(prefix: str, keeps: bool, call: Call) -> Answered:
    try:
        asked = response_asked(
            call.body, call.model, lambda name: kept_of(call, name) if keeps else None
        )
        if asked.background and not keeps:
            raise BadRequest("Background responses are not supported.", "background")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    try:
        asked, room = _fitted(call, asked)
        text, calls, whole = _said(call, asked, room)
        require_affordable([text], asked.logprobs)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    if calls:
        tokens = sum([len(slices_of(its.arguments)) for its in calls])
        output = call_items(call.number, calls)
    else:
        tokens = words_in(text)
        output = [message_item(call.number, text, asked.logprobs)]
    call.note_tokens(asked.model, asked.input_tokens, tokens, asked.limit)
    response = response_document(call, asked, output, tokens, whole=whole, prefix=prefix)
    if keeps and asked.store:
        keep(call, _kept(asked, response, text))
    if asked.background and not asked.stream:
        return _whole(as_begun(response, "queued"), _QUEUED_SHAPE, 0.0), text
    answer = _answered(call, asked, response, calls, tokens)
    if not calls:
        return answer, text

    def write(others: tuple[ToolCall, ...], ending: CallEnding) -> Answer:
        output = call_items(call.number, others)
        said = response_document(
            call, asked, output, tokens, whole=ending != "length", prefix=prefix
        )
        return _answered(call, asked, said, calls, tokens)

    return answer._replace(calls=tool_calls(calls, asked.offered.tools, CALL_FORM, write)), text


def _answered(
    call: Call,
    asked: ResponseAsked,
    response: dict[str, Any],
    calls: tuple[ToolCall, ...],
    tokens: int,
) -> Answer:
    """The response whole, or as a stream."""
    pace = call.pace()
    if not asked.stream:
        return _whole(response, _shape(calls), pace.whole_s(tokens))
    return Answer(
        status=200,
        headers=(EVENT_STREAM_TYPE,),
        events=response_events(response, pace.waits()),
        streamed=True,
        shape=STREAM_SHAPE,
    )


#: The good answer and the text it says; 400 and None for a bad request.
answer_response: Api = partial(_answer, "resp_", True)
#: The same of a provider that keeps nothing.
answer_openrouter_response: Api = partial(_answer, "gen-", False)


def _whole(response: dict[str, Any], shape: Shape, delay_s: float) -> Answer:
    body = json.dumps(response).encode("ascii")
    return Answer(status=200, headers=(JSON_TYPE,), body=body, shape=shape, delay_s=delay_s)


def _shape(calls: tuple[ToolCall, ...]) -> Shape:
    if not calls:
        return _TEXT_SHAPE
    return _CUSTOM_SHAPE if calls[0].custom else _CALL_SHAPE


def _fitted(call: Call, asked: ResponseAsked) -> tuple[ResponseAsked, int | None]:
    """The request as it fits into the model's window, and what that leaves for the answer.

    With ``truncation`` "auto" the oldest messages are dropped as far as need be.
    """
    window = window_for(call, asked.model)
    if window is None:
        return asked, None
    texts, read = list(asked.texts), asked.input_tokens
    if asked.asked.get("truncation") == "auto":
        for each in [text for text in texts if text[0] != "system"][:-1]:
            if read < window:  # There has to be room for a token.
                break
            texts.remove(each)
            read -= words_in(each[1])
    if read > window:
        raise prompt_too_long(window, read)
    return replace(asked, texts=tuple(texts)), window - read


def _said(
    call: Call, asked: ResponseAsked, room: int | None
) -> tuple[str, tuple[ToolCall, ...], bool]:
    """The text, the calls in its place, and whether that is all."""
    prompt = Prompt(
        text=echo_of(list(asked.texts)),
        model=asked.model,
        key=call.key,
        attempt=call.attempt,
        occurrence=call.occurrence,
        messages=asked.texts,
        tools=asked.offered.tools,
        must_call=asked.offered.must_call,
    )
    reply = call.speaker.reply(prompt)
    calls = calls_of(prompt, reply)
    if calls:
        if room is not None and sum([len(slices_of(its.arguments)) for its in calls]) > room:
            return "", (), False  # The window is full before a call is whole.
        return reply.text, calls, True
    text = reply.text if asked.schema is None else text_that_fits(reply.text, asked.schema)
    limit = tighter(asked.limit, room)
    cut = None if limit is None else first_words(text, limit)
    return (text, (), True) if cut is None else (cut, (), False)


def _kept(asked: ResponseAsked, response: dict[str, Any], text: str) -> KeptResponse:
    # A response that a stream has said to its end is done, in the background or not.
    ending = response["id"].partition("_")[2]
    items = [
        {"id": f"item_{ending}_{at}", "status": "completed", **item}
        for at, item in enumerate(asked.items)
    ]
    texts = (*asked.texts, ("assistant", text))
    return KeptResponse(response=response, items=items, texts=texts, polls=1 if asked.stream else 0)
