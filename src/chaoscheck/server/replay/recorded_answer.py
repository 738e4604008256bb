"""From a recorded exchange to the server's answer: its shape and its events' kinds are recognized.

Faults look at what an answer holds: where its text stands, which event is the last. What our own
APIs know of their answers is read off here, from the JSON of whichever provider it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from chaoscheck.plan.answer import Answer, ApiError, Event, EventKind, Path, Shape
from chaoscheck.plan.fault_kinds.document import DATA_LINE
from chaoscheck.server.replay.recorded_exchange import RecordedExchange

__all__ = ["answer_of", "upstream_failed"]

# Where a text, or what a client reads in its place, stands: of bodies, then of events.
_CONTENT: tuple[Path, ...] = (
    ("choices", 0, "message", "content"),
    ("choices", 0, "message", "tool_calls", 0, "function", "arguments"),
    ("choices", 0, "delta", "content"),
    ("choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
    ("choices", 0, "text"),
    ("content", 0, "text"),
    ("content", 0, "input"),
    ("output", 0, "content", 0, "text"),
    ("output", 1, "content", 0, "text"),
    ("output", 0, "arguments"),
    ("candidates", 0, "content", "parts", 0, "text"),
    ("candidates", 0, "content", "parts", 0, "functionCall", "args"),
    ("delta", "text"),
    ("delta", "partial_json"),
    ("delta", "thinking"),
    ("delta",),
    ("message", "content"),
    ("data", 0, "embedding"),
    ("data", 0, "id"),
    ("id",),
)
# Of events only these: an event with an id is not for that reason one with content.
_EVENT_CONTENT = tuple(path for path in _CONTENT if path[0] not in ("data", "id", "content"))
_ITEMS: tuple[Path, ...] = tuple((name,) for name in ("choices", "output", "candidates", "data"))
_LAST_TYPES = ("message_stop", "response.completed", "response.incomplete", "response.failed")
_FAILURES = {
    "refused": "The upstream could not be reached.",
    "timed_out": "The upstream did not answer in time.",
    "unusable": "The upstream's answer could not be used.",
}


def upstream_failed(ended: str) -> Answer:
    """The 502 of an upstream that gave no answer; its provider writes the body."""
    return Answer(status=502, error=ApiError(message=_FAILURES[ended], type="server_error"))


def answer_of(exchange: RecordedExchange, *, timed: bool) -> Answer:
    """The answer that a client gets, at once or, if ``timed``, as late as it was recorded."""
    if exchange.ended in _FAILURES:
        return upstream_failed(exchange.ended)
    answer = Answer(status=exchange.status, headers=exchange.headers)
    if not exchange.streamed:
        shape = _shape_of(_json(exchange.body), _CONTENT)
        delay_s = exchange.delay_s if timed else 0.0
        return answer._replace(body=exchange.body, shape=shape, delay_s=delay_s)
    events = tuple(
        Event(_kind_of(data), data, delay_s if timed else 0.0) for delay_s, data in exchange.events
    )
    first = next((event.payload for event in events if event.kind == "content"), b"")
    return answer._replace(
        streamed=True,
        events=events,
        shape=_shape_of(_json(_data_of(first)), _EVENT_CONTENT),
        cut=exchange.ended == "cut",
    )


def _json(text: bytes | None) -> Any:
    try:
        return json.loads(text or b"")
    except (ValueError, RecursionError):
        return None


def _data_of(event: bytes) -> bytes | None:
    """What the first data line of an event says, or a line of JSON by itself; None if neither."""
    found = DATA_LINE.search(event)
    return None if found is None else found[1].strip()


def _kind_of(event: bytes) -> EventKind:
    data = _data_of(event)
    if data is None:
        return "comment" if event.startswith(b":") else "start"
    if data == b"[DONE]":
        return "end"
    said = _json(data)
    if not isinstance(said, dict):
        return "start"
    for kind, tells in _TELLS:
        if tells(said):
            return kind
    return "start"


# What tells the kind of an event, asked in this order.
_TELLS: tuple[tuple[EventKind, Callable[[dict[str, Any]], Any]], ...] = (
    ("error", lambda said: said.get("error") or said.get("type") == "error"),
    ("end", lambda said: said.get("type") in _LAST_TYPES or said.get("done") is True),
    ("content", lambda said: _content_path(said, _EVENT_CONTENT)),
    ("finish", lambda said: _found(said, ("choices", 0, "finish_reason"))),
    ("finish", lambda said: _found(said, ("candidates", 0, "finishReason"))),
    ("finish", lambda said: said.get("type") == "message_delta"),
    ("usage", lambda said: said.get("usage") and not said.get("choices")),
)


def _shape_of(document: Any, paths: tuple[Path, ...]) -> Shape | None:
    """Where things stand in a document; None if nothing in it is known."""
    content = _content_path(document, paths)
    if content is None:
        return None
    items = next((path for path in _ITEMS if isinstance(_found(document, path), list)), None)
    usage = next(
        (path for path in (("usage",), ("usageMetadata",)) if _found(document, path)), None
    )
    return Shape(
        content=content,
        number=_number_path(document),
        items=items,
        usage=usage,
        usage_members=("usage", "usageMetadata"),
    )


def _content_path(document: Any, paths: tuple[Path, ...]) -> Path | None:
    for path in paths:
        found = _found(document, path)
        if path == ("delta",) and not isinstance(found, str):
            continue
        if found is not None and found != "":
            return path
    return None


def _number_path(document: Any, path: Path = ()) -> Path | None:
    """The first number of a document, a few steps deep."""
    if isinstance(document, int | float) and not isinstance(document, bool):
        return path
    if len(path) > 3:
        return None
    steps: Iterable[tuple[str | int, Any]] = ()
    if isinstance(document, dict):
        steps = document.items()
    elif isinstance(document, list):
        steps = enumerate(document[:1])
    for step, inner in steps:
        found = _number_path(inner, (*path, step))
        if found is not None:
            return found
    return None


def _found(document: Any, path: Path) -> Any:
    """What stands at a path; None if nothing does."""
    for step in path:
        try:
            document = document[step]
        except (LookupError, TypeError):
            return None
    return document
