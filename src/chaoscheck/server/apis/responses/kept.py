"""Responses that the server keeps: fetched, continued, cancelled and deleted by their id.

A response in the background is queued, then in progress when it is first asked for, and done when
it is asked for again: so a client that polls sees every status, whatever the clock says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.call import Answered, Call, json_answer
from chaoscheck.server.apis.request_body import BadRequest, NotFound
from chaoscheck.server.apis.responses.stream import STREAM_SHAPE, response_events
from chaoscheck.server.apis.sse import EVENT_STREAM_TYPE

__all__ = [
    "KeptResponse",
    "answer_cancel",
    "answer_delete",
    "answer_input_items",
    "answer_kept",
    "as_begun",
    "keep",
    "kept_of",
]

_KIND = "responses"
_PARSED = 8  # bytes in memory for each byte of JSON
_SHAPE = Shape(items=("output",), content=("status",), number=("created_at",), usage=("usage",))
_DELETED_SHAPE = Shape(content=("id",), number=None)
_LIST_SHAPE = Shape(items=("data",), content=("data", 0, "id"), number=None)
_POLLS = ("in_progress",)  # what a response in the background is when it is asked for, in turn


@dataclass(slots=True, kw_only=True)
class KeptResponse:
    """A response with what it answered: ``texts`` is the conversation up to and with it."""

    response: dict[str, Any]
    items: list[dict[str, Any]]
    texts: tuple[tuple[str, str], ...]
    polls: int = 0
    cancelled: bool = False

    def now(self) -> dict[str, Any]:
        """The response as a client sees it that asks for it now."""
        if self.cancelled:
            return {**as_begun(self.response, "cancelled"), "usage": None}
        if not self.response["background"] or self.polls >= len(_POLLS):
            return self.response
        self.polls += 1
        return as_begun(self.response, _POLLS[self.polls - 1])

    @property
    def is_done(self) -> bool:
        """Whether it has been seen done, or could have been."""
        return not self.response["background"] or self.polls >= len(_POLLS)


def as_begun(response: dict[str, Any], status: str) -> dict[str, Any]:
    """The response before it has said anything."""
    return response | {
        "status": status,
        "output": [],
        "usage": None,
        "incomplete_details": None,
    }


def keep(call: Call, kept: KeptResponse) -> None:
    """Keep a response, if the server keeps anything."""
    if call.store is not None:
        said = sum([len(text) for _, text in kept.texts])
        # What was parsed takes several times its text.
        size = _PARSED * len(call.body) + 2 * said
        call.store.shelf(_KIND).put(kept.response["id"], kept, size)


def kept_of(call: Call, name: str | None) -> KeptResponse | None:
    """The response of that id, if it is kept."""
    found: KeptResponse | None = None if call.store is None else call.store.shelf(_KIND).get(name)
    return found


def answer_kept(call: Call) -> Answered:
    """The response that the path names, whole or as the stream that it was or would have been."""
    try:
        kept = _found(call)
        query = parse_qs(call.query)
        streamed = _flag(query, "stream")
        after = _after(query)
        if streamed and kept.cancelled:
            raise BadRequest("Cannot stream a cancelled response.", "stream")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    if not streamed:
        return json_answer(kept.now(), _SHAPE), None
    kept.polls = len(_POLLS)
    events = response_events(kept.now(), call.pace().waits())
    return Answer(
        status=200,
        headers=(EVENT_STREAM_TYPE,),
        events=events[after + 1 :],
        streamed=True,
        shape=STREAM_SHAPE,
    ), None


def answer_delete(call: Call) -> Answered:
    """Forget the response that the path names."""
    try:
        kept = _found(call)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    if call.store is not None:
        call.store.shelf(_KIND).take(call.model)
    said = {"id": kept.response["id"], "object": "response", "deleted": True}
    return json_answer(said, _DELETED_SHAPE), None


def answer_cancel(call: Call) -> Answered:
    """Cancel the response that the path names, if it is under way in the background."""
    try:
        kept = _found(call)
        if not kept.response["background"]:
            raise BadRequest("Cannot cancel a synchronous response.")
        if kept.is_done and not kept.cancelled:
            raise BadRequest("Cannot cancel a completed response.")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    kept.cancelled = True
    return json_answer(kept.now(), _SHAPE), None


def answer_input_items(call: Call) -> Answered:
    """The input items of the response that the path names, the newest first unless asked."""
    try:
        kept = _found(call)
        order = parse_qs(call.query).get("order", ["desc"])[-1]
        if order not in ("asc", "desc"):
            raise BadRequest(f"Invalid value: '{order[:100]}'.", "order", "invalid_value")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    items = kept.items if order == "asc" else kept.items[::-1]
    ends = (items[0]["id"], items[-1]["id"]) if items else ("", "")
    said = {
        "object": "list",
        "data": items,
        "first_id": ends[0],
        "last_id": ends[1],
        "has_more": False,
    }
    return json_answer(said, _LIST_SHAPE if items else None), None


def _found(call: Call) -> KeptResponse:
    kept = kept_of(call, call.model)
    if kept is None:
        raise NotFound(f"Response with id '{(call.model or '')[:100]}' not found.")
    return kept


def _flag(query: dict[str, list[str]], name: str) -> bool:
    said = query.get(name, ["false"])[-1]
    if said not in ("true", "false"):
        raise BadRequest(f"Invalid value for '{name}': expected a boolean.", name, "invalid_type")
    return said == "true"


def _after(query: dict[str, list[str]]) -> int:
    said = query.get("starting_after")
    if said is None:
        return -1
    if not re.fullmatch(r"\d{1,9}", said[-1], re.ASCII):
        name = "starting_after"
        raise BadRequest(f"Invalid value for '{name}': expected an integer.", name, "invalid_type")
    return int(said[-1])
