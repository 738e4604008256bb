"""A batch's messages: read from its request, and answered one by one as if they had been sent.

A batch is small: at most 200 messages, whose answers have 16 MiB in all. What is left when these
are spent has expired. It is worked off step by step, so that no step keeps other clients waiting.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaoscheck.server.apis.call import Call
from chaoscheck.server.apis.messages.answer import answer_message
from chaoscheck.server.apis.request_body import BadRequest, json_of
from chaoscheck.server.providers import ANTHROPIC

__all__ = ["REQUESTS_MAX", "Results", "advance", "messages_of"]

REQUESTS_MAX = 200
_OUTPUT_BYTES_MAX = 16 * 2**20
_STEP_REQUESTS_MAX = 20
_STEP_BYTES_MAX = 2**20  # of results; the last one of a step may go beyond
_FIRST_NUMBER = 10**9  # far beyond the number of any request that was sent
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(slots=True, kw_only=True)
class Results:
    """The results so far as lines of JSON, ``size`` bytes together, and how many of each type."""

    lines: list[bytes] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    size: int = 0


def messages_of(body: bytes) -> list[tuple[str, Mapping[str, Any]]]:
    """Each message of a batch, as (custom_id, params); BadRequest if it is no batch."""
    try:
        asked = json_of(body)
    except (ValueError, RecursionError):
        raise BadRequest("The request body is not valid JSON") from None
    requests = asked.get("requests") if isinstance(asked, dict) else None
    if requests is None:
        raise BadRequest("requests: Field required", "requests")
    if not isinstance(requests, list) or not requests:
        raise BadRequest("requests: Input should be a list of at least 1 item", "requests")
    if len(requests) > REQUESTS_MAX:
        raise BadRequest(f"requests: List should have at most {REQUESTS_MAX} items", "requests")
    read = [_message(f"requests.{at}", request) for at, request in enumerate(requests)]
    if len({custom_id for custom_id, _ in read}) < len(read):
        raise BadRequest("requests: custom_id must be unique within a batch", "requests")
    return read


def _message(where: str, request: object) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(request, dict):
        raise BadRequest(f"{where}: Input should be a valid dictionary or object", "requests")
    custom_id, params = request.get("custom_id"), request.get("params")
    if not isinstance(custom_id, str) or not _CUSTOM_ID.fullmatch(custom_id):
        problem = "Field required" if custom_id is None else "String should match pattern"
        raise BadRequest(f"{where}.custom_id: {problem} '^[a-zA-Z0-9_-]{{1,64}}$'", "requests")
    if not isinstance(params, dict):
        problem = "Field required" if params is None else "Input should be a valid dictionary"
        raise BadRequest(f"{where}.params: {problem}", "requests")
    if params.get("stream"):
        raise BadRequest(f"{where}.params.stream: streaming is not supported here", "requests")
    return custom_id, params


def advance(
    results: Results,
    call: Call,
    number: int,
    messages: list[tuple[str, Mapping[str, Any]]],
    *,
    canceled: bool,
) -> None:
    """Answer the next messages of the batch that the server's ``number``-th request made.

    Of a ``canceled`` batch all that is left is canceled at once.
    """
    begin = len(results.lines)
    end = len(messages) if canceled else begin + _STEP_REQUESTS_MAX
    most = results.size + _STEP_BYTES_MAX
    for at, (custom_id, params) in enumerate(messages[begin:end], start=begin):
        if results.size > most:
            return
        if canceled or results.size > _OUTPUT_BYTES_MAX:
            kind = "canceled" if canceled else "expired"
            result = f'{{"type":"{kind}"}}'
        else:
            number_of = _FIRST_NUMBER + number * REQUESTS_MAX + at
            kind, result = _result(call, custom_id, params, number_of)
        results.counts[kind] += 1
        line = f'{{"custom_id":"{custom_id}","result":{result}}}\n'.encode("ascii")
        results.size += len(line)
        results.lines.append(line)


def _result(call: Call, custom_id: str, params: Mapping[str, Any], number: int) -> tuple[str, str]:
    body = json.dumps(params).encode("ascii")
    answer, _ = answer_message(
        call._replace(
            body=body,
            number=number,
            key=custom_id,
            occurrence=1,
            attempt=1,
            model=None,
            tokens=call.uncharged_tokens(),
        )
    )
    if answer.error is None:
        return "succeeded", f'{{"type":"succeeded","message":{answer.body.decode("ascii")}}}'
    said = ANTHROPIC.error_object(answer.status, answer.error)
    error = json.dumps({"type": "error", "error": said, "request_id": f"req_{number:06d}"})
    return "errored", f'{{"type":"errored","error":{error}}}'
