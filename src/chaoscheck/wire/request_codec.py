"""HTTP/1.1 requests in: bytes to whole requests, in order, within bounds.

httptools (llhttp) parses; this class collects what it reports. A request is handed out once its
body is complete. What cannot be understood or is too large becomes a ``Refusal``, after which
the connection can only be closed, because where the next request would begin is unknown.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import httptools

from chaoscheck.errors import PlanError

__all__ = ["CONTINUE", "Limits", "Refusal", "Request", "RequestCodec"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_LINE_OVERHEAD = 4  # ": " and CRLF around a header's name and value


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest request that is read, in bytes: request line with headers, and body."""

    head_bytes: int = 32 * 1024
    body_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in ("head_bytes", "body_bytes"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise PlanError(f"limits: {name} must be an integer >= 1, got {value!r}")


class Request(NamedTuple):
    """One whole request. Header names are in lower case; of equal names the last one stands.

    A named tuple, since each request makes one.
    """

    method: str
    target: str
    headers: dict[bytes, bytes]
    body: bytes
    keep_alive: bool
    version: str = "1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that is not taken: the status to answer with, why, and what was read of it."""

    status: int
    reason: str
    method: str = ""
    target: str = ""
    attempt_id: bytes | None = None


class _Refused(Exception):
    """Leaves the parser from inside a callback; the refusal says why."""


class RequestCodec:
    """One connection's requests. Feed bytes, then take requests until there is none.

    ``mid_request`` tells whether a request has begun and is not whole yet; ``wants_continue``
    whether its client waits for ``100 Continue`` before it sends the body.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._head_bytes_max = limits.head_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._ready: deque[Request | Refusal] = deque()
        self._refusal: Refusal | None = None
        self._unseen_bytes = 0
        self.wants_continue = False
        self.on_message_begin()
        self.mid_request = False

    def next_request(self) -> Request | Refusal | None:
        """The oldest request not yet taken, or None; a Refusal is always the last one."""
        return self._ready.popleft() if self._ready else None

    def refuse(self, status: int, reason: str) -> Refusal:
        """A refusal that tells what is known of the unfinished request."""
        return Refusal(
            status=status,
            reason=reason,
            method=self._method,
            target=self._target.decode("latin-1"),
            attempt_id=self._headers.get(b"x-attempt-id"),
        )

    def feed(self, data: bytes) -> None:
        """Take bytes as they came from the network; whole requests become ready."""
        while data and self._refusal is None:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._after_upgrade(data[upgrade.args[0] :])
                continue
            except httptools.HttpParserError as error:
                if self._refusal is None:
                    self._refusal = self.refuse(400, f"malformed HTTP request: {error}")
            else:
                if self.mid_request:
                    self._bound_unseen(len(data))
            break
        if self._refusal is not None and self.mid_request:
            self.mid_request = self.wants_continue = False
            self._ready.append(self._refusal)

    # What llhttp reports, in order.

    def on_message_begin(self) -> None:
        """A first byte of a request arrived."""
        self._method = ""
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._head_complete = False
        self._body: bytes | bytearray = b""
        self._upgrade_with_body = False
        self._saw_something = True
        self.mid_request = True

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        if not self._target:
            self._method = self._parser.get_method().decode("latin-1")
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line."""
        if not self._head_complete:  # Trailers count, and are not looked at.
            self._headers[name.lower()] = value
        # As in `_count_head`, without its call: requests have a dozen headers.
        self._saw_something = True
        self._head_bytes += len(name) + len(value) + _LINE_OVERHEAD
        if self._head_bytes > self._head_bytes_max:
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """The empty line after the headers: the body's length is known now."""
        self._head_complete = True
        headers = self._headers
        length = int(headers.get(b"content-length", 0))
        if length > self._limits.body_bytes:
            self._refuse_body()
        if b"expect" in headers:
            self.wants_continue = headers[b"expect"].lower() == b"100-continue"
        if b"upgrade" in headers:
            has_body = length > 0 or b"transfer-encoding" in headers
            offers_upgrade = self._method != "CONNECT" and self._parser.should_upgrade()
            self._upgrade_with_body = has_body and offers_upgrade

    def on_body(self, data: bytes) -> None:
        """A piece of the body, chunk framing removed."""
        self._saw_something = True
        if not self._body:
            self._body = data  # Most bodies come in one piece, which is then the body itself.
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += data
        if len(self._body) > self._limits.body_bytes:
            self._refuse_body()

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._upgrade_with_body:
            return
        self.mid_request = self.wants_continue = False
        self._ready.append(
            Request(
                self._method,
                self._target.decode("latin-1"),
                self._headers,
                bytes(self._body),
                self._parser.should_keep_alive(),
                self._parser.get_http_version(),
            )
        )

    def _after_upgrade(self, rest: bytes) -> bytes:
        # We never upgrade, so the request is an ordinary one. llhttp, however, ends an upgrade
        # request at its headers: where a body follows, the head goes through a fresh parser
        # without the offer, so that the body is read as one.
        if not self._upgrade_with_body:
            return rest
        self._parser = httptools.HttpRequestParser(self)
        lines = [self._method.encode() + b" " + self._target + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self._headers.items()]
        kept = [line for line in lines if not line.startswith(b"upgrade:")]
        return b"\r\n".join(kept) + b"\r\n\r\n" + rest

    def _count_head(self, size: int) -> None:
        self._saw_something = True
        self._head_bytes += size
        if self._head_bytes > self._head_bytes_max:
            self._refuse_head()

    def _refuse_head(self) -> NoReturn:
        self._refusal = self._head_too_large()
        raise _Refused

    def _refuse_body(self) -> NoReturn:
        limit = self._limits.body_bytes
        self._refusal = self.refuse(413, f"request body exceeds {limit} bytes")
        raise _Refused

    def _bound_unseen(self, fed: int) -> None:
        # httptools keeps a header line to itself until its end, so a line without an end would
        # grow unseen: what was fed since it last reported anything bounds it.
        self._unseen_bytes = 0 if self._saw_something else self._unseen_bytes + fed
        self._saw_something = False
        if self._head_bytes + self._unseen_bytes > self._head_bytes_max:
            self._refusal = self._head_too_large()

    def _head_too_large(self) -> Refusal:
        return self.refuse(431, f"request head exceeds {self._limits.head_bytes} bytes")
