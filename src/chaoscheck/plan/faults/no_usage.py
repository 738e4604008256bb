"""An answer that does not say how many tokens it took."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer, Event
from chaoscheck.plan.fault_kinds.document import has_part, json_text, remove_part
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault

__all__ = ["NoUsage"]

_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_DATA = re.compile(rb"^data: ?([^\r\n]*)", re.MULTILINE)
# Events that start or end a stream may hold the whole message or response, with its usage.
_HOLDERS = ("message", "response")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NoUsage(StreamFault):
    """Leave out the token counts: the body's ``usage``, or all that a stream says of it."""

    name: ClassVar[str] = "no_usage"

    def applies_to(self, answer: Answer) -> bool:
        """Where token counts are said."""
        if not answer.streamed:
            return has_part(answer, "usage")
        return any(_told(event) is not event for event in answer.events)

    def on_answer(self, answer: Answer) -> Answer:
        """The same answer without them."""
        if not answer.streamed:
            return remove_part(answer, "usage")
        return answer._replace(events=tuple(self.struck(answer.events)))

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """Events of usage alone are gone, others lose that member."""
        told = [_told(event) for event in events]
        return [event for event in told if event is not None]


def _told(event: Event) -> Event | None:
    """The event without usage: None if it says nothing else, itself if it says none."""
    if event.kind == "usage":
        return None
    if event.kind in ("content", "comment") or not _USAGE.search(event.payload):
        return event
    line = _DATA.search(event.payload)
    if line is None:
        return event
    document = json.loads(line[1])
    if not isinstance(document, dict):
        return event
    holders = [document, *[document.get(name) for name in _HOLDERS]]
    found = [it for it in holders if isinstance(it, dict) and isinstance(it.get("usage"), dict)]
    if not found:
        return event
    for held in found:
        del held["usage"]
    payload = event.payload
    said = payload[: line.start(1)] + json_text(document) + payload[line.end(1) :]
    return event._replace(payload=said)
