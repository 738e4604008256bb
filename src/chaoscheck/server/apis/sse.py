"""Server-sent events out: the one place that writes an event's text.

An event is ``event: <name>``, where it has a name, ``data: <one line of JSON>`` and an empty line
(WHATWG HTML, 9.2). A stream says many events that differ in one string: ``Repeated`` writes what
they share once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from json.encoder import encode_basestring, encode_basestring_ascii

from chaoscheck.plan.answer import Event, EventKind

__all__ = ["DONE", "EVENT_STREAM_TYPE", "Repeated", "comment", "event", "json_string"]

EVENT_STREAM_TYPE = ("content-type", "text/event-stream; charset=utf-8")

_AT_ONCE = repeat(0.0)  # without end, so it may be shared

#: A text as JSON, in ASCII with its quotes: ten times as fast as json.dumps, which calls it.
json_string = encode_basestring_ascii


def _utf8_string(text: str) -> str:
    """A text as JSON that is not ASCII where the text is not, as providers stream it.

    Half a surrogate pair, which UTF-8 cannot say, is escaped.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return json_string(text)
    return encode_basestring(text)


def event(kind: EventKind, data: str, *, name: str | None = None, delay_s: float = 0.0) -> Event:
    """An event that says ``data``, one line of ASCII such as ``json.dumps`` writes."""
    head = "" if name is None else f"event: {name}\n"
    return Event(kind, f"{head}data: {data}\n\n".encode("ascii"), delay_s)


def comment(text: str) -> Event:
    """A line that clients skip."""
    return Event("comment", f": {text}\n\n".encode("ascii"))


#: What ends a stream of OpenAI's chat completions.
DONE = event("end", "[DONE]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """Content events whose JSON is ``before``, a string, ``after``; ``name`` as in ``event``."""

    before: str
    after: str
    name: str | None = None

    def events(self, pieces: Iterable[str], waits: Iterable[float] = _AT_ONCE) -> list[Event]:
        """An event for each piece, after its wait in seconds; ``waits`` has enough for all."""
        head = "" if self.name is None else f"event: {self.name}\n"
        before, after = f"{head}data: {self.before}", f"{self.after}\n\n"
        return [
            Event("content", f"{before}{_utf8_string(piece)}{after}".encode(), waits_s)
            for piece, waits_s in zip(pieces, waits, strict=False)
        ]
