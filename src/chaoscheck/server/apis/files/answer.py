"""OpenAI's files: uploaded as a form, listed, fetched whole or by their content, deleted."""

from __future__ import annotations

from urllib.parse import parse_qs

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.call import Answered, Call, json_answer
from chaoscheck.server.apis.files.kept import KIND, KeptFile, file_of, keep_file
from chaoscheck.server.apis.multipart import form_of
from chaoscheck.server.apis.pages import page_of
from chaoscheck.server.apis.parameters import missing, one_of
from chaoscheck.server.apis.request_body import BadRequest, NotFound

__all__ = ["answer_content", "answer_delete", "answer_file", "answer_list", "answer_upload"]

_PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")
_BYTES_MAX = 8 * 2**20  # of one file
_SHAPE = Shape(content=("id",), number=("bytes",))
_DELETED_SHAPE = Shape(content=("id",), number=None)
_LIST_SHAPE = Shape(items=("data",), content=("data", 0, "id"), number=("data", 0, "bytes"))


def answer_upload(call: Call) -> Answered:
    """Keep the file of a form; its object."""
    try:
        form = form_of(call.body, call.headers)
        if "purpose" not in form:
            raise missing("purpose")
        purpose = one_of("purpose", form["purpose"].text, _PURPOSES)
        file = form.get("file")
        if file is None:
            raise missing("file")
        if len(file.content) > _BYTES_MAX:
            raise BadRequest(f"File is too large: at most {_BYTES_MAX} bytes are kept.", "file")
        if purpose == "batch" and not file.content.strip():
            raise BadRequest("File is empty.", "file", "empty_file")
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    name = f"file-{call.number:06d}"
    filename = file.filename or "upload"
    return json_answer(
        keep_file(call, name, file.content, filename=filename, purpose=purpose), _SHAPE
    ), None


def answer_list(call: Call) -> Answered:
    """The files, the newest first unless asked, page by page, of one purpose or of all."""
    asked = parse_qs(call.query)
    purpose = asked.get("purpose", [None])[-1]
    shelf = [] if call.store is None else call.store.shelf(KIND).newest_first()
    files = [kept.about for _, kept in shelf if purpose in (None, kept.about["purpose"])]
    if asked.get("order", ["desc"])[-1] == "asc":
        files.reverse()
    try:
        page = page_of(files, call.query, default=10_000, most=10_000)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    return json_answer({"object": "list", **page}, _LIST_SHAPE if page["data"] else None), None


def answer_file(call: Call) -> Answered:
    """The object of the file that the path names."""
    try:
        return json_answer(_found(call).about, _SHAPE), None
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None


def answer_content(call: Call) -> Answered:
    """The content of the file that the path names, byte for byte."""
    try:
        content = _found(call).content
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    headers = (("content-type", "application/octet-stream"),)
    return Answer(status=200, headers=headers, body=content), None


def answer_delete(call: Call) -> Answered:
    """Forget the file that the path names."""
    try:
        name = _found(call).about["id"]
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    if call.store is not None:
        call.store.shelf(KIND).take(call.model)
    return json_answer({"id": name, "object": "file", "deleted": True}, _DELETED_SHAPE), None


def _found(call: Call) -> KeptFile:
    kept = file_of(call, call.model)
    if kept is None:
        raise NotFound(f"No such File object: {(call.model or '')[:100]}", "id")
    return kept
