"""Completions as OpenAI, Azure and OpenRouter offer them: each prompt continued by its echo.

Tokens are the text's words (``pieces``). Whole or as a stream of chunks, in which several choices
take turns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, zip_longest
from typing import Any

from chaoscheck.plan.answer import Answer, Event, Shape
from chaoscheck.server.apis.call import Answered, Api, Call
from chaoscheck.server.apis.chat.dialects import (
    AZURE_CHAT,
    OPENAI_CHAT,
    OPENROUTER_CHAT,
    ChatDialect,
)
from chaoscheck.server.apis.chat.options import cut_at_stops
from chaoscheck.server.apis.completions.request import CompletionAsked, completion_asked
from chaoscheck.server.apis.context_room import room_for_prompt
from chaoscheck.server.apis.pieces import (
    LENGTH_MAX,
    PIECES_MAX,
    first_words,
    pieces_of,
    share_of,
    words_in,
)
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.speaker import Prompt
from chaoscheck.server.apis.sse import DONE, EVENT_STREAM_TYPE, event, json_string
from chaoscheck.server.apis.token_logprobs import logprob_of, require_affordable
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_azure_completion", "answer_completion", "answer_openrouter_completion"]

_SHAPE = Shape(
    items=("choices",), content=("choices", 0, "text"), number=("created",), usage=("usage",)
)
_STREAM_SHAPE = Shape(items=("choices",), content=("choices", 0, "text"), number=("created",))
_ID_PREFIXES = {"chatcmpl-": "cmpl-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What one prompt's choices say, ``tokens`` of it new."""

    text: str
    reason: str
    tokens: int


def _answer(dialect: ChatDialect, call: Call) -> Answered:
    try:
        asked = completion_asked(call.body, call.model)
        for prompt in asked.prompts if call.tokens is not None else ():
            room_for_prompt(call, asked.model, words_in(prompt), asked.limit)
        said = [_said(call, asked, prompt) for prompt in asked.prompts]
        written = sum([len(json_string(each.text)) for each in said]) if asked.n > 1 else 0
        if asked.n * written > LENGTH_MAX:
            message = f"Invalid 'n': {asked.n} choices of this length exceed the maximum size."
            raise BadRequest(message, "n", "invalid_value")
        require_affordable([each.text for each in said], asked.logprobs, asked.n)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    read = sum([words_in(prompt) for prompt in asked.prompts])
    spoken = sum([each.tokens for each in said]) * asked.n
    call.note_tokens(asked.model, read, spoken, asked.limit * asked.n * len(said))
    writer = _Writer(call, asked, dialect, said)
    pace = call.pace()
    text = "".join([each.text for each in said])
    if asked.stream:
        answer = Answer(
            status=200,
            headers=(EVENT_STREAM_TYPE,),
            events=writer.events(pace.waits()),
            streamed=True,
            shape=_STREAM_SHAPE,
        )
        return answer, text
    longest = max([each.tokens for each in said])
    answer = Answer(
        status=200,
        headers=(JSON_TYPE,),
        body=writer.body(),
        shape=_SHAPE,
        delay_s=pace.whole_s(longest),
    )
    return answer, text


#: The good answer to a request for a completion and the texts it says; 400 for a bad one.
answer_completion: Api = partial(_answer, OPENAI_CHAT)
#: The same as Azure writes it.
answer_azure_completion: Api = partial(_answer, AZURE_CHAT)
#: The same as OpenRouter writes it.
answer_openrouter_completion: Api = partial(_answer, OPENROUTER_CHAT)


def _said(call: Call, asked: CompletionAsked, prompt: str) -> _Said:
    reply = call.speaker.reply(
        Prompt(
            text=prompt,
            model=asked.model,
            key=call.key,
            attempt=call.attempt,
            occurrence=call.occurrence,
            messages=(("user", prompt),),
        )
    )
    text = cut_at_stops(reply.text, asked.stops) if asked.stops else reply.text
    cut = first_words(text, asked.limit) if asked.limit else ""
    reason = "stop" if cut is None or not text else "length"
    text = text if cut is None else cut
    tokens = words_in(text)
    return _Said(text=prompt + text if asked.echo else text, reason=reason, tokens=tokens)


class _Writer:
    """Writes the documents of one completion, in its provider's dialect."""

    def __init__(
        self, call: Call, asked: CompletionAsked, dialect: ChatDialect, said: list[_Said]
    ) -> None:
        prefix = _ID_PREFIXES.get(dialect.id_prefix, dialect.id_prefix)
        self._head = (
            f'{{"id":"{prefix}{call.number:06d}","object":"text_completion",'
            f'"created":{call.created_s},"model":{json_string(asked.model)}'
        )
        self._asked = asked
        self._dialect = dialect
        self._said = [each for each in said for _ in range(asked.n)]
        read = sum([words_in(prompt) for prompt in asked.prompts])
        spoken = sum([each.tokens for each in self._said])
        self._usage = (
            f'{{"prompt_tokens":{read},"completion_tokens":{spoken},'
            f'"total_tokens":{read + spoken}}}'
        )

    def body(self) -> bytes:
        """The whole document."""
        choices = [
            self._choice(index, each.text, self._pieces(each.text), 0, each.reason)
            for index, each in enumerate(self._said)
        ]
        return (
            f'{self._head},"choices":[{",".join(choices)}],"usage":{self._usage}'
            f"{self._dialect.in_body}}}"
        ).encode("ascii")

    def _pieces(self, text: str) -> list[str]:
        """What likelihoods tell of a text, if they are asked for."""
        return [] if self._asked.logprobs is None else pieces_of(text)

    def events(self, waits: Iterator[float]) -> tuple[Event, ...]:
        """The whole stream, each turn of pieces after its wait in seconds."""
        events = list(self._dialect.opening)
        # Likelihoods, which are told word by word, have a bound of their own.
        share = share_of(len(self._said)) if self._asked.logprobs is None else PIECES_MAX
        parted = {text: pieces_of(text, share) for text in {each.text for each in self._said}}
        pieces = [parted[each.text] for each in self._said]
        offsets = [list(accumulate(map(len, each), initial=0)) for each in pieces]
        for turn, spoken in enumerate(zip_longest(*pieces)):
            waits_s = next(waits)
            for index, piece in enumerate(spoken):
                if piece is None:
                    continue
                choice = self._choice(index, piece, [piece], offsets[index][turn])
                events.append(event("content", self._chunk(choice), delay_s=waits_s))
                waits_s = 0.0  # Choices that take turns are said at one instant.
        waits_s = 0.0 if any(pieces) else next(waits)
        for index, each in enumerate(self._said):
            chunk = self._chunk(self._choice(index, "", [], 0, each.reason))
            events.append(event("finish", chunk, delay_s=waits_s))
            waits_s = 0.0
        if self._asked.include_usage:
            events.append(event("usage", self._chunk("", self._usage)))
        return (*events, DONE)

    def _chunk(self, choice: str, usage: str = "null") -> str:
        tail = f',"usage":{usage}' if self._asked.include_usage else ""
        return f'{self._head},"choices":[{choice}]{self._dialect.in_chunk}{tail}}}'

    def _choice(
        self, index: int, text: str, pieces: list[str], offset: int, reason: str | None = None
    ) -> str:
        written = "null" if reason is None else f'"{reason}"'
        members = self._dialect.choice_members(written, filtered=bool(text))
        likely = "null"
        if self._asked.logprobs is not None and pieces:
            likely = json.dumps(_likely(pieces, offset, self._asked.logprobs))
        return (
            f'{{"text":{json_string(text)},"index":{index},"logprobs":{likely},'
            f'"finish_reason":{written}{members}}}'
        )


def _likely(pieces: list[str], offset: int, alternatives: int) -> dict[str, Any]:
    """Tokens, their likelihoods and places, and as many of the likeliest as asked for."""
    others = {f"alternative {rank}": logprob_of(rank) for rank in range(1, alternatives)}
    said = logprob_of(0)
    return {
        "tokens": pieces,
        "token_logprobs": [said] * len(pieces),
        "top_logprobs": [{piece: said, **others} if alternatives else {} for piece in pieces],
        "text_offset": [offset + at for at in accumulate(map(len, pieces[:-1]), initial=0)],
    }
