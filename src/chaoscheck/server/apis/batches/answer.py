"""OpenAI's batches: made from a file of requests, watched, cancelled; the answers are files again.

A batch is validated when it is made, in progress when it is first asked for, and comes a step
further whenever it is asked for again, a small one to its end: so a client that polls sees every
status, whatever the clock says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.batches.run import ENDPOINTS, Progress, advance, lines_of
from chaoscheck.server.apis.call import Answered, Call, json_answer
from chaoscheck.server.apis.files.kept import file_of, keep_file
from chaoscheck.server.apis.pages import page_of
from chaoscheck.server.apis.parameters import mapping, missing, one_of, text
from chaoscheck.server.apis.request_body import BadRequest, NotFound, parse

__all__ = ["answer_batch", "answer_cancel", "answer_create", "answer_list"]

_KIND = "batches"
_WINDOW = "24h"
_WINDOW_S = 24 * 3600
_RECORD_BYTES = 2_000  # what a batch costs beside its files
_OVER = ("completed", "failed", "expired", "cancelled")
_SHAPE = Shape(items=("request_counts",), content=("status",), number=("request_counts", "total"))
_LIST_SHAPE = Shape(
    items=("data",), content=("data", 0, "id"), number=("data", 0, "request_counts", "total")
)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """A batch; ``number`` is that of the request that made it."""

    about: dict[str, Any]
    number: int
    progress: Progress = field(default_factory=Progress)


def answer_create(call: Call) -> Answered:
    """A new batch of the requests in a file."""
    try:
        asked = parse(call.body)
        name = text(asked, "input_file_id")
        endpoint = text(asked, "endpoint")
        if name is None or endpoint is None:
            raise missing("input_file_id" if name is None else "endpoint")
        if not endpoint.startswith("/v1/"):
            endpoint = f"/v1{endpoint}"  # as Azure writes it
        one_of("endpoint", endpoint, tuple(ENDPOINTS))
        if asked.get("completion_window") is None:
            raise missing("completion_window")
        one_of("completion_window", asked["completion_window"], (_WINDOW,))
        if file_of(call, name) is None:
            raise BadRequest(f"No such File object: {name[:100]}", "input_file_id")
        metadata = mapping(asked, "metadata")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    about = _new(call, name, str(asked["endpoint"])) | {"metadata": metadata}
    if call.store is not None:
        kept = _Kept(about=about, number=call.number)
        call.store.shelf(_KIND).put(about["id"], kept, _RECORD_BYTES)
    return json_answer(about, _SHAPE), None


def answer_batch(call: Call) -> Answered:
    """The batch that the path names, one step further than when it was last asked for."""
    try:
        kept = _found(call)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    match kept.about["status"]:
        case "validating":
            _begin(call, kept)
        case "in_progress":
            _advance(call, kept)
        case "cancelling":
            kept.about |= {"status": "cancelled", "cancelled_at": call.created_s}
    return json_answer(kept.about, _SHAPE), None


def answer_cancel(call: Call) -> Answered:
    """Cancel the batch that the path names, unless it is over."""
    try:
        kept = _found(call)
        if kept.about["status"] in _OVER:
            status = kept.about["status"]
            raise BadRequest(f"Cannot cancel a batch with status '{status}'.")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    kept.about |= {"status": "cancelling", "cancelling_at": call.created_s}
    return json_answer(kept.about, _SHAPE), None


def answer_list(call: Call) -> Answered:
    """The batches, the newest first, page by page."""
    shelf = [] if call.store is None else call.store.shelf(_KIND).newest_first()
    try:
        page = page_of([kept.about for _, kept in shelf], call.query, default=20, most=100)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    return json_answer({"object": "list", **page}, _LIST_SHAPE if page["data"] else None), None


def _new(call: Call, name: str, endpoint: str) -> dict[str, Any]:
    unset = (
        "cancelled_at",
        "cancelling_at",
        "completed_at",
        "error_file_id",
        "errors",
        "expired_at",
        "failed_at",
        "finalizing_at",
        "in_progress_at",
        "output_file_id",
    )
    return {
        "id": f"batch_{call.number:06d}",
        "object": "batch",
        "endpoint": endpoint,
        "input_file_id": name,
        "completion_window": _WINDOW,
        "status": "validating",
        "created_at": call.created_s,
        "expires_at": call.created_s + _WINDOW_S,
        **dict.fromkeys(unset),
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
    }


def _begin(call: Call, kept: _Kept) -> None:
    lines, problems = lines_of(_input(call, kept), kept.about["endpoint"])
    if problems:
        errors = {"object": "list", "data": problems}
        kept.about |= {"status": "failed", "failed_at": call.created_s, "errors": errors}
        return
    counts = {"total": len(lines), "completed": 0, "failed": 0}
    begun = {"in_progress_at": call.created_s, "request_counts": counts}
    kept.about |= {"status": "in_progress", **begun}


def _advance(call: Call, kept: _Kept) -> None:
    endpoint = kept.about["endpoint"]
    lines, _ = lines_of(_input(call, kept), endpoint)
    if not endpoint.startswith("/v1/"):
        endpoint = f"/v1{endpoint}"
    progress = kept.progress
    advance(progress, call, kept.number, endpoint, lines)
    good, bad = len(progress.good), len(progress.bad)
    total = max(len(lines), progress.done)
    kept.about["request_counts"] = {"total": total, "completed": good, "failed": bad}
    if progress.done >= len(lines):
        _complete(call, kept)
    if call.store is not None:
        size = _RECORD_BYTES + kept.progress.size
        call.store.shelf(_KIND).resize(kept.about["id"], size)


def _complete(call: Call, kept: _Kept) -> None:
    progress = kept.progress
    files = {"output_file_id": progress.good, "error_file_id": progress.bad}
    for member, lines in files.items():
        if lines:
            name = f"file-{kept.number:06d}_{member.partition('_')[0]}"
            kept.about[member] = name
            filename = f"{kept.about['id']}_{member.partition('_')[0]}.jsonl"
            keep_file(call, name, b"".join(lines), filename=filename, purpose="batch_output")
    status = "expired" if progress.expired else "completed"
    ended = {"finalizing_at": call.created_s, f"{status}_at": call.created_s}
    kept.about |= {"status": status, **ended}
    kept.progress = Progress()  # Its files hold the answers now.


def _input(call: Call, kept: _Kept) -> bytes:
    file = file_of(call, kept.about["input_file_id"])
    return b"" if file is None else file.content  # It was deleted meanwhile: a file without lines.


def _found(call: Call) -> _Kept:
    kept: _Kept | None = None if call.store is None else call.store.shelf(_KIND).get(call.model)
    if kept is None:
        raise NotFound(f"No batch found with id '{(call.model or '')[:100]}'.")
    return kept
