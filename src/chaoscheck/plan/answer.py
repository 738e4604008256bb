"""What the server wants to say, before any misbehaviour: a status, headers, a body or a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from chaoscheck.plan.tool_calls import ToolCalls

__all__ = ["Answer", "ApiError", "Event", "EventKind", "Parts", "Path", "Shape"]

Path = tuple[str | int, ...]

EventKind = Literal[
    "start",  # what comes before any text: a role, a message_start
    "content",  # a piece of the text, or of a tool call's arguments
    "finish",  # why the text ended
    "usage",  # token counts, where they come in an event of their own
    "end",  # the terminator: [DONE], message_stop, response.completed
    "comment",  # no data at all
    "error",  # an error inside the stream
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiError:
    """What went wrong, in no provider's words: each provider writes its own body from it.

    ``type`` is a word such as ``invalid_request_error``; ``code`` and ``param`` may be absent.
    """

    message: str
    type: str
    code: str | None = None
    param: str | None = None


class Event(NamedTuple):
    """One server-sent event: ``payload`` is its whole text with the empty line at its end.

    The server lets ``delay_s`` seconds pass before it. A named tuple, since a streamed answer
    makes one for each token.
    """

    kind: EventKind
    payload: bytes
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Where things stand in a JSON document: of the body, or of a stream's content events.

    ``content`` leads to the text (or what a client reads in its place), ``number`` to a number,
    ``items`` to the list or object that holds the content, ``usage`` to the token counts. None is
    what such a document does not have. ``usage_members`` are the names under which documents count
    tokens. Of a stream ``error`` writes the event that says an error in it, given how many events
    came before; None where its API has no such event.
    """

    content: Path
    number: Path | None
    items: Path | None = None
    usage: Path | None = None
    usage_members: tuple[str, ...] = ("usage",)
    error: Callable[[int], bytes] | None = None


class Parts(NamedTuple):
    """A body too large to be made at once: ``make`` makes it anew, piece by piece, for each call.

    ``size`` is the most that all pieces have together, in bytes.
    """

    make: Callable[[], Iterator[bytes]]
    size: int

    def joined(self) -> bytes:
        """The whole body."""
        return b"".join(self.make())


class Answer(NamedTuple):
    """One HTTP answer as a value; ``answer._replace(...)`` is the same with some parts changed.

    ``headers`` are (name, value) pairs in wire order, without what frames the body, which is added
    when the answer is rendered; ``body`` is the whole body in bytes. Where ``error`` is set, the
    server writes the body from it, in the shape of the provider that was asked. A ``streamed``
    answer says ``events`` in place of ``body``. ``shape`` is known for good answers.

    The server lets ``delay_s`` seconds pass before the first byte. ``at_s`` is the server's
    calendar, in seconds since the Unix epoch. A stream that is ``cut`` ends with its connection,
    without the end that HTTP wants. ``parts`` stand in the place of ``body`` where that is large.
    ``calls`` are the calls of tools in a good answer. A named tuple, since every request makes one.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    error: ApiError | None = None
    events: tuple[Event, ...] = ()
    streamed: bool = False
    shape: Shape | None = None
    delay_s: float = 0.0
    at_s: float = 0.0
    cut: bool = False
    parts: Parts | None = None
    calls: ToolCalls | None = None
