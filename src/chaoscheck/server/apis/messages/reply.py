"""What the assistant says to a request of Anthropic's Messages API: a text, or calls of tools.

Tokens are whitespace-separated words: of the thinking, of the text or of the calls' arguments. A
text ends before the first stop sequence, and once there are ``max_tokens``; a call is never cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from chaoscheck.plan.tool_calls import CallEnding, CallForm, ToolCall
from chaoscheck.server.apis.call import Call
from chaoscheck.server.apis.messages.request import Asked
from chaoscheck.server.apis.messages.thinking import NO_THINKING, Thinking
from chaoscheck.server.apis.pace import Pace
from chaoscheck.server.apis.pieces import first_words, pieces_of, words_in
from chaoscheck.server.apis.speaker import Prompt
from chaoscheck.server.apis.tool_calls import calls_of, text_that_fits

__all__ = [
    "CALL_FORM",
    "STOP_REASONS",
    "STREAMED_CALL_FORM",
    "Said",
    "argument_pieces",
    "call_id",
    "said_to",
]

#: What can be said of calls; a stream passes pieces of JSON, which clients put together.
CALL_FORM = CallForm(passes="value", endings=frozenset({"stop", "length"}))
STREAMED_CALL_FORM = replace(CALL_FORM, passes="text")
#: The reasons of answers that do not end as calls do.
STOP_REASONS: Mapping[CallEnding, str] = {"stop": "end_turn", "length": "max_tokens"}

_PIECE_LENGTH = 12  # characters: what a stream says of a call's arguments at a time


class Said(NamedTuple):
    """What is said, ``tokens`` in all: ``thinking``, then ``text``, or ``calls`` in its place.

    A named tuple, since every message makes one.
    """

    text: str
    tokens: int
    stop_reason: str
    stop_sequence: str | None = None
    calls: tuple[ToolCall, ...] = ()
    thinking: Thinking = NO_THINKING

    @property
    def speaks(self) -> bool:
        """Whether it says a text, if an empty one, rather than calls."""
        return not self.calls and self.stop_reason != "tool_use"

    @property
    def details(self) -> str:
        """What the usage says of the thinking, as JSON with a comma in front."""
        if not self.thinking.tokens:
            return ""
        return f',"output_tokens_details":{{"thinking_tokens":{self.thinking.tokens}}}'

    @property
    def tag(self) -> str:
        """All that was said as one text: of calls it is their arguments."""
        return "".join([tool.arguments for tool in self.calls]) if self.calls else self.text

    def lasts_s(self, pace: Pace) -> float:
        """How many seconds it takes to say it at this pace."""
        if not pace.first and not pace.each:
            return 0.0
        pieces = len(pieces_of(self.text)) + self.thinking.tokens
        pieces += sum([len(argument_pieces(tool.arguments)) for tool in self.calls])
        return pace.whole_s(pieces) if pieces else 0.0


def call_id(number: int, at: int, call: ToolCall) -> str:
    """The id of the ``at``-th call of message ``number``, counted from 0."""
    return f"toolu_{number:06d}_{call.place(at)}{call.id_suffix}"


def argument_pieces(arguments: str) -> list[str]:
    """A call's arguments as a stream says them, piece by piece."""
    return [
        arguments[begin : begin + _PIECE_LENGTH]
        for begin in range(0, len(arguments), _PIECE_LENGTH)
    ]


def said_to(call: Call, asked: Asked) -> Said:
    """What the call's speaker says to a good request."""
    prompt = Prompt(
        text=asked.text,
        model=asked.model,
        key=call.key,
        attempt=call.attempt,
        occurrence=call.occurrence,
        messages=tuple(asked.texts),
        tools=asked.tools,
        must_call=asked.must_call,
    )
    reply = call.speaker.reply(prompt)
    calls = calls_of(prompt, reply)[: asked.calls_max] if asked.tools else ()
    if calls:
        words = sum([words_in(tool.arguments) for tool in calls])
        said = Said("", words, "tool_use", None, calls)
    else:
        text = reply.text
        said = _ended(text if asked.schema is None else text_that_fits(text, asked.schema), asked)
    if not asked.thinking.tokens:
        return said
    return said._replace(tokens=said.tokens + asked.thinking.tokens, thinking=asked.thinking)


def _ended(text: str, asked: Asked) -> Said:
    tokens = words_in(text)
    reason, stop = "end_turn", None
    limit = asked.max_tokens - asked.thinking.tokens
    if tokens > limit:
        text = first_words(text, limit) or text
        tokens, reason = limit, "max_tokens"
    if not asked.stop_sequences:
        return Said(text, tokens, reason)
    found = [
        (text.find(sequence) + len(sequence), text.find(sequence), sequence)
        for sequence in asked.stop_sequences
        if sequence in text
    ]
    if found:  # The one that is complete first stops the text.
        _, begin, stop = min(found)
        text, reason = text[:begin], "stop_sequence"
        tokens = words_in(text)
    return Said(text, tokens, reason, stop)
