"""HTTP/1.1 answers out: a head by hand, deterministic, without a date."""

from __future__ import annotations

from http import HTTPStatus

from chaoscheck.errors import PlanError

__all__ = ["reason_phrase", "response_head"]

# Statuses that providers use and RFC 9110 does not know.
_OWN_PHRASES = {529: "Overloaded"}

_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {phrase}\r\n"
    for status, phrase in [(known.value, known.phrase) for known in HTTPStatus]
    + list(_OWN_PHRASES.items())
}


def reason_phrase(status: int) -> str:
    """The usual phrase of ``status``; empty for one that nobody named."""
    return _status_line(status)[len("HTTP/1.1 429 ") : -2]


def response_head(
    status: int, headers: tuple[tuple[str, str], ...], body_bytes: int, *, connection: str = ""
) -> bytes:
    """Status line and headers with the empty line, ready for ``body_bytes`` bytes of body.

    ``connection`` is the value of that header, left out when empty. PlanError for a header that
    cannot be written: a line break in it, or a character beyond Latin-1.
    """
    lines = [_status_line(status)]
    lines += [f"{name}: {value}\r\n" for name, value in headers]
    if connection:
        lines.append(f"connection: {connection}\r\n")
    text = f"{''.join(lines)}content-length: {body_bytes}\r\n\r\n"
    if text.count("\n") != len(lines) + 2 or text.count("\r") != len(lines) + 2:
        raise PlanError(f"a header must not hold a line break, got {headers!r}")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise PlanError(f"a header must be Latin-1, got {headers!r}") from error


def _status_line(status: int) -> str:
    if not 100 <= status <= 999:
        raise PlanError(f"a status must be in [100, 999], got {status!r}")
    return _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
