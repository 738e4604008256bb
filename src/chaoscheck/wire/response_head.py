"""HTTP/1.1 answers out: a head by hand; a date and ids are the caller's ``fresh`` lines."""

from __future__ import annotations

import functools
from http import HTTPStatus

from chaoscheck.errors import PlanError

__all__ = ["Headers", "reason_phrase", "response_head"]

Headers = tuple[tuple[str, str], ...]

# As RFC 9110 has them, whichever Python this is, and one that providers use and no RFC knows.
_OWN_PHRASES = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
    529: "Overloaded",
}

_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {phrase}\r\n"
    for status, phrase in [(known.value, known.phrase) for known in HTTPStatus]
    + list(_OWN_PHRASES.items())
}


def reason_phrase(status: int) -> str:
    """The usual phrase of ``status``; empty for one that nobody named."""
    return _status_line(status)[len("HTTP/1.1 429 ") : -2]


def response_head(
    status: int,
    headers: Headers,
    body_bytes: int | None,
    *,
    fresh: bytes = b"",
    connection: str = "",
) -> bytes:
    """Status line and headers with the empty line, ready for ``body_bytes`` bytes of body.

    ``fresh`` lines, each with its CRLF, follow the headers: those that differ from answer to
    answer, while the rest is rendered once. Without a number of bytes the body comes in chunks.
    ``connection`` is the value of that header, left out when empty. PlanError for a header that
    cannot be written: a line break in it, or a character beyond Latin-1.
    """
    shared = _shared(status, headers, connection)
    if body_bytes is None:
        return b"%b%btransfer-encoding: chunked\r\n\r\n" % (shared, fresh)
    return b"%b%bcontent-length: %d\r\n\r\n" % (shared, fresh, body_bytes)


@functools.lru_cache(maxsize=256)
def _shared(status: int, headers: Headers, connection: str) -> bytes:
    own: Headers = (("connection", connection),) if connection else ()
    return _status_line(status).encode("latin-1") + _lines(headers + own)


def _lines(headers: Headers) -> bytes:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers):
        raise PlanError(f"a header must not hold a line break, got {headers!r}")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise PlanError(f"a header must be Latin-1, got {headers!r}") from error


def _status_line(status: int) -> str:
    if not 100 <= status <= 999:
        raise PlanError(f"a status must be in [100, 999], got {status!r}")
    return _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
