"""From an answer to bytes: the head by hand, the body whole or as a stream in chunks.

A client that speaks HTTP/1.0 knows no chunks: for it a stream lasts until the connection ends.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from functools import partial

from chaoscheck.plan.answer import Answer, Parts
from chaoscheck.plan.delivery import Act, Close, Frame, Wire
from chaoscheck.plan.fault_kinds.retry_after_fault import http_date
from chaoscheck.server.providers import Headers, Provider
from chaoscheck.server.rate_headers import LAST_INSTANT_S, instant_of, rate_headers
from chaoscheck.wire.request_codec import Request
from chaoscheck.wire.response_head import response_head

__all__ = ["cut_short", "date_line", "ends_with_connection", "is_plain", "plain_head", "rendered"]

_CHUNKED = b"transfer-encoding: chunked\r\n"
_UNTIL_CLOSED = b""
_NO_LENGTH = b"content-length: 0\r\n"
_LAST_CHUNK = Frame(b"0\r\n\r\n")


def rendered(answer: Answer, headers: Headers, fresh: bytes, request: Request | None) -> Wire:
    """``answer`` as it goes onto the wire for ``request``.

    ``headers`` follow the answer's own; ``fresh`` lines come last and differ from request to
    request. Without a request, since that was not understood, the connection ends behind it.
    """
    if request is None or not request.keep_alive:
        connection = "close"
    else:
        connection = "keep-alive" if request.version == "1.0" else ""
    length = None if answer.streamed or answer.parts is not None else len(answer.body)
    told = answer.headers + headers
    head = response_head(answer.status, told, length, fresh=fresh, connection=connection)
    if answer.status == 204:  # It has no body, and so no length (RFC 9110, 8.6).
        return Wire(head=head.replace(_NO_LENGTH, b""), frames=())
    if request is not None and request.method == "HEAD":
        return Wire(head=head, frames=())
    if answer.parts is not None:
        bare = request is not None and ends_with_connection(answer, request)
        return Wire(
            head=head.replace(_CHUNKED, _UNTIL_CLOSED) if bare else head,
            frames=(),
            parts=answer.parts.make if bare else partial(_chunks_of, answer.parts),
            parts_delay_s=answer.delay_s,
        )
    if not answer.streamed:
        return Wire(head=head, frames=(Frame(answer.body, answer.delay_s),))
    if request is not None and ends_with_connection(answer, request):
        frames = [Frame(data, late_s) for _, data, late_s in answer.events]
        return Wire(head=head.replace(_CHUNKED, _UNTIL_CLOSED), frames=tuple(frames))
    chunks = [
        Frame(b"%x\r\n%b\r\n" % (len(data), data), late_s) for _, data, late_s in answer.events
    ]
    return Wire(head=head, frames=(*chunks, _LAST_CHUNK), chunked=True)


def cut_short(wire: Wire) -> tuple[Act, ...]:
    """All of a stream but its end: then the connection is closed."""
    last = len(_LAST_CHUNK.data) if wire.chunked else 0
    return (*wire.until(len(wire.body) - last), Close())


def is_plain(answer: Answer, provider: Provider, request: Request) -> bool:
    """Whether this is the answer of nearly every request: good, whole, at once, kept alive."""
    return (
        answer.error is None
        and provider.gateway_id_header is None
        and not answer.streamed
        and answer.parts is None
        and answer.delay_s == 0
        and request.keep_alive
        and request.version == "1.1"
        and request.method != "HEAD"
    )


def plain_head(
    answer: Answer, provider: Provider, request_id: str, at_s: float, *, worded: bool = False
) -> bytes:
    """The head of a plain answer that no limit counts: what ``rendered`` writes, in less time.

    A ``worded`` answer bears its provider's headers already.
    """
    instant = instant_of(provider.name, at_s)
    return b"%b%b%bcontent-length: %d\r\n\r\n" % (
        _plain_start(provider, answer.status, answer.headers, instant, worded),
        _date_line(int(at_s)),
        provider.request_id_line(request_id),
        len(answer.body),
    )


@functools.lru_cache(maxsize=256)
def _plain_start(
    provider: Provider, status: int, headers: Headers, at_s: int, worded: bool
) -> bytes:
    common = () if worded else provider.headers
    told = headers + common + rate_headers(provider.name, None, at_s, status=status)
    head = response_head(status, told, 0)
    return head[: -len(b"content-length: 0\r\n\r\n")]


def date_line(at_s: float) -> bytes:
    """The line ``Date`` (RFC 9110, 6.6.1) of an answer at so many seconds since the Unix epoch."""
    return _date_line(int(at_s))


@functools.lru_cache(maxsize=8)
def _date_line(at_s: int) -> bytes:
    # Cached, so a busy server writes it once a second.
    return f"date: {http_date(min(at_s, LAST_INSTANT_S))}\r\n".encode("ascii")


def ends_with_connection(answer: Answer, request: Request) -> bool:
    """Whether the end of the connection is what ends this answer."""
    return request.version == "1.0" and (answer.streamed or answer.parts is not None)


def _chunks_of(parts: Parts) -> Iterator[bytes]:
    for part in parts.make():
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield _LAST_CHUNK.data
