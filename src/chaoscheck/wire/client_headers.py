"""Headers as a client of HTTP/1.1 must understand them: what frames a body, what closes."""

from __future__ import annotations

import re

__all__ = [
    "TOKEN",
    "Header",
    "ProtocolViolation",
    "agree_on_length",
    "items_of",
    "lower_names",
    "lower_tokens",
    "require_chunked",
    "values_of",
]

Header = tuple[bytes, bytes]

TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")  # RFC 9110, 5.6.2

_LENGTH_DIGITS_MAX = 20  # a billion terabytes
_KNOWN_NAMES = {
    name: name.lower()
    for name in (
        b"Host", b"Accept", b"Accept-Encoding", b"Authorization", b"Connection", b"Content-Length",
        b"Content-Type", b"Cookie", b"Date", b"Idempotency-Key", b"Retry-After", b"Server",
        b"Transfer-Encoding", b"User-Agent", b"X-Request-Id",
    )
}  # fmt: skip
_KNOWN_NAMES |= {name: name for name in _KNOWN_NAMES.values()}


class ProtocolViolation(Exception):
    """HTTP/1.1 does not allow what was said, or was to be said; the message says what."""


def lower_names(headers: list[Header]) -> list[bytes]:
    """The headers' names in lower case, in order."""
    return [_KNOWN_NAMES.get(name) or name.lower() for name, _ in headers]


def lower_tokens(headers: list[Header]) -> list[bytes]:
    """The same of names that nobody has looked at; ProtocolViolation for one that is no token."""
    return [_KNOWN_NAMES.get(name) or _lowered(name) for name, _ in headers]


def _lowered(name: bytes) -> bytes:
    if not TOKEN.fullmatch(name):
        raise ProtocolViolation(f"illegal header name: {name[:100]!r}")
    return name.lower()


def values_of(name: bytes, headers: list[Header], names: list[bytes]) -> list[bytes]:
    """The values of every header with this name; ``names`` are those of ``headers``."""
    return [headers[index][1] for index, each in enumerate(names) if each == name]


def items_of(name: bytes, headers: list[Header], names: list[bytes]) -> list[bytes]:
    """The items of a header that holds a comma-separated list, in lower case."""
    listed = b",".join(values_of(name, headers, names)).lower().split(b",")
    return [item for each in listed if (item := each.strip())]


def require_chunked(headers: list[Header], names: list[bytes]) -> None:
    """ProtocolViolation for any transfer coding but one ``chunked``; left there in lower case."""
    values = values_of(b"transfer-encoding", headers, names)
    if [value.lower() for value in values] != [b"chunked"]:
        raise ProtocolViolation(f"only Transfer-Encoding: chunked is supported, got {values!r}")
    index = names.index(b"transfer-encoding")
    headers[index] = (headers[index][0], b"chunked")


def agree_on_length(headers: list[Header], names: list[bytes]) -> int:
    """The one content-length of ``headers``; said more than once, it is left there once.

    Raises ProtocolViolation when two differ, or for a length that is no number of ≤ 20 digits.
    """
    values = values_of(b"content-length", headers, names)
    if len(values) == 1 and values[0].isdigit() and len(values[0]) <= _LENGTH_DIGITS_MAX:
        return int(values[0])
    lengths = {length.strip() for value in values for length in value.split(b",")}
    length = lengths.pop()
    if lengths:
        raise ProtocolViolation(f"conflicting Content-Length headers: {values!r}")
    if not length.isdigit() or len(length) > _LENGTH_DIGITS_MAX:
        raise ProtocolViolation(f"bad Content-Length: {length[:100]!r}")
    if values != [length]:
        first = names.index(b"content-length")
        headers[first] = (headers[first][0], length)
        for index in range(len(names) - 1, first, -1):
            if names[index] == b"content-length":
                del headers[index], names[index]
    return int(length)
