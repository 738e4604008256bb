"""Anthropic's message batches: made, watched, canceled, read and deleted.

A batch is in progress when it is first asked for, and comes a step further whenever it is asked
for again, a small one to its end: so a client that polls sees it at work, whatever the clock says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.call import Answered, Call, json_answer
from chaoscheck.server.apis.message_batches.run import Results, advance, messages_of
from chaoscheck.server.apis.pages import page_of
from chaoscheck.server.apis.request_body import BadRequest, NotFound

__all__ = [
    "answer_batch",
    "answer_cancel",
    "answer_create",
    "answer_delete",
    "answer_list",
    "answer_results",
]

_KIND = "message_batches"
_RECORD_BYTES = 2_000  # what a batch costs beside its messages
_SHAPE = Shape(
    items=("request_counts",),
    content=("processing_status",),
    number=("request_counts", "processing"),
)
_DELETED_SHAPE = Shape(content=("id",), number=None)
_LIST_SHAPE = Shape(
    items=("data",), content=("data", 0, "id"), number=("data", 0, "request_counts", "processing")
)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """A batch; ``number`` is that of the request that made it, ``body`` its messages."""

    about: dict[str, Any]
    number: int
    body: bytes
    polls: int = 0
    progress: Results = field(default_factory=Results)
    results: bytes | None = None


def answer_create(call: Call) -> Answered:
    """A new batch of the messages in the request."""
    try:
        messages = messages_of(call.body)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    about = {
        "id": f"msgbatch_{call.number:06d}",
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": _counts(processing=len(messages)),
        "ended_at": None,
        "created_at": _instant(call.created_s),
        "expires_at": _instant(call.created_s, hours=24),
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
    }
    if call.store is not None:
        kept = _Kept(about=about, number=call.number, body=call.body)
        call.store.shelf(_KIND).put(str(about["id"]), kept, len(call.body) + _RECORD_BYTES)
    return json_answer(about, _SHAPE), None


def answer_batch(call: Call) -> Answered:
    """The batch that the path names, one step further than when it was last asked for."""
    try:
        kept = _found(call)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    kept.polls += 1
    canceling = kept.about["processing_status"] == "canceling"
    if kept.results is None and (canceling or kept.polls > 1):
        _advance(call, kept, canceled=canceling)
    return json_answer(kept.about, _SHAPE), None


def answer_cancel(call: Call) -> Answered:
    """Cancel the batch that the path names, unless it has ended."""
    try:
        kept = _found(call)
        if kept.results is not None:
            raise BadRequest("Message batch cannot be canceled: it has ended.")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    now = _instant(call.created_s)
    kept.about |= {"processing_status": "canceling", "cancel_initiated_at": now}
    return json_answer(kept.about, _SHAPE), None


def answer_results(call: Call) -> Answered:
    """The results of the batch that the path names, one a line, once it has ended."""
    try:
        kept = _found(call)
        if kept.results is None:
            raise BadRequest("Message batch has no available results: it has not ended.")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    headers = (("content-type", "application/x-jsonl"),)
    return Answer(status=200, headers=headers, body=kept.results), None


def answer_delete(call: Call) -> Answered:
    """Forget the batch that the path names, once it has ended."""
    try:
        kept = _found(call)
        if kept.results is None:
            raise BadRequest("Message batch cannot be deleted while it is in progress.")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    if call.store is not None:
        call.store.shelf(_KIND).take(call.model)
    said = {"id": kept.about["id"], "type": "message_batch_deleted"}
    return json_answer(said, _DELETED_SHAPE), None


def answer_list(call: Call) -> Answered:
    """The batches, the newest first, page by page."""
    shelf = [] if call.store is None else call.store.shelf(_KIND).newest_first()
    abouts = [kept.about for _, kept in shelf]
    try:
        page = page_of(
            abouts, call.query, default=20, most=1000, after="after_id", before="before_id"
        )
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    return json_answer(page, _LIST_SHAPE if page["data"] else None), None


def _advance(call: Call, kept: _Kept, *, canceled: bool) -> None:
    messages = messages_of(kept.body)
    progress = kept.progress
    advance(progress, call, kept.number, messages, canceled=canceled)
    left = len(messages) - len(progress.lines)
    kept.about["request_counts"] = _counts(processing=left, **progress.counts)
    if not left:
        kept.results = b"".join(progress.lines)
        kept.progress = Results()
        host = call.headers.get(b"host", b"localhost").decode("latin-1")
        kept.about |= {
            "processing_status": "ended",
            "ended_at": _instant(call.created_s),
            "results_url": f"http://{host}/v1/messages/batches/{kept.about['id']}/results",
        }
    if call.store is not None:  # It has grown by its results.
        size = len(kept.body) + len(kept.results or b"") + kept.progress.size + _RECORD_BYTES
        call.store.shelf(_KIND).resize(kept.about["id"], size)


def _counts(**counted: int) -> dict[str, int]:
    names = ("processing", "succeeded", "errored", "canceled", "expired")
    return dict.fromkeys(names, 0) | counted


def _instant(at_s: int, *, hours: int = 0) -> str:
    at = datetime.fromtimestamp(at_s, tz=UTC) + timedelta(hours=hours)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _found(call: Call) -> _Kept:
    kept: _Kept | None = None if call.store is None else call.store.shelf(_KIND).get(call.model)
    if kept is None:
        raise NotFound(f"Message batch {(call.model or '')[:100]} not found.")
    return kept
