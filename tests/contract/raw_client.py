"""A raw HTTP client that reports what really came over the wire, and how it ended."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

import trio

__all__ = ["RawClient", "Seen", "chat_request", "whole"]

HowItEnded = Literal["whole", "eof", "reset", "silence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One answer as bytes: ``ended`` is ``whole`` once all that its head promised was there."""

    head: bytes
    body: bytes
    ended: HowItEnded

    @property
    def status(self) -> int | None:
        """The status as far as the head was sent, None without a status line."""
        return int(self.head.split()[1]) if self.head else None

    def header(self, name: str) -> str | None:
        """A header's value, None without it."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key == name:
                return value
        return None


def chat_request(
    text: str = "hello",
    *,
    path: str = "/v1/chat/completions",
    headers: str = "",
    streamed: bool = False,
    tools: Sequence[object] = (),
) -> bytes:
    """A whole request; ``headers`` are further lines, each with its CRLF."""
    asked: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": text}]}
    if streamed:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    if tools:
        asked["tools"] = tools
    body = json.dumps(asked).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


class RawClient:
    """One connection: send bytes, then look at the answers one by one."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._data = b""

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, host: str, port: int) -> AsyncIterator[RawClient]:
        """A client whose connection lasts as long as the block."""
        async with await trio.open_tcp_stream(host, port) as stream:
            yield cls(stream)

    async def look(self, *, patience_s: float = 4.0) -> Seen:
        """Read one answer, until it is whole or nothing more comes for ``patience_s``."""
        ended: HowItEnded | None = None
        while ended is None and _length(self._data) is None:
            ended = await self._read(patience_s)
        length = _length(self._data)
        seen, self._data = (self._data, b"") if length is None else _split(self._data, length)
        head, _, body = seen.partition(b"\r\n\r\n")
        return Seen(head=head, body=body, ended=ended or "whole")

    async def _read(self, patience_s: float) -> HowItEnded | None:
        more: bytes | None = None
        try:
            with trio.move_on_after(patience_s):
                more = await self.stream.receive_some()
        except trio.BrokenResourceError:
            return "reset"
        if not more:
            return "silence" if more is None else "eof"
        self._data += more
        return None


def whole(data: bytes) -> bool:
    """Whether ``data`` holds a whole answer."""
    return _length(data) is not None


def _split(data: bytes, length: int) -> tuple[bytes, bytes]:
    return data[:length], data[length:]


def _length(data: bytes) -> int | None:
    """How many bytes of ``data`` are its first whole answer; None while there is none."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return None
    lines = head.lower().split(b"\r\n")
    if b"transfer-encoding: chunked" in lines:
        length = _chunked_length(body)
    else:
        promised = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        length = promised[0] if promised and len(body) >= promised[0] else None
    return None if length is None else len(head) + len(end) + length


def _chunked_length(body: bytes) -> int | None:
    """The length of a whole chunked body; None while it is not whole, or if it never will be."""
    at = 0
    while True:
        line, end, _ = body[at:].partition(b"\r\n")
        if not end or not re.fullmatch(rb"[0-9a-f]+", line):
            return None
        at += len(line) + 2 + int(line, 16) + 2
        if len(body) < at:
            return None
        if int(line, 16) == 0:
            return at
