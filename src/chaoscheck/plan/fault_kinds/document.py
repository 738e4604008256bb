"""Edits of the JSON that an answer says: of its body, or of a stream's first content event.

An edit goes to one place in the document, found by the answer's ``shape``. What is around that
place is written anew, compactly and in ASCII; other events and other lines of the event stay as
they are. Raw text is put in rather than values, since several faults are no JSON at all. An answer
without the place is returned as it is: a fault that a script forces upon it has no effect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Literal

from chaoscheck.errors import InternalError
from chaoscheck.plan.answer import Answer, Path

__all__ = [
    "DATA_LINE",
    "Part",
    "edit_text",
    "has_part",
    "has_text",
    "json_text",
    "remove_part",
    "replace_part",
]

Part = Literal["content", "number", "items", "usage"]

# The first data line of an event, or the line of a stream that has no events but JSON line by
# line, without its line end.
DATA_LINE = re.compile(rb"^(?:data: ?|(?=\{))([^\r\n]*)", re.MULTILINE)


def has_text(answer: Answer) -> bool:
    """Whether there is JSON to edit: a body, or an event with content."""
    if answer.streamed:
        return any(event.kind == "content" for event in answer.events)
    return bool(answer.body)


def has_part(answer: Answer, part: Part) -> bool:
    """Whether the answer's JSON has this part, as its shape says; nothing is parsed."""
    return _path(answer, part) is not None and has_text(answer)


def edit_text(answer: Answer, edit: Callable[[bytes], bytes]) -> Answer:
    """``edit`` applied to the JSON text: the whole body, or what follows ``data:``."""
    if not has_text(answer):
        return answer
    if not answer.streamed:
        return answer._replace(body=edit(answer.body))
    events = answer.events
    at = next(at for at, event in enumerate(events) if event.kind == "content")
    payload = events[at].payload
    line = DATA_LINE.search(payload)
    if line is None:
        raise InternalError(f"an event with content must have a data line, got {payload[:80]!r}")
    edited = payload[: line.start(1)] + edit(line[1]) + payload[line.end(1) :]
    changed = events[at]._replace(payload=edited)
    return answer._replace(events=(*events[:at], changed, *events[at + 1 :]))


def replace_part(answer: Answer, part: Part, written: Callable[[Any], bytes]) -> Answer:
    """In place of the part's value stands what ``written(value)`` returns, byte for byte."""
    path = _path(answer, part)
    if path is None:
        return answer
    return edit_text(answer, lambda text: _spliced(_parsed(text, path), path, written))


def remove_part(answer: Answer, part: Part) -> Answer:
    """The document without the part: its key, or its place in a list, is gone."""
    path = _path(answer, part)
    if path is None:
        return answer
    return edit_text(answer, lambda text: _without(text, path))


def json_text(value: object) -> bytes:
    """``value`` as compact JSON in ASCII."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _path(answer: Answer, part: Part) -> Path | None:
    if answer.shape is None:
        return None
    path: Path | None = getattr(answer.shape, part)
    return path


def _parsed(text: bytes, path: Path) -> Any:
    """The document, after a look whether ``path`` leads anywhere: a shape must not lie."""
    try:
        node = document = json.loads(text)
        for step in path:
            node = node[step]
    except (ValueError, LookupError, TypeError) as error:
        raise InternalError(f"the answer's shape says {path!r}, it is {text[:80]!r}") from error
    return document


def _spliced(node: Any, path: Path, written: Callable[[Any], bytes]) -> bytes:
    if not path:
        return written(node)
    step, rest = path[0], path[1:]
    if isinstance(node, dict):
        members = [
            json_text(key)
            + b":"
            + (_spliced(value, rest, written) if key == step else json_text(value))
            for key, value in node.items()
        ]
        return b"{" + b",".join(members) + b"}"
    items = [
        _spliced(value, rest, written) if index == step else json_text(value)
        for index, value in enumerate(node)
    ]
    return b"[" + b",".join(items) + b"]"


def _without(text: bytes, path: Path) -> bytes:
    node = document = _parsed(text, path)
    for step in path[:-1]:
        node = node[step]
    del node[path[-1]]
    return json_text(document)
