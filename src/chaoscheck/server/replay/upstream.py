"""Record: each request goes to a real provider, and the exchange into a recording.

An answer is read whole before the client gets it: so faults apply to it as to any other, and the
recording has the provider's timing, not the client's. What the upstream does wrong is recorded as
what it is; the client reads its provider's 502, or a stream that is cut at the same event.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import httpx
import trio

from chaoscheck.errors import PlanError
from chaoscheck.server.apis.routes import path_of
from chaoscheck.server.replay.recorded_answer import answer_of
from chaoscheck.server.replay.recorded_exchange import (
    DELAY_MAX_S,
    Ended,
    RecordedExchange,
    TimedBytes,
    kept_headers,
    kept_target,
    request_digest,
    without_secrets,
)
from chaoscheck.server.replay.recording_file import RecordingFile
from chaoscheck.server.replay.source import Fetched
from chaoscheck.wire.request_codec import Request

__all__ = ["ANSWER_BYTES_MAX", "TIMEOUT_S", "Upstream", "require_upstream"]

ANSWER_BYTES_MAX = 16 * 2**20  # of one answer: as large as the largest request
TIMEOUT_S = 600.0  # between two bytes of the upstream, as long as the providers' own SDKs wait
_CONNECT_TIMEOUT_S = 10.0

# What belongs to a connection and not to the request (RFC 9110, 7.6.1), what httpx writes itself,
# and what is for us. Without a coding an answer can be looked into as it is.
_NOT_FORWARDED = frozenset(
    b"connection keep-alive te trailer transfer-encoding upgrade proxy-connection host expect "
    b"content-length accept-encoding x-chaos-key x-chaos-token".split()
)
_STREAMS = {
    "text/event-stream": re.compile(rb"\r\n\r\n|\n\n|\r\r"),
    "application/x-ndjson": re.compile(rb"\n"),
}


def require_upstream(url: str) -> str:
    """The URL without its last slash; PlanError unless requests can be sent to it."""
    try:
        parts = urlsplit(url)
        legal = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        legal = False
    if not legal or any(not 0x20 < ord(letter) < 0x7F for letter in url):
        raise PlanError(f"--upstream must be http://HOST or https://HOST, got {url[:100]!r}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise PlanError("--upstream must have no user, password, query or fragment")
    return url.rstrip("/")


class Upstream:
    """The provider at ``url``, whose exchanges go into ``file``.

    It waits at most ``timeout_s`` seconds for each piece of an answer. PlanError for a URL that
    is none. Close it with ``aclose``, and the file after it.
    """

    def __init__(self, url: str, file: RecordingFile, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = require_upstream(url)
        self._file = file
        secure = self._url.startswith("https:")
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, connect=min(_CONNECT_TIMEOUT_S, timeout_s)),
            verify=secure,  # reading the CA bundle takes 20 ms
            trust_env=secure,  # plain HTTP is for servers of one's own, behind no proxy
        )

    async def aclose(self) -> None:
        """Close the connections to the upstream."""
        await self._client.aclose()

    def reset(self) -> None:
        """A recording goes on."""

    async def fetch(self, request: Request) -> Fetched:
        """What the upstream answers; the exchange is recorded without the request's secrets."""
        path, query = path_of(request.target), request.target.partition("?")[2]
        exchange = RecordedExchange(
            request=request_digest(request.method, path, query, request.body),
            method=request.method,
            target=kept_target(path, query),
        )
        try:
            exchange = await self._asked(request, exchange)
        except httpx.TimeoutException:
            exchange = dataclasses.replace(exchange, ended="timed_out")
        except httpx.ConnectError:
            exchange = dataclasses.replace(exchange, ended="refused")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, _TooLong):
            exchange = dataclasses.replace(exchange, ended="unusable")
        if request.method != "HEAD":
            self._file.add(without_secrets(exchange, request.headers, query))
        return Fetched(answer_of(exchange, timed=False))

    async def _asked(self, request: Request, exchange: RecordedExchange) -> RecordedExchange:
        target = request.target
        if not target.startswith("/"):  # the absolute form, which proxies get
            target = "/" + target.partition("://")[2].partition("/")[2]
        sent = self._client.build_request(
            request.method,
            self._url + target,
            headers=_forwarded(request.headers),
            content=request.body or None,
        )
        began_at_s = trio.current_time()
        response = await self._client.send(sent, stream=True)
        try:
            exchange = dataclasses.replace(
                exchange,
                status=response.status_code,
                headers=kept_headers(response.headers.multi_items()),
            )
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            separator = _STREAMS.get(kind)
            if separator is not None:
                return await _read_stream(response, exchange, separator, began_at_s)
            body = b"".join([piece async for piece in _pieces(response)])
            took_s = min(trio.current_time() - began_at_s, DELAY_MAX_S)
            return dataclasses.replace(exchange, body=body, delay_s=took_s)
        finally:
            with contextlib.suppress(httpx.HTTPError):
                await response.aclose()


class _TooLong(Exception):
    """An answer is longer than a recording takes."""


def _forwarded(headers: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in headers.items() if name not in _NOT_FORWARDED]
    return [*kept, (b"accept-encoding", b"identity")]


async def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """The pieces of an answer's body as they come; _TooLong for too many bytes."""
    length = 0
    async for piece in response.aiter_bytes():
        length += len(piece)
        if length > ANSWER_BYTES_MAX:
            raise _TooLong
        yield piece


async def _read_stream(
    response: httpx.Response,
    exchange: RecordedExchange,
    separator: re.Pattern[bytes],
    began_at_s: float,
) -> RecordedExchange:
    """The stream's events, each with the seconds since the one before it."""
    events: list[TimedBytes] = []
    rest = b""
    ended: Ended = "complete"
    last_at_s = began_at_s
    try:
        async for piece in _pieces(response):
            rest += piece
            at = 0
            for found in separator.finditer(rest):
                now_s = trio.current_time()
                events.append(
                    TimedBytes(min(now_s - last_at_s, DELAY_MAX_S), rest[at : found.end()])
                )
                last_at_s, at = now_s, found.end()
            rest = rest[at:]
    except (httpx.HTTPError, httpx.StreamError):
        ended = "cut"
    if rest:
        now_s = trio.current_time()
        events.append(TimedBytes(min(now_s - last_at_s, DELAY_MAX_S), rest))
    return dataclasses.replace(exchange, streamed=True, events=tuple(events), ended=ended)
