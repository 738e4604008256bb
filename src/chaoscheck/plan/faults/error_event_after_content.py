"""A stream that breaks off with an error event, after some of its text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.answer import Answer, Event
from chaoscheck.plan.fault_kinds.document import json_text
from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.fault_kinds.stream_fault import StreamFault, after_content

__all__ = ["ErrorEventAfterContent"]

_FAILED = "The server had an error while processing your request."

_CHAT_ERROR = {
    "error": {"message": _FAILED, "type": "server_error", "param": None, "code": None},
}
_MESSAGES_ERROR = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": "Overloaded"},
}
_RESPONSES_ERROR = {"type": "error", "code": "server_error", "message": _FAILED, "param": None}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ErrorEventAfterContent(StreamFault):
    """After ``after_chunks`` events with content say an error in place of the rest.

    The error is written as the stream's own API writes it, and nothing follows it: no ``[DONE]``,
    no ``message_stop``.
    """

    name: ClassVar[str] = "error_event_after_content"
    after_chunks: int = 1

    def __post_init__(self) -> None:
        require_integer(self.name, "after_chunks", self.after_chunks, 0)

    def on_answer(self, answer: Answer) -> Answer:
        """The stream up to there, and the error as its shape writes it."""
        own = None if answer.shape is None else answer.shape.error
        if own is None or not self.applies_to(answer):
            return super(ErrorEventAfterContent, self).on_answer(answer)
        kept = answer.events[: after_content(answer.events, self.after_chunks)]
        return answer._replace(events=(*kept, Event("error", own(len(kept)))))

    def struck(self, events: tuple[Event, ...]) -> Iterable[Event]:
        """What comes up to there, and the error."""
        kept = events[: after_content(events, self.after_chunks)]
        return (*kept, _error_after(kept, events))


def _error_after(kept: tuple[Event, ...], events: tuple[Event, ...]) -> Event:
    # Where the shape does not say, the events tell whose stream it is: chat completions name none.
    first = next(event.payload for event in events if event.kind != "comment")
    if not first.startswith(b"event:"):
        return Event("error", b"data: %b\n\n" % json_text(_CHAT_ERROR))
    if first.startswith(b"event: message_start"):
        return Event("error", b"event: error\ndata: %b\n\n" % json_text(_MESSAGES_ERROR))
    numbered = {**_RESPONSES_ERROR, "sequence_number": len(kept)}
    return Event("error", b"event: error\ndata: %b\n\n" % json_text(numbered))
