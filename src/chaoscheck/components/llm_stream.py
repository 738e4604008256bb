"""Is this a good streamed chat completion? Server-sent events in, one whole reply out.

The reader takes the complete body, because a row is atomic: nobody gets half an answer. A stream
without ``[DONE]`` was cut, also where HTTP says that it is whole; that is worth another attempt,
as is an error that the provider reports inside the stream. All other defects are permanent.
Line ends, comments and fields follow the WHATWG's specification of server-sent events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NoReturn

from chaoscheck.components.llm_reply import (
    LlmReply,
    require_stop,
    require_success,
    require_text,
    usage_of,
)
from chaoscheck.components.query import QueryError
from chaoscheck.components.reply_json import ReplyJson
from chaoscheck.world import ambient

__all__ = ["event_data", "read_stream"]

_DONE = b"[DONE]"
# Error types inside a stream that say the request itself is wrong: asking again is no use.
_OWN_FAULT = {"invalid_request_error", "authentication_error", "permission_error"}


def event_data(body: bytes) -> Iterator[bytes]:
    """The data of each event of a stream, in order; an event without its empty line is none."""
    data: list[bytes] = []
    lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    for line in lines[:-1]:  # what follows the last line end was cut off within its line
        if not line:
            if data:
                yield b"\n".join(data)
            data = []
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))


def read_stream(
    *,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    utc_now: Callable[[], datetime] = ambient.utc_now,
) -> LlmReply:
    """The content of a complete stream. Raise QueryError, whose ``reason`` names the defect."""
    require_success(status, headers, utc_now)
    reader = _Reader(status)
    reader.check.require_content_type(headers, "text/event-stream")
    for data in event_data(body):
        if data == _DONE:
            return reader.whole()
        reader.take(data)
    return reader.fail_transiently("stream_truncated", "the stream ended without [DONE]")


class _Reader:
    """What was said so far."""

    def __init__(self, status: int) -> None:
        self.check = ReplyJson(status)
        self._pieces: list[str] = []
        self._model = ""
        self._finish: str | None = None
        self._usage: dict[str, int] = {}

    def take(self, data: bytes) -> None:
        """One chunk: a chat.completion.chunk object, or an error in its place."""
        check = self.check
        chunk = check.typed(check.parsed(data, "an event"), dict, "an event")
        if "error" in chunk:
            self._refuse_error(chunk["error"])
        choices = check.field(chunk, "choices", list, "choices")
        self._model = check.field(chunk, "model", str, "model")
        self._usage = usage_of(check, chunk) or self._usage
        if not choices:
            return  # usage comes in a chunk of its own
        choice = check.typed(choices[0], dict, "choices[0]")
        delta = check.field(choice, "delta", dict, "choices[0].delta")
        if delta.get("content") is not None:
            self._pieces.append(check.field(delta, "content", str, "choices[0].delta.content"))
        if choice.get("finish_reason") is not None:
            self._finish = check.field(choice, "finish_reason", str, "choices[0].finish_reason")

    def whole(self) -> LlmReply:
        """The reply, once the stream has ended as it should."""
        if self._finish is None:
            self.check.refuse("missing_field", "no chunk had a finish_reason")
        require_stop(self.check, self._finish)
        content = require_text(self.check, "".join(self._pieces))
        return LlmReply(content=content, model=self._model, usage=self._usage)

    def fail_transiently(self, reason: str, message: str) -> NoReturn:
        """Raise the QueryError of a stream that another attempt may mend."""
        raise QueryError(
            message,
            kind="transient",
            reason=reason,
            error_type="stream_error",
            status_code=self.check.status,
        )

    def _refuse_error(self, error: object) -> NoReturn:
        kind = error.get("type") if isinstance(error, dict) else None
        if kind in _OWN_FAULT:
            self.check.refuse("stream_error", f"the stream reports an error of type {kind}")
        self.fail_transiently("stream_error", "the stream reports an error")
