"""Anthropic's files: uploaded as a form, listed, looked up, deleted.

What a client has uploaded it cannot download again, as Anthropic has it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.call import Answered, Call, json_answer
from chaoscheck.server.apis.multipart import form_of
from chaoscheck.server.apis.pages import page_of
from chaoscheck.server.apis.request_body import BadRequest, NotFound

__all__ = ["answer_content", "answer_delete", "answer_file", "answer_list", "answer_upload"]

_KIND = "message_files"
_BYTES_MAX = 8 * 2**20  # of one file
_RECORD_BYTES = 1_000  # what a file costs here, since its content is never asked for
_SHAPE = Shape(content=("id",), number=("size_bytes",))
_DELETED_SHAPE = Shape(content=("id",), number=None)
_LIST_SHAPE = Shape(items=("data",), content=("data", 0, "id"), number=("data", 0, "size_bytes"))
_PAGE = "page_"
_FORBIDDEN = frozenset('<>:"|?*\\/')
_NAME_LENGTH_MAX = 255


def answer_upload(call: Call) -> Answered:
    """Keep the file of a form; what is known of it."""
    try:
        file = form_of(call.body, call.headers).get("file")
        if file is None:
            raise BadRequest("file: Field required", "file")
        if len(file.content) > _BYTES_MAX:
            raise BadRequest(f"file: must have at most {_BYTES_MAX} bytes", "file")
        filename = file.filename or "upload"
        if len(filename) > _NAME_LENGTH_MAX or not _FORBIDDEN.isdisjoint(filename):
            raise BadRequest("file: Invalid filename", "file")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    created = datetime.fromtimestamp(call.created_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about: dict[str, Any] = {
        "id": f"file_{call.number:06d}",
        "type": "file",
        "filename": filename,
        "mime_type": file.media_type,
        "size_bytes": len(file.content),
        "created_at": created,
        "downloadable": False,
    }
    if call.store is not None:
        call.store.shelf(_KIND).put(about["id"], about, _RECORD_BYTES)
    return json_answer(about, _SHAPE), None


def answer_list(call: Call) -> Answered:
    """The files, the newest first, page by page: a page's name is that of the last file before."""
    shelf = [] if call.store is None else call.store.shelf(_KIND).newest_first()
    try:
        page = page_of(
            [about for _, about in shelf],
            call.query.replace(f"page={_PAGE}", "after_id="),
            default=20,
            most=1000,
            after="after_id",
            before="before_id",
        )
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    page["next_page"] = f"{_PAGE}{page['last_id']}" if page["has_more"] else None
    return json_answer(page, _LIST_SHAPE if page["data"] else None), None


def answer_file(call: Call) -> Answered:
    """What is known of the file that the path names."""
    try:
        return json_answer(_found(call), _SHAPE), None
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None


def answer_content(call: Call) -> Answered:
    """A refusal: files of clients are not downloadable."""
    try:
        raise BadRequest(f"File {_found(call)['id']} is not downloadable.")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None


def answer_delete(call: Call) -> Answered:
    """Forget the file that the path names."""
    try:
        name = _found(call)["id"]
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    if call.store is not None:
        call.store.shelf(_KIND).take(call.model)
    return json_answer({"id": name, "type": "file_deleted"}, _DELETED_SHAPE), None


def _found(call: Call) -> dict[str, Any]:
    about: dict[str, Any] | None = None
    if call.store is not None:
        about = call.store.shelf(_KIND).get(call.model)
    if about is None:
        raise NotFound(f"File not found: {(call.model or '')[:100]}")
    return about
