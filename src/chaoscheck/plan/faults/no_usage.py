"""An answer that does not say how many tokens it took."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer, Event
from chaoscheck.plan.fault_kinds.document import (
    DATA_LINE,
    edit_text,
    has_part,
    json_text,
    remove_part,
)
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault

__all__ = ["NoUsage"]

# Events that start or end a stream may hold the whole message or response, with its usage.
_HOLDERS = ("message", "response")
_MEMBERS = ("usage",)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NoUsage(StreamFault):
    """Leave out the token counts: the body's ``usage``, or all that a stream says of it."""

    name: ClassVar[str] = "no_usage"

    def applies_to(self, answer: Answer) -> bool:
        """Where token counts are said."""
        if not answer.streamed:
            return has_part(answer, "usage")
        members = _members(answer)
        return any(_told(event, members) is not event for event in answer.events)

    def on_answer(self, answer: Answer) -> Answer:
        """The same answer without them."""
        members = _members(answer)
        if answer.streamed:
            return answer._replace(events=tuple(_without_usage(answer.events, members)))
        if members == _MEMBERS or not self.applies_to(answer):
            return remove_part(answer, "usage")
        return edit_text(answer, lambda text: _without(text, members))

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """Events of usage alone are gone, others lose that member."""
        return _without_usage(events, _MEMBERS)


def _members(answer: Answer) -> tuple[str, ...]:
    return _MEMBERS if answer.shape is None else answer.shape.usage_members


def _without_usage(events: tuple[Event, ...], members: tuple[str, ...]) -> list[Event]:
    told = [_told(event, members) for event in events]
    return [event for event in told if event is not None]


def _without(text: bytes, members: tuple[str, ...]) -> bytes:
    document = json.loads(text)
    return json_text({name: value for name, value in document.items() if name not in members})


def _told(event: Event, members: tuple[str, ...]) -> Event | None:
    """The event without usage: None if it says nothing else, itself if it says none."""
    if event.kind == "usage":
        return None
    named = any(b'"%b"' % member.encode() in event.payload for member in members)
    # OpenAI's and Anthropic's content says no usage, but may quote one.
    if event.kind == "comment" or not named or (event.kind == "content" and members == _MEMBERS):
        return event
    line = DATA_LINE.search(event.payload)
    if line is None:
        return event
    document = json.loads(line[1])
    if not isinstance(document, dict):
        return event
    holders = [document, *[document.get(name) for name in _HOLDERS]]
    found = [
        (held, member)
        for held in holders
        if isinstance(held, dict)
        for member in members
        if held.get(member) is not None
    ]
    if not found:
        return event
    for held, member in found:
        del held[member]
    payload = event.payload
    said = payload[: line.start(1)] + json_text(document) + payload[line.end(1) :]
    return event._replace(payload=said)
