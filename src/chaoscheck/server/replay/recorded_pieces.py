"""A recorded answer as pieces of JSON: one of a body, or one an event, to be edited in place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chaoscheck.plan.answer import Answer, Event, EventKind
from chaoscheck.plan.fault_kinds.document import DATA_LINE
from chaoscheck.server.apis.sse import event as named_event

__all__ = ["Piece", "at", "edited_answer", "new_piece", "pieces_of_answer", "put_in_place"]


@dataclass(slots=True)
class Piece:
    """An event, or the body of an answer, and the JSON that it says; None if it says none.

    A new piece has an empty payload, and is written as a named event.
    """

    event: Event
    said: Any
    name: str | None = None

    def written(self) -> Event:
        """The event with the JSON as it is now; byte for byte as recorded if that is the same."""
        payload, delay_s = self.event.payload, self.event.delay_s
        if not payload:
            return named_event(self.event.kind, json.dumps(self.said), name=self.name)._replace(
                delay_s=delay_s
            )
        line = DATA_LINE.search(payload)
        if line is None or self.said is None or _json(line[1]) == self.said:
            return self.event
        data = json.dumps(self.said).encode("ascii")
        return self.event._replace(payload=payload[: line.start(1)] + data + payload[line.end(1) :])


def new_piece(kind: EventKind, said: dict[str, Any]) -> Piece:
    """An event that was not recorded, named by its type."""
    return Piece(Event(kind, b""), said, said["type"])


def pieces_of_answer(answer: Answer) -> list[Piece]:
    """What the answer says, read anew, so that it may be edited."""
    if not answer.streamed:
        return [Piece(Event("content", answer.body), _json(answer.body))]
    found = [(event, DATA_LINE.search(event.payload)) for event in answer.events]
    return [Piece(event, None if line is None else _json(line[1])) for event, line in found]


def edited_answer(answer: Answer, pieces: Sequence[Piece]) -> Answer:
    """The recorded answer that says these pieces."""
    if answer.streamed:
        return answer._replace(events=tuple([piece.written() for piece in pieces]))
    (piece,) = pieces
    return answer._replace(body=json.dumps(piece.said).encode("ascii"))


def put_in_place(
    pieces: Sequence[Piece], gone: Sequence[Piece], new: Sequence[Piece]
) -> list[Piece]:
    """``pieces`` with ``new`` ones where those that are ``gone`` began, at the times of these."""
    if not gone:
        return list(pieces)
    delays = [piece.event.delay_s for piece in gone]
    for number, piece in enumerate(new):
        last = number == len(new) - 1
        delay_s = sum(delays[number:]) if last else sum(delays[number : number + 1])
        piece.event = piece.event._replace(delay_s=delay_s)
    left_out = {id(piece) for piece in gone}
    place = next(number for number, piece in enumerate(pieces) if piece is gone[0])
    kept = [piece for piece in pieces[place:] if id(piece) not in left_out]
    return [*pieces[:place], *new, *kept]


def at(node: Any, *path: str | int) -> Any:
    """What stands there in a document of unknown shape; None if nothing does."""
    for step in path:
        if isinstance(node, dict) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
