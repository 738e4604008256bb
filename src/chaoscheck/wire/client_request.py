"""Requests out: the head by hand, held to the grammar that httpx's own pool enforces (h11's).

A head that could be read differently by two servers is never sent: names are tokens, values hold
no line break, the body's length is told exactly once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["IllegalRequest", "RequestHead", "chunk_of", "encode_head"]

LAST_CHUNK = b"0\r\n\r\n"

_TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_TARGET = re.compile(rb"[\x21-\x7e]+")
# All values at once, one to a line: no line break or NUL inside, no blank around.
_VALUES = re.compile(rb"(?:(?:[^\x00\s]+(?:[ \t]+[^\x00\s]+)*)?\n)*")
_LENGTH = re.compile(rb"[0-9]{1,20}")

_KNOWN_NAMES = {
    name: name.lower()
    for name in (
        b"Host", b"Accept", b"Accept-Encoding", b"Connection", b"User-Agent", b"Content-Length",
        b"Content-Type", b"Authorization", b"Cookie", b"Idempotency-Key", b"Transfer-Encoding",
    )
}  # fmt: skip
_KNOWN_NAMES |= {name: name for name in _KNOWN_NAMES.values()}

Header = tuple[bytes, bytes]


class IllegalRequest(Exception):
    """This request cannot be written as HTTP/1.1; the message says why."""


@dataclass(slots=True, kw_only=True)
class RequestHead:
    """A request's head. ``length`` is its body's in bytes, None when it goes out in chunks."""

    data: bytes
    length: int | None
    closes: bool
    offers_upgrade: bool


def encode_head(method: bytes, target: bytes, headers: list[Header]) -> RequestHead:
    """The bytes of a head, Host first. IllegalRequest for what HTTP/1.1 cannot say."""
    if not _TOKEN.fullmatch(method):
        raise IllegalRequest("Illegal method characters")
    if not _TARGET.fullmatch(target):
        raise IllegalRequest("Illegal target characters")
    names = [_KNOWN_NAMES.get(name) or _lowered(name) for name, _ in headers]
    _require_legal_values([value for _, value in headers])
    if names.count(b"host") != 1:
        raise IllegalRequest("exactly one Host: header must be given")
    length = None if b"transfer-encoding" in names else 0
    if length is None:
        _require_chunked(_values(headers, names, b"transfer-encoding"))
    if b"content-length" in names:
        said = _values(headers, names, b"content-length")
        agreed = _agreed_length(said)
        length = length if length is None else int(agreed)
        if said != [agreed]:
            headers, names = _say_length_once(headers, names, agreed)
    if names[0] != b"host":
        at = names.index(b"host")
        headers = [headers[at], *headers[:at], *headers[at + 1 :]]
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    lines += [b"%b: %b" % header for header in headers]
    return RequestHead(
        data=b"\r\n".join(lines) + b"\r\n\r\n",
        length=length,
        closes=b"connection" in names and b"close" in _listed(headers, names, b"connection"),
        offers_upgrade=b"upgrade" in names and bool(_listed(headers, names, b"upgrade")),
    )


def chunk_of(data: bytes) -> bytes:
    """``data`` as one chunk; it must not be empty, for that would be the last chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _lowered(name: bytes) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise IllegalRequest(f"Illegal header name {name!r}")
    return name.lower()


def _require_legal_values(values: list[bytes]) -> None:
    joined = b"\n".join(values) + b"\n"
    if joined.count(b"\n") != len(values) or not _VALUES.fullmatch(joined):
        raise IllegalRequest("Illegal header value")


def _values(headers: list[Header], names: list[bytes], wanted: bytes) -> list[bytes]:
    return [headers[index][1] for index, name in enumerate(names) if name == wanted]


def _listed(headers: list[Header], names: list[bytes], wanted: bytes) -> list[bytes]:
    listed = b",".join(_values(headers, names, wanted)).lower().split(b",")
    return [found for each in listed if (found := each.strip())]


def _require_chunked(values: list[bytes]) -> None:
    if [value.lower() for value in values] != [b"chunked"]:
        raise IllegalRequest(f"only Transfer-Encoding: chunked is supported, got {values!r}")


def _agreed_length(values: list[bytes]) -> bytes:
    lengths = {length.strip() for value in values for length in value.split(b",")}
    length = lengths.pop()
    if lengths:
        raise IllegalRequest(f"conflicting Content-Length headers: {values!r}")
    if not _LENGTH.fullmatch(length):
        raise IllegalRequest(f"bad Content-Length: {length!r}")
    return length


def _say_length_once(
    headers: list[Header], names: list[bytes], length: bytes
) -> tuple[list[Header], list[bytes]]:
    first = names.index(b"content-length")
    kept = [i for i, name in enumerate(names) if name != b"content-length" or i == first]
    once = [(headers[i][0], length) if i == first else headers[i] for i in kept]
    return once, [names[i] for i in kept]
