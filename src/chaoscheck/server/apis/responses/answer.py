"""OpenAI's Responses API: one output message, or calls of functions, whole or as a stream.

Tokens are the text's words (``pieces``). The server keeps no responses, so that none can be fetched
or continued later: ``previous_response_id`` is taken and repeated, no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.pieces import first_words, slices_of
from chaoscheck.server.apis.request_body import BadRequest, echo_of
from chaoscheck.server.apis.responses.request import ResponseAsked, response_asked
from chaoscheck.server.apis.responses.stream import response_events
from chaoscheck.server.apis.speaker import Prompt, ToolCall
from chaoscheck.server.apis.sse import EVENT_STREAM_TYPE
from chaoscheck.server.apis.tool_calls import calls_of, text_that_fits
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_response"]

# What a response repeats of its request, with what stands for a parameter that is absent.
_REPEATED: Mapping[str, object] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}

_TEXT_SHAPE = Shape(
    items=("output",),
    content=("output", 0, "content", 0, "text"),
    number=("created_at",),
    usage=("usage",),
)
_CALL_SHAPE = Shape(
    items=("output",), content=("output", 0, "arguments"), number=("created_at",), usage=("usage",)
)
_STREAM_SHAPE = Shape(content=("delta",), number=("sequence_number",))


def answer_response(call: Call) -> Answered:
    """The good answer and the text it says; 400 and None for a bad request."""
    try:
        asked = response_asked(call.body, call.model)
    except BadRequest as bad:
        return Answer(status=400, error=bad.error), None
    prompt = Prompt(
        text=echo_of(list(asked.texts)),
        model=asked.model,
        key=call.key,
        attempt=call.attempt,
        messages=asked.texts,
        tools=asked.offered.tools,
        must_call=asked.offered.must_call,
    )
    reply = call.speaker.reply(prompt)
    calls = calls_of(prompt, reply)
    if calls:
        text, whole = reply.text, True
        tokens = sum([len(slices_of(its.arguments)) for its in calls])
        output = _call_items(call.number, calls)
    else:
        text, whole = _limited(reply.text, asked)
        tokens = len(text.split())
        output = [_message_item(call.number, text)]
    response = _response(call, asked, output, tokens, whole=whole)
    first_s, each_s = call.speaker.first_token_s, call.speaker.token_s
    if asked.stream:
        answer = Answer(
            status=200,
            headers=(EVENT_STREAM_TYPE,),
            events=response_events(response, first_s, each_s),
            streamed=True,
            shape=_STREAM_SHAPE,
        )
        return answer, text
    answer = Answer(
        status=200,
        headers=(JSON_TYPE,),
        body=json.dumps(response).encode("ascii"),
        shape=_CALL_SHAPE if calls else _TEXT_SHAPE,
        delay_s=first_s + max(0, tokens - 1) * each_s,
    )
    return answer, text


def _limited(text: str, asked: ResponseAsked) -> tuple[str, bool]:
    """The text as the request lets it be, and whether that is all of it."""
    if asked.schema is not None:
        text = text_that_fits(text, asked.schema)
    cut = None if asked.limit is None else first_words(text, asked.limit)
    return (text, True) if cut is None else (cut, False)


def _message_item(number: int, text: str) -> dict[str, object]:
    content = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    return {
        "id": f"msg_{number:06d}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [content],
    }


def _call_items(number: int, calls: tuple[ToolCall, ...]) -> list[dict[str, object]]:
    return [
        {
            "id": f"fc_{number:06d}_{at}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{number:06d}_{at}",
            "name": call.name,
            "arguments": call.arguments,
        }
        for at, call in enumerate(calls)
    ]


def _response(
    call: Call,
    asked: ResponseAsked,
    output: list[dict[str, object]],
    tokens: int,
    *,
    whole: bool,
) -> Mapping[str, object]:
    given = asked.asked
    repeated = {
        name: default if given.get(name) is None else given[name]
        for name, default in _REPEATED.items()
    }
    if not whole:
        output = [{**item, "status": "incomplete"} for item in output]
    read = sum([len(text.split()) for _, text in asked.texts])
    usage = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + tokens,
    }
    return {
        "id": f"resp_{call.number:06d}",
        "object": "response",
        "created_at": call.created_s,
        "status": "completed" if whole else "incomplete",
        "background": False,
        "error": None,
        "incomplete_details": None if whole else {"reason": "max_output_tokens"},
        "model": asked.model,
        **repeated,
        "output": output,
        "usage": usage,
    }
