"""Chat completions as OpenAI, Azure and OpenRouter offer them.

Tokens are the text's words (``pieces``): of all messages for the prompt, of the reply for the
completion. Everything is a function of the request, its number and the server's clock.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.plan.tool_calls import CallEnding, ToolCall
from chaoscheck.server.apis.call import Answered, Api, Call
from chaoscheck.server.apis.chat.completion import (
    CALL_FORM,
    FUNCTION_FORM,
    Completion,
    call_json,
    kind_json,
)
from chaoscheck.server.apis.chat.dialects import (
    AZURE_CHAT,
    OPENAI_CHAT,
    OPENROUTER_CHAT,
    ChatDialect,
    tiered,
)
from chaoscheck.server.apis.chat.options import (
    PLAIN,
    ChatOptions,
    chat_options,
    cut_at_stops,
    require_chat_roles,
)
from chaoscheck.server.apis.chat.stream import chat_events, chat_stream_shape
from chaoscheck.server.apis.context_room import room_for_messages, tighter
from chaoscheck.server.apis.pace import Pace
from chaoscheck.server.apis.pieces import (
    LENGTH_MAX,
    first_words,
    pieces_of,
    slices_of,
    words_in,
)
from chaoscheck.server.apis.request_body import BadRequest, echo_of, model_of, parse, texts_of
from chaoscheck.server.apis.speaker import Echo, Prompt
from chaoscheck.server.apis.sse import EVENT_STREAM_TYPE, json_string
from chaoscheck.server.apis.token_logprobs import require_affordable
from chaoscheck.server.apis.tool_calls import calls_of, text_that_fits, tool_calls
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_azure_chat", "answer_chat", "answer_openrouter_chat"]

_TEXT_SHAPE = Shape(
    items=("choices",),
    content=("choices", 0, "message", "content"),
    number=("created",),
    usage=("usage",),
)
_CALL_SHAPE = replace(
    _TEXT_SHAPE, content=("choices", 0, "message", "tool_calls", 0, "function", "arguments")
)
_CUSTOM_SHAPE = replace(
    _TEXT_SHAPE, content=("choices", 0, "message", "tool_calls", 0, "custom", "input")
)
_LEGACY_SHAPE = replace(
    _TEXT_SHAPE, content=("choices", 0, "message", "function_call", "arguments")
)
# One answer is no longer than this, however many choices say the same.


_JSON = (JSON_TYPE,)


class _Said(NamedTuple):
    """A reply as the options let it be: its text or its calls, and why it ended."""

    text: str
    calls: tuple[ToolCall, ...]
    reason: str
    tokens: int


def _answer(dialect: ChatDialect, call: Call) -> Answered:
    try:
        asked = parse(call.body)
        model = model_of(asked, call.model)
        texts = texts_of(asked)
        require_chat_roles(texts)
        options = chat_options(asked)
        # Most requests are plain, and no window stands: they take the short way.
        unbounded = call.tokens is None or not call.tokens.windows
        if options is PLAIN and unbounded and type(call.speaker) is Echo:
            return _echoed(dialect, call, call.speaker, model, texts)
        read = sum([words_in(text) for _, text in texts])
        room = room_for_messages(call, model, read, options.limit)
        said = _said(call, model, texts, options, room)
        _require_affordable(said, options)
    except BadRequest as bad:
        return Answer(status=400, error=bad.error), None
    most = None if options.limit is None else options.limit * options.n
    call.note_tokens(model, read, said.tokens * options.n, most)
    if options.tiered:
        dialect = tiered(dialect)
    completion = Completion(
        id=f"{dialect.id_prefix}{call.number:06d}",
        created_s=call.created_s,
        model=json_string(model),
        text=said.text,
        calls=said.calls,
        reason=said.reason,
        choices=options.n,
        legacy=options.legacy,
        logprobs=options.logprobs,
        usage=_usage(read, said.tokens * options.n),
    )
    pace = call.pace()
    answer = _answered(completion, dialect, options, pace, said.tokens)
    if not said.calls:
        return answer, said.text

    def write(calls: tuple[ToolCall, ...], ending: CallEnding) -> Answer:
        reason = said.reason if ending == "call" else ending
        others = completion._replace(calls=calls, reason=reason)
        return _answered(others, dialect, options, pace, said.tokens)

    form = FUNCTION_FORM if options.legacy else CALL_FORM
    return answer._replace(
        calls=tool_calls(said.calls, options.offered.tools, form, write)
    ), said.text


def _answered(
    completion: Completion,
    dialect: ChatDialect,
    options: ChatOptions,
    pace: Pace,
    tokens: int,
) -> Answer:
    """The completion whole, or as a stream."""
    if options.stream:
        return Answer(
            status=200,
            headers=(EVENT_STREAM_TYPE,),
            events=chat_events(completion, dialect, options.include_usage, pace.waits()),
            streamed=True,
            shape=chat_stream_shape(completion, dialect),
        )
    return Answer(
        status=200,
        headers=_JSON,
        body=_body(completion, dialect),
        shape=_shape(completion),
        delay_s=pace.whole_s(tokens),
    )


#: The good answer to a chat request and the text it says; 400 and None for a bad request.
answer_chat: Api = partial(_answer, OPENAI_CHAT)
#: The same as Azure writes it.
answer_azure_chat: Api = partial(_answer, AZURE_CHAT)
#: The same as OpenRouter writes it.
answer_openrouter_chat: Api = partial(_answer, OPENROUTER_CHAT)


def _echoed(
    dialect: ChatDialect, call: Call, speaker: Echo, model: str, texts: list[tuple[str, str]]
) -> Answered:
    """What most requests ask for, and load is made of: the general way, with nothing asked."""
    text = echo_of(texts)
    tokens = prompt = words_in(text)
    if len(texts) > 1:
        prompt = sum([words_in(message) for _, message in texts])
    if call.tokens is not None:
        call.tokens.count(model, prompt, tokens)
    members = dialect.choice_members('"stop"', filtered=True)
    choice = _choice(0, json_string(text), "", '"stop"', members)
    id = f"{dialect.id_prefix}{call.number:06d}"
    usage = _usage(prompt, tokens)
    document = _document(dialect, id, call.created_s, json_string(model), choice, usage)
    delay_s = speaker.first_token_s + max(0, tokens - 1) * speaker.token_s
    # In the order of its fields: naming them takes a microsecond more.
    return Answer(200, _JSON, document, None, (), False, _TEXT_SHAPE, delay_s), text


def _said(
    call: Call,
    model: str,
    texts: list[tuple[str, str]],
    options: ChatOptions,
    room: int | None,
) -> _Said:
    prompt = Prompt(
        text=echo_of(texts),
        model=model,
        key=call.key,
        attempt=call.attempt,
        occurrence=call.occurrence,
        messages=tuple(texts),
        tools=options.offered.tools,
        must_call=options.offered.must_call,
    )
    reply = call.speaker.reply(prompt)
    text = reply.text
    calls = calls_of(prompt, reply)
    if calls:
        if options.legacy:
            calls = calls[:1]  # There was one call at a time.
        tokens = sum([len(slices_of(its.arguments)) for its in calls])
        if room is not None and tokens > room:
            return _Said("", (), "length", 0)  # The window is full before a call is whole.
        return _Said(text, calls, "function_call" if options.legacy else "tool_calls", tokens)
    if options.schema is not None:
        text = text_that_fits(text, options.schema)
    if options.stops:
        text = cut_at_stops(text, options.stops)
    limit = tighter(options.limit, room)
    cut = None if limit is None else first_words(text, limit)
    if cut is not None:
        return _Said(cut, (), "length", limit or 0)
    return _Said(text, (), "stop", words_in(text))


def _require_affordable(said: _Said, options: ChatOptions) -> None:
    n = options.n
    written = sum([len(json_string(it.arguments)) for it in said.calls])
    if n > 1 and n * (written + len(json_string(said.text))) > LENGTH_MAX:
        message = f"Invalid 'n': {n} choices of this length exceed the maximum size of an answer."
        raise BadRequest(message, "n", "invalid_value")
    require_affordable([said.text], options.logprobs, n)


def _shape(said: Completion) -> Shape:
    if not said.calls:
        return _TEXT_SHAPE
    if said.legacy:
        return _LEGACY_SHAPE
    return _CUSTOM_SHAPE if said.calls[0].custom else _CALL_SHAPE


def _usage(prompt: int, completion: int) -> str:
    return (
        f'{{"prompt_tokens":{prompt},"completion_tokens":{completion},'
        f'"total_tokens":{prompt + completion}}}'
    )


def _body(said: Completion, dialect: ChatDialect) -> bytes:
    reason = f'"{said.reason}"'
    members = dialect.choice_members(reason, filtered=True)
    text = json_string(said.text) if said.speaks else "null"
    likely = "null" if said.logprobs is None else said.logprobs_of(pieces_of(said.text))
    choices = ",".join(
        [
            _choice(index, text, _tool_calls(said, index), reason, members, likely)
            for index in range(said.choices)
        ]
    )
    return _document(dialect, said.id, said.created_s, said.model, choices, said.usage)


def _choice(
    index: int, text: str, calls: str, reason: str, members: str, logprobs: str = "null"
) -> str:
    return (
        f'{{"index":{index},"message":{{"role":"assistant","content":{text},"refusal":null'
        f'{calls}}},"logprobs":{logprobs},"finish_reason":{reason}{members}}}'
    )


def _document(
    dialect: ChatDialect, id: str, created_s: int, model: str, choices: str, usage: str
) -> bytes:
    return (
        f'{{"id":"{id}","object":"chat.completion","created":{created_s},'
        f'"model":{model},"choices":[{choices}],"usage":{usage}{dialect.in_body}}}'
    ).encode("ascii")


def _tool_calls(said: Completion, choice: int) -> str:
    if not said.calls:
        return ""
    if said.legacy:
        return f',"function_call":{call_json(said.calls[0])}'
    calls = [
        f'{{"id":"{said.call_id(choice, at)}",{kind_json(call)}:{call_json(call)}}}'
        for at, call in enumerate(said.calls)
    ]
    return f',"tool_calls":[{",".join(calls)}]'
