"""HTTP/1.1 requests in: bytes to whole requests, in order, within bounds.

httptools (llhttp) parses; this class collects what it reports. A request is handed out once its
body is complete. What cannot be understood or is too large becomes a ``Refusal``, after which
the connection can only be closed, because where the next request would begin is unknown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import httptools

from chaoscheck.errors import PlanError
from chaoscheck.wire.host_header import host_mistake

__all__ = ["CONTINUE", "Bodies", "Limits", "Refusal", "Request", "RequestCodec"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_LINE_OVERHEAD = 4  # ": " and CRLF around a header's name and value


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest request that is read, in bytes: request line with headers, and body.

    ``bodies_bytes`` bounds the bodies of all connections together, as far as they are longer than
    one read from the network; a body that does not fit any more is refused with 503.
    """

    head_bytes: int = 32 * 1024
    body_bytes: int = 16 * 1024 * 1024
    bodies_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in ("head_bytes", "body_bytes", "bodies_bytes"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise PlanError(f"limits: {name} must be an integer >= 1, got {value!r}")


class Bodies:
    """How many bytes of bodies all connections of a server hold, and may hold."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0


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
    headers: Mapping[bytes, bytes] = field(default_factory=dict)


class _Refused(Exception):
    """Leaves the parser from inside a callback; the refusal says why."""


class RequestCodec:
    """One connection's requests. Feed bytes, then take requests until there is none.

    ``bodies`` counts the bytes held by all connections. ``release`` gives back what this one
    holds once its requests are answered, and ``close`` lets go of everything.

    ``mid_request`` tells whether a request has begun and is not whole yet; ``wants_continue``
    whether its client waits for ``100 Continue`` before it sends the body.
    """

    def __init__(self, limits: Limits, bodies: Bodies | None = None) -> None:
        self._limits = limits
        self._bodies = bodies or Bodies(limits.bodies_bytes)
        self._held_bytes = 0
        self._body: bytes | bytearray = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes_max = limits.head_bytes
        self._parser: Any = httptools.HttpRequestParser(self)
        self._ready: deque[Request | Refusal] = deque()
        self._refusal: Refusal | None = None
        self._unseen_bytes = 0
        self._known_host: bytes | None = None  # of the last request: a legal one
        self.wants_continue = False
        self.on_message_begin()
        self.mid_request = False

    def next_request(self) -> Request | Refusal | None:
        """The oldest request not yet taken, or None; a Refusal is always the last one."""
        return self._ready.popleft() if self._ready else None

    def release(self) -> None:
        """Give back the bytes of bodies that were read, unless a request is under way or waits."""
        if self._held_bytes and not self.mid_request and not self._ready:
            self._bodies.held_bytes -= self._held_bytes
            self._held_bytes = 0

    def refuse(self, status: int, reason: str) -> Refusal:
        """A refusal that tells what is known of the unfinished request."""
        return Refusal(
            status=status,
            reason=reason,
            method=self._method,
            target=self._target.decode("latin-1"),
            headers=self._headers,
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
            self.release()
            self._body = b""
            self._ready.append(self._refusal)

    def close(self) -> None:
        """Forget all that was read, at once: parser and codec hold each other otherwise."""
        self._ready.clear()
        self.mid_request = False
        self.release()
        self._body = b""
        self._headers = {}
        self._parser = None

    # What llhttp reports, in order.

    def on_message_begin(self) -> None:
        """A first byte of a request arrived."""
        self._method = ""
        self._target = b""
        self._headers = {}
        self._head_bytes = 0
        self._head_complete = False
        self._body = b""
        self._upgrade_with_body = False
        self._host_repeated = False
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
            lowered = name.lower()
            if lowered == b"host" and lowered in self._headers:
                self._host_repeated = True
            self._headers[lowered] = value
        # As in `_count_head`, without its call: requests have a dozen headers.
        self._saw_something = True
        self._head_bytes += len(name) + len(value) + _LINE_OVERHEAD
        if self._head_bytes > self._head_bytes_max:
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """The empty line after the headers: the body's length is known now."""
        self._head_complete = True
        headers = self._headers
        host = headers.get(b"host")
        if host is None or host != self._known_host or self._host_repeated:
            self._check_host(host)
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
                self._hold(len(self._body))
                self._body = bytearray(self._body)
            self._body += data
            self._hold(len(data))
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
        self._body = b""  # The request has it; a second copy would stay as long as the connection.

    def _check_host(self, host: bytes | None) -> None:
        version = self._parser.get_http_version()
        mistake = host_mistake(host, version, repeated=self._host_repeated)
        if mistake is not None:
            self._refusal = self.refuse(400, mistake)
            raise _Refused
        self._known_host = host

    def hold(self, size: int) -> bool:
        """Count so many bytes of a body more until they are released; False if there is no room."""
        bodies = self._bodies
        if bodies.held_bytes + size > bodies.limit_bytes:
            return False
        bodies.held_bytes += size
        self._held_bytes += size
        return True

    def _hold(self, size: int) -> None:
        if not self.hold(size):
            limit = self._bodies.limit_bytes
            reason = f"request bodies under way exceed {limit} bytes: try again later"
            self._refusal = self.refuse(503, reason)
            raise _Refused

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
