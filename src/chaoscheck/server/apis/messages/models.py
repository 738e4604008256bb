"""Anthropic's models: the list page by page, and one by its id or its undated alias.

The list is short and fixed; a message may name any model all the same.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs

from chaoscheck.plan.answer import Answer, ApiError, Shape
from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_anthropic_model", "answer_anthropic_models"]


LIST_SHAPE = Shape(items=("data",), content=("data", 0, "id"), number=("data", 0, "max_tokens"))
MODEL_SHAPE = Shape(content=("id",), number=("max_tokens",))

_PAGE_LIMIT = 20  # what a list without a limit holds
_PAGE_LIMIT_MAX = 1000
_DATE = re.compile(r"-\d{8}$")


def _model(name: str, display_name: str, released: str, line: str, max_tokens: int) -> str:
    return json.dumps(
        {
            "type": "model",
            "id": name,
            "display_name": display_name,
            "created_at": f"{released}T00:00:00Z",
            "lifecycle": "active",
            "line": line,
            "max_input_tokens": 200_000,
            "max_tokens": max_tokens,
        },
        separators=(",", ":"),
    )


_HAIKU, _SONNET, _OPUS = (
    "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5-20250929",
    "claude-opus-4-1-20250805",
)
# The newest first.
_MODELS = {
    _HAIKU: _model(_HAIKU, "Claude Haiku 4.5", "2025-10-15", "haiku", 64_000),
    _SONNET: _model(_SONNET, "Claude Sonnet 4.5", "2025-09-29", "sonnet", 64_000),
    _OPUS: _model(_OPUS, "Claude Opus 4.1", "2025-08-05", "opus", 32_000),
}
_ALIASES = {_DATE.sub("", name): name for name in _MODELS}


def answer_anthropic_models(call: Call) -> Answered:
    """One page of the list: ``limit``, ``after_id`` and ``before_id`` choose it; 400 if bad."""
    query = parse_qs(call.query, keep_blank_values=True)
    try:
        names, more = _page(query)
    except BadRequest as bad:
        return Answer(status=400, error=bad.error), None
    first, last = (json.dumps(names[at]) if names else "null" for at in (0, -1))
    body = (
        f'{{"data":[{",".join([_MODELS[name] for name in names])}],'
        f'"has_more":{"true" if more else "false"},"first_id":{first},"last_id":{last}}}'
    )
    shape = LIST_SHAPE if names else None
    return Answer(status=200, headers=(JSON_TYPE,), body=body.encode("ascii"), shape=shape), None


def _page(query: dict[str, list[str]]) -> tuple[list[str], bool]:
    limit = _limit(query)
    names = list(_MODELS)
    after = _cursor(query, "after_id")
    before = _cursor(query, "before_id")
    if after is not None and before is not None:
        raise BadRequest("Only one of `before_id` and `after_id` may be set")
    if before is not None:
        left = names[: names.index(before)]
        return left[-limit:], len(left) > limit
    left = names if after is None else names[names.index(after) + 1 :]
    return left[:limit], len(left) > limit


def _limit(query: dict[str, list[str]]) -> int:
    text = query.get("limit", [str(_PAGE_LIMIT)])[-1]
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise BadRequest("limit: Input should be a valid integer", "limit")
    if int(text) < 1:
        raise BadRequest("limit: Input should be greater than or equal to 1", "limit")
    if int(text) > _PAGE_LIMIT_MAX:
        raise BadRequest(f"limit: Input should be less than or equal to {_PAGE_LIMIT_MAX}", "limit")
    return int(text)


def _cursor(query: dict[str, list[str]], name: str) -> str | None:
    given = query.get(name)
    if given is None:
        return None
    if given[-1] not in _MODELS:
        raise BadRequest(f"{name}: no model has the id {given[-1][:200]!r}", name)
    return given[-1]


def answer_anthropic_model(call: Call) -> Answered:
    """The model that the path names; 404 if there is none."""
    asked = call.model or ""
    body = _MODELS.get(_ALIASES.get(asked, asked))
    if body is None:
        error = ApiError(message=f"model: {asked[:200]}", type="not_found_error")
        return Answer(status=404, error=error), None
    headers = (JSON_TYPE,)
    return Answer(status=200, headers=headers, body=body.encode("ascii"), shape=MODEL_SHAPE), None
