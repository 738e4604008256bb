"""Requests out: the head by hand, held to the grammar that httpx's own pool enforces (h11's).

A head that could be read differently by two servers is never sent: names are tokens, values hold
no line break, the body's length is told exactly once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chaoscheck.wire.client_headers import (
    TOKEN,
    Header,
    ProtocolViolation,
    agree_on_length,
    items_of,
    lower_tokens,
    require_chunked,
)

__all__ = ["LAST_CHUNK", "RequestHead", "chunk_of", "encode_head"]

LAST_CHUNK = b"0\r\n\r\n"

_TARGET = re.compile(rb"[\x21-\x7e]+")
# All values at once, one to a line: that is cheaper than one by one.
_VALUES = re.compile(rb"(?:(?:[^\x00\s]+(?:[ \t]+[^\x00\s]+)*)?\n)*")


@dataclass(slots=True, kw_only=True)
class RequestHead:
    """A request's head. ``length`` is its body's in bytes, None when it goes out in chunks."""

    data: bytes
    length: int | None
    closes: bool
    offers_upgrade: bool


def encode_head(method: bytes, target: bytes, raw_headers: list[Header]) -> RequestHead:
    """The bytes of a head, Host first. ProtocolViolation for what HTTP/1.1 cannot say."""
    if not TOKEN.fullmatch(method):
        raise ProtocolViolation(f"illegal method: {method!r}")
    if not _TARGET.fullmatch(target):
        raise ProtocolViolation(f"illegal target: {target!r}")
    headers = list(raw_headers)
    names = lower_tokens(headers)
    _require_legal([value for _, value in headers])
    if names.count(b"host") != 1:
        raise ProtocolViolation(f"exactly one Host header must be given, not {headers!r}")
    length: int | None = 0
    if b"content-length" in names:
        length = agree_on_length(headers, names)
    if b"transfer-encoding" in names:
        require_chunked(headers, names)
        length = None
    closes = b"connection" in names and b"close" in items_of(b"connection", headers, names)
    offers_upgrade = b"upgrade" in names and bool(items_of(b"upgrade", headers, names))
    if names[0] != b"host":
        headers.insert(0, headers.pop(names.index(b"host")))
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    lines += [b"%b: %b" % header for header in headers]
    data = b"\r\n".join(lines) + b"\r\n\r\n"
    return RequestHead(data=data, length=length, closes=closes, offers_upgrade=offers_upgrade)


def chunk_of(data: bytes) -> bytes:
    """``data`` as one chunk; it must not be empty, for that would be the last chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _require_legal(values: list[bytes]) -> None:
    joined = b"\n".join(values) + b"\n"
    if joined.count(b"\n") != len(values) or not _VALUES.fullmatch(joined):
        wrong = [each for each in values if b"\n" in each or not _VALUES.fullmatch(each + b"\n")]
        raise ProtocolViolation(f"illegal header value: {b', '.join(wrong)[:100]!r}")
