"""A batch's requests: read from its file, and answered one by one as if they had been sent.

A batch is small: at most 200 requests, whose answers have 16 MiB in all. What is left when these
are spent has expired. It is worked off step by step, so that no step keeps other clients waiting.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.server.apis.call import Api, Call
from chaoscheck.server.apis.chat.answer import answer_chat
from chaoscheck.server.apis.completions.answer import answer_completion
from chaoscheck.server.apis.embeddings.answer import answer_embeddings
from chaoscheck.server.apis.moderations.answer import answer_moderation
from chaoscheck.server.apis.request_body import TooManyValues, json_of
from chaoscheck.server.apis.responses.answer import answer_response
from chaoscheck.server.providers import OPENAI

__all__ = ["ENDPOINTS", "REQUESTS_MAX", "Line", "Progress", "advance", "lines_of"]

REQUESTS_MAX = 200
_LINES_MAX = 10 * REQUESTS_MAX  # empty ones among them
_OUTPUT_BYTES_MAX = 16 * 2**20
_INPUTS_MAX = 16  # of one request for embeddings
_STEP_REQUESTS_MAX = 20
_STEP_BYTES_MAX = 2**20  # of answers; the last one of a step may go beyond
_FIRST_NUMBER = 10**9  # far beyond the number of any request that was sent

ENDPOINTS: Mapping[str, Api] = {
    "/v1/responses": answer_response,
    "/v1/chat/completions": answer_chat,
    "/v1/embeddings": answer_embeddings,
    "/v1/completions": answer_completion,
    "/v1/moderations": answer_moderation,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A request of a batch: its ``custom_id`` and its body."""

    custom_id: str
    body: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a batch came: good answers and bad ones, as lines, of ``size`` bytes together."""

    good: list[bytes] = field(default_factory=list)
    bad: list[bytes] = field(default_factory=list)
    size: int = 0
    expired: bool = False

    @property
    def done(self) -> int:
        """How many requests have been answered."""
        return len(self.good) + len(self.bad)


def lines_of(content: bytes, endpoint: str) -> tuple[list[Line], list[dict[str, object]]]:
    """The requests in a file, and what is wrong with its lines; either may be empty."""
    lines: list[Line] = []
    problems: list[dict[str, object]] = []
    if content.count(b"\n") > _LINES_MAX:
        return [], [_problem("too_many_tasks", f"The file has more than {_LINES_MAX} lines.", None)]
    rows = [(at, row) for at, row in enumerate(content.split(b"\n"), start=1) if row.strip()]
    if len(rows) > REQUESTS_MAX:
        message = f"The batch may have {REQUESTS_MAX} requests, got {len(rows)}."
        return [], [_problem("too_many_tasks", message, None)]
    seen: set[str] = set()
    for at, row in rows:
        line, code, message = _read(row, endpoint, seen)
        if line is None:
            problems.append(_problem(code, message, at))
        else:
            seen.add(line.custom_id)
            lines.append(line)
    if not rows:
        problems.append(_problem("empty_file", "The input file has no requests.", None))
    return lines, problems


def _problem(code: str, message: str, line: int | None) -> dict[str, object]:
    return {"code": code, "message": message, "param": None, "line": line}


def _read(row: bytes, endpoint: str, seen: set[str]) -> tuple[Line | None, str, str]:
    try:
        said = json_of(row.strip())
    except (ValueError, RecursionError, TooManyValues):
        said = None
    if not isinstance(said, dict):
        return None, "invalid_json_line", "This line is not parseable as valid JSON."
    custom_id, body = said.get("custom_id"), said.get("body")
    if not isinstance(custom_id, str) or not isinstance(body, dict):
        return None, "missing_required_parameter", "A line must have a custom_id and a body."
    if said.get("method") != "POST":
        return None, "invalid_method", "The method of a line must be POST."
    if said.get("url") != endpoint:
        return None, "invalid_url", f"The URL of a line must be the batch's, {endpoint}."
    if custom_id in seen:
        return None, "duplicate_custom_id", "The custom_id of a line must be its own."
    return Line(custom_id=custom_id, body=body), "", ""


def advance(progress: Progress, call: Call, number: int, endpoint: str, lines: list[Line]) -> None:
    """Answer the next requests of the batch that the server's ``number``-th request made."""
    api = ENDPOINTS[endpoint]
    most = progress.size + _STEP_BYTES_MAX
    begin = progress.done
    for at, line in enumerate(lines[begin : begin + _STEP_REQUESTS_MAX], start=begin):
        if progress.size > most:
            return
        progress.expired = progress.expired or progress.size > _OUTPUT_BYTES_MAX
        answer = None
        if not progress.expired:
            answer = _answered(call, api, line, _FIRST_NUMBER + number * REQUESTS_MAX + at)
        written = _written(line, answer, f"{number:06d}_{at}")
        progress.size += len(written)
        good = answer is not None and answer.status < 400
        (progress.good if good else progress.bad).append(written)


def _answered(call: Call, api: Api, line: Line, number: int) -> Answer:
    given = line.body.get("input")
    if api is answer_embeddings and isinstance(given, list) and len(given) > _INPUTS_MAX:
        message = f"A request of a batch may embed {_INPUTS_MAX} inputs, got {len(given)}."
        return _refused(message, "input")
    if line.body.get("stream"):
        return _refused("Streaming is not supported in a batch.", "stream")
    body = json.dumps(line.body).encode("ascii")
    key = line.custom_id
    return api(
        call._replace(
            body=body,
            number=number,
            key=key,
            occurrence=1,
            attempt=1,
            model=None,
            tokens=call.uncharged_tokens(),
        )
    )[0]


def _refused(message: str, param: str) -> Answer:
    error = ApiError(message=message, type="invalid_request_error", param=param)
    return Answer(status=400, error=error)


def _written(line: Line, answer: Answer | None, ending: str) -> bytes:
    head = f'{{"id":"batch_req_{ending}","custom_id":{json.dumps(line.custom_id)},'
    if answer is None:
        error = '{"code":"batch_expired","message":"This request could not be executed in time."}'
        return f'{head}"response":null,"error":{error}}}\n'.encode("ascii")
    body = (answer.body if answer.parts is None else answer.parts.joined()).decode("ascii")
    if answer.error is not None:
        body = json.dumps({"error": OPENAI.error_object(answer.status, answer.error)})
    response = f'{{"status_code":{answer.status},"request_id":"req_{ending}","body":{body}}}'
    return f'{head}"response":{response},"error":null}}\n'.encode("ascii")
