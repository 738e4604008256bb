"""A chat completion as a stream of chunks, in OpenAI's order.

Of each choice a chunk with the role, one for each piece of text (or of a tool call's arguments,
after one with its id and name) and one with the finish reason; then the usage, if asked for, and
``[DONE]``. Several choices take turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat

from chaoscheck.plan.answer import Event, EventKind, Shape
from chaoscheck.server.apis.chat.completion import Completion, call_json, kind_json
from chaoscheck.server.apis.chat.dialects import ChatDialect
from chaoscheck.server.apis.pieces import pieces_of, share_of, slices_of
from chaoscheck.server.apis.sse import DONE, Repeated, event, json_string
from chaoscheck.server.apis.tool_calls import passed_text

__all__ = ["chat_events", "chat_stream_shape"]

_TEXT_SHAPE = Shape(
    items=("choices",), content=("choices", 0, "delta", "content"), number=("created",)
)
_CALL_SHAPE = replace(
    _TEXT_SHAPE, content=("choices", 0, "delta", "tool_calls", 0, "function", "arguments")
)
_CUSTOM_SHAPE = replace(
    _TEXT_SHAPE, content=("choices", 0, "delta", "tool_calls", 0, "custom", "input")
)
_LEGACY_SHAPE = replace(_TEXT_SHAPE, content=("choices", 0, "delta", "function_call", "arguments"))


def chat_stream_shape(said: Completion, dialect: ChatDialect) -> Shape:
    """Where things stand in the first chunk with content, and what an error in the stream is."""
    shape = _shape(said)
    if not dialect.in_error:
        return shape
    chunk = f"{_head(said)}{dialect.in_error}}}"
    return replace(shape, error=lambda before: event("error", chunk).payload)


def _shape(said: Completion) -> Shape:
    if not said.calls:
        return _TEXT_SHAPE
    if said.legacy:
        return _LEGACY_SHAPE
    return _CUSTOM_SHAPE if said.calls[0].custom else _CALL_SHAPE


def _head(said: Completion) -> str:
    return (
        f'{{"id":"{said.id}","object":"chat.completion.chunk","created":{said.created_s},'
        f'"model":{said.model}'
    )


def chat_events(
    said: Completion, dialect: ChatDialect, include_usage: bool, waits: Iterator[float]
) -> tuple[Event, ...]:
    """The whole stream, each piece of content after its wait in seconds."""
    head = _head(said) + dialect.in_chunk
    tail = ',"usage":null}' if include_usage else "}"
    chunks = _Chunks(said, dialect, head, tail)
    content = chunks.of_text(waits) if said.speaks else chunks.of_calls(waits)
    events = [*dialect.opening, *chunks.starts(), *content]
    # A reply without a word takes its time all the same.
    events += chunks.finishes(0.0 if content else next(waits))
    if include_usage:
        events.append(event("usage", f'{head},"choices":[],"usage":{said.usage}}}'))
    return (*events, DONE)


class _Chunks:
    """Writes the chunks of one completion: ``head`` and ``tail`` stand around all choices."""

    def __init__(self, said: Completion, dialect: ChatDialect, head: str, tail: str) -> None:
        self._said = said
        self._head = head
        self._tail = tail
        self._bare = dialect.choice_members("null", filtered=False)
        self._filtered = dialect.choice_members("null", filtered=True)
        self._finish = dialect.choice_members(f'"{said.reason}"', filtered=False)

    def starts(self) -> list[Event]:
        """The role of each choice."""
        text = '""' if self._said.speaks else "null"
        delta = f'{{"role":"assistant","content":{text},"refusal":null}}'
        return [event("start", self._chunk(index, delta)) for index in range(self._said.choices)]

    def finishes(self, delay_s: float) -> list[Event]:
        """Why each choice ended."""
        said = [
            event("finish", self._chunk(index, "{}", f'"{self._said.reason}"', self._finish))
            for index in range(self._said.choices)
        ]
        return [said[0]._replace(delay_s=delay_s), *said[1:]]

    def of_text(self, waits: Iterator[float]) -> list[Event]:
        """The text, piece by piece."""
        if self._said.logprobs is None:
            pieces = pieces_of(self._said.text, share_of(self._said.choices))
            return self._taking_turns('{"content":', "}", pieces, waits)
        pieces = pieces_of(self._said.text)  # Likelihoods have a bound of their own.
        events: list[Event] = []
        for piece, waits_s in zip(pieces, waits, strict=False):
            delta = f'{{"content":{json_string(piece)}}}'
            likely = self._said.logprobs_of([piece])
            for index in range(self._said.choices):
                chunk = self._chunk(index, delta, members=self._filtered, logprobs=likely)
                events.append(event("content", chunk, delay_s=0.0 if index else waits_s))
        return events

    def of_calls(self, waits: Iterator[float]) -> list[Event]:
        """Each tool call: its id and name, then what it passes slice by slice."""
        events: list[Event] = []
        share = share_of(self._said.choices * max(1, len(self._said.calls)))
        for at, call in enumerate(self._said.calls):
            if call.encoding == "bare":  # An object comes in one piece.
                events += self._openings(at, "content", None, next(waits))
                continue
            events += self._openings(at, "start", "", 0.0)
            member = "input" if call.custom else "arguments"
            if self._said.legacy:
                before, after = '{"function_call":{"arguments":', "}}"
            else:
                kind = "custom" if call.custom else "function"
                before = f'{{"tool_calls":[{{"index":{at},"{kind}":{{"{member}":'
                after = "}}]}"
            slices = slices_of(passed_text(call), share)
            events += self._taking_turns(before, after, slices, waits)
        return events

    def _openings(
        self, at: int, kind: EventKind, passed: str | None, delay_s: float
    ) -> list[Event]:
        """Of each choice the chunk that begins a call: it passes ``passed``, or all at once."""
        said = [
            event(kind, self._chunk(choice, self._opening(choice, at, passed)))
            for choice in range(self._said.choices)
        ]
        return [said[0]._replace(delay_s=delay_s), *said[1:]]

    def _opening(self, choice: int, at: int, passed: str | None) -> str:
        call = self._said.calls[at]
        if self._said.legacy:
            return f'{{"function_call":{call_json(call, passed)}}}'
        return (
            f'{{"tool_calls":[{{"index":{at},"id":"{self._said.call_id(choice, at)}",'
            f"{kind_json(call)}:{call_json(call, passed)}}}]}}"
        )

    def _taking_turns(
        self, before: str, after: str, pieces: list[str], waits: Iterator[float]
    ) -> list[Event]:
        choices = []
        for index in range(self._said.choices):
            ends = self._chunk(index, "\0", members=self._filtered).split("\0")
            repeated = Repeated(before=ends[0] + before, after=after + ends[1])
            # Choices that take turns are said at one instant: only the first one waits.
            choices.append(repeated.events(pieces, repeat(0.0) if index else waits))
        if len(choices) == 1:
            return choices[0]
        return [said for turn in zip(*choices, strict=True) for said in turn]

    def _chunk(
        self,
        index: int,
        delta: str,
        reason: str = "null",
        members: str | None = None,
        logprobs: str = "null",
    ) -> str:
        more = self._bare if members is None else members
        return (
            f'{self._head},"choices":[{{"index":{index},"delta":{delta},'
            f'"logprobs":{logprobs},"finish_reason":{reason}{more}}}]{self._tail}'
        )
