"""Is this a good chat completion? A pure check of status, headers and body.

A reply either yields its content or raises a QueryError whose ``reason`` names exactly one
defect. The status decides alone whether another attempt may help; a complete 200 with a
defective body is permanent, because the same request would be paid for and fail again.
The shape is OpenAI's chat completion object, which OpenRouter and Azure share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from chaoscheck.components.query import FailureKind, QueryError
from chaoscheck.components.reply_json import ReplyJson
from chaoscheck.components.retry_after import retry_after_s
from chaoscheck.world import ambient

__all__ = [
    "LlmReply",
    "read_reply",
    "require_stop",
    "require_success",
    "require_text",
    "status_failure",
    "usage_of",
]

_STATUS_FAILURES: Mapping[int, tuple[FailureKind, str]] = {
    408: ("transient", "request_timeout"),
    409: ("transient", "conflict"),
    425: ("transient", "too_early"),
    429: ("capacity", "rate_limited"),
    503: ("capacity", "unavailable"),
    529: ("capacity", "overloaded"),
}
_FINISH_FAILURES: Mapping[str, str] = {
    "length": "response_truncated",
    "content_filter": "content_filtered",
}
_TOKEN_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmReply:
    """A good reply: ``content`` exactly as sent, ``usage`` token counts by name (may be empty)."""

    content: str
    model: str
    usage: Mapping[str, int]


def status_failure(status: int) -> tuple[FailureKind, str] | None:
    """The (kind, reason) of a failed ``status``; None for 2xx."""
    if 200 <= status <= 299:
        return None
    if status in _STATUS_FAILURES:
        return _STATUS_FAILURES[status]
    if 500 <= status <= 599:
        return ("transient", "server_error")
    return ("permanent", "client_error" if 400 <= status <= 499 else "unexpected_status")


def read_reply(
    *,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    utc_now: Callable[[], datetime] = ambient.utc_now,
) -> LlmReply:
    """The content of a complete reply. Raise QueryError, whose ``reason`` names the defect."""
    require_success(status, headers, utc_now)
    return _Completion(status).read(headers, body)


def require_success(
    status: int, headers: Mapping[str, str], utc_now: Callable[[], datetime]
) -> None:
    """Raise the QueryError of a failed ``status``, with what its headers ask to wait."""
    failure = status_failure(status)
    if failure is None:
        return
    kind, reason = failure
    raise QueryError(
        f"the server answered {status}",
        kind=kind,
        reason=reason,
        error_type="capacity_error" if kind == "capacity" else "http_error",
        status_code=status,
        retry_after_s=retry_after_s(headers, utc_now=utc_now),
    )


class _Completion:
    """The body of a reply with ``status``; every defect found is refused for good."""

    def __init__(self, status: int) -> None:
        self._json = ReplyJson(status)

    def read(self, headers: Mapping[str, str], body: bytes) -> LlmReply:
        check = self._json
        check.require_content_type(headers, "application/json")
        top = check.typed(check.parsed(body), dict, "the body")
        choices = check.field(top, "choices", list, "choices")
        if not choices:
            check.refuse("empty_choices", "choices is empty")
        choice = check.typed(choices[0], dict, "choices[0]")
        finish = check.field(choice, "finish_reason", str, "choices[0].finish_reason")
        # First of all, since a cut or filtered answer may well have no content at all.
        require_stop(check, finish)
        message = check.field(choice, "message", dict, "choices[0].message")
        return LlmReply(
            content=self._content(message),
            model=check.field(top, "model", str, "model"),
            usage=usage_of(check, top),
        )

    def _content(self, message: dict[str, object]) -> str:
        if message.get("content", "") is None:
            self._json.refuse("null_content", "choices[0].message.content is null")
        content = self._json.field(message, "content", str, "choices[0].message.content")
        return require_text(self._json, content)


def require_stop(check: ReplyJson, finish: str) -> None:
    """Refuse a text that did not come to its own end."""
    if finish != "stop":
        reason = _FINISH_FAILURES.get(finish, "unknown_finish_reason")
        check.refuse(reason, f"finish_reason must be 'stop', got {finish!r:.40}")


def require_text(check: ReplyJson, content: str) -> str:
    """``content``, which must not be blank."""
    if not content.strip():
        check.refuse("blank_content", f"the content is blank: {content!r:.40}")
    return content


def usage_of(check: ReplyJson, top: Mapping[str, object]) -> dict[str, int]:
    """Token counts by name; empty where the reply has none."""
    if top.get("usage") is None:
        return {}
    usage = check.field(top, "usage", dict, "usage")
    counts = {name: check.field(usage, name, int, f"usage.{name}") for name in _TOKEN_COUNTS}
    for name, count in counts.items():
        if count < 0:
            check.refuse("mistyped_field", f"usage.{name} must be >= 0, got {count}")
    return counts
