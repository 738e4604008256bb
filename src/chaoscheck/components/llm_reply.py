"""Is this a good chat completion? A pure check of status, headers and body.

A reply either yields its content or raises a QueryError whose ``reason`` names exactly one
defect. The status decides alone whether another attempt may help; a complete 200 with a
defective body is permanent, because the same request would be paid for and fail again.
The shape is OpenAI's chat completion object, which OpenRouter and Azure share.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, TypeVar

from chaoscheck.components.query import FailureKind, QueryError
from chaoscheck.components.retry_after import retry_after_s
from chaoscheck.world import ambient

__all__ = ["LlmReply", "read_reply", "status_failure"]

F = TypeVar("F")

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
_NAMES: Mapping[type, str] = {dict: "an object", list: "an array", str: "a string", int: "a number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmReply:
    """A good reply: ``content`` exactly as sent, ``usage`` token counts by name (may be empty)."""

    content: str
    model: str
    usage: Mapping[str, int]


class _NotANumber(Exception):
    """JSON held NaN, an infinity, or a number too large for a float."""


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
    failure = status_failure(status)
    if failure is None:
        return _Completion(status).read(body)
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
        self.status = status

    def read(self, body: bytes) -> LlmReply:
        top = self._typed(self._parsed(body), dict, "the body")
        choices = self._field(top, "choices", list, "choices")
        if not choices:
            self._refuse("empty_choices", "choices is empty")
        choice = self._typed(choices[0], dict, "choices[0]")
        self._check_finish(self._field(choice, "finish_reason", str, "choices[0].finish_reason"))
        message = self._field(choice, "message", dict, "choices[0].message")
        return LlmReply(
            content=self._content(message),
            model=self._field(top, "model", str, "model"),
            usage=self._usage(top),
        )

    def _parsed(self, body: bytes) -> object:
        try:
            return json.loads(
                body.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
            )
        except _NotANumber as error:
            self._refuse("not_a_number", f"the body holds {error}")
        except (ValueError, RecursionError) as error:
            self._refuse("invalid_json", f"the body is not JSON: {error}")

    def _check_finish(self, finish: str) -> None:
        # First of all, since a cut or filtered answer may well have no content at all.
        if finish != "stop":
            reason = _FINISH_FAILURES.get(finish, "unknown_finish_reason")
            self._refuse(reason, f"finish_reason must be 'stop', got {finish!r:.40}")

    def _content(self, message: dict[str, object]) -> str:
        if message.get("content", "") is None:
            self._refuse("null_content", "choices[0].message.content is null")
        content = self._field(message, "content", str, "choices[0].message.content")
        if not content.strip():
            self._refuse("blank_content", f"the content is blank: {content!r}")
        return content

    def _usage(self, top: dict[str, object]) -> dict[str, int]:
        if top.get("usage") is None:
            return {}
        usage = self._field(top, "usage", dict, "usage")
        counts = {name: self._field(usage, name, int, f"usage.{name}") for name in _TOKEN_COUNTS}
        for name, count in counts.items():
            if count < 0:
                self._refuse("mistyped_field", f"usage.{name} must be >= 0, got {count}")
        return counts

    def _field(self, holder: dict[str, object], name: str, kind: type[F], path: str) -> F:
        if name not in holder:
            self._refuse("missing_field", f"{path} is missing")
        return self._typed(holder[name], kind, path)

    def _typed(self, value: object, kind: type[F], path: str) -> F:
        if not isinstance(value, kind) or isinstance(value, bool):
            self._refuse(
                "mistyped_field", f"{path} must be {_NAMES[kind]}, got {type(value).__name__}"
            )
        return value

    def _refuse(self, reason: str, message: str) -> NoReturn:
        raise QueryError(
            message,
            kind="permanent",
            reason=reason,
            error_type="reply_error",
            status_code=self.status,
        ) from None


def _refuse_constant(name: str) -> NoReturn:
    raise _NotANumber(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotANumber(text[:40])
    return number
