"""Responses in: bytes to heads and pieces of bodies, within bounds.

The grammar is h11's, not llhttp's, because the yardstick is httpx's own pool, which stands on
h11: bare LF, folded headers, chunked beating content-length, and where each is refused. httptools
could neither be told that a response answers a HEAD. A test compares it with h11, byte by byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from chaoscheck.wire.client_headers import (
    Header,
    ProtocolViolation,
    agree_on_length,
    items_of,
    lower_names,
    require_chunked,
)

__all__ = ["INCOMPLETE_MAX", "ResponseHead", "ResponseReader"]

# As much as httpx's own pool keeps of a head, a chunk's size line or trailers that are not whole.
INCOMPLETE_MAX = 100 * 1024
_INFORMATIONAL_MAX = 1000  # a server that sends only 1xx must not hold its client for ever

_HEAD_END = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/([0-9]\.[0-9]) ([0-9]{3})(?: ([^\x00\n\r\f\v]*))?\r?")
_HEADER = re.compile(
    rb"([-!#$%&'*+.^_`|~0-9a-zA-Z]+):[ \t]*((?:[^\x00\s]+(?:[ \t]+[^\x00\s]+)*)?)[ \t]*\r?"
)
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,20})(?:;[^\n]*)?[ \t]*\r\n")

Next = Literal["", "size", "data", "footer", "trailer"]  # of a chunked body; "" is not chunked


@dataclass(slots=True, kw_only=True)
class ResponseHead:
    """A response's status line and headers, as they came; version as in ``b"HTTP/1.1"``."""

    version: bytes
    status: int
    reason: bytes
    headers: list[Header]


class ResponseReader:
    """One connection's responses. ``begin``, then feed bytes and take head, pieces, end.

    ``finished`` tells that the response was taken to its end, ``reusable`` that another may
    follow on this connection, ``switched`` that what follows is no longer HTTP.
    """

    def __init__(self) -> None:
        self._data: bytes | bytearray = b""
        self._at = 0  # everything before it was taken
        self._searched = 0  # no end of a head before it
        self._eof = False
        self._next_response()

    def _next_response(self) -> None:
        self._informational = 0
        self._left: int | None = 0  # bytes of the body, or of this chunk; None until EOF
        self._chunks: Next = ""
        self._footer = b""
        self.finished = False
        self.reusable = True
        self.switched = False

    def begin(self, method: bytes, *, offers_upgrade: bool) -> None:
        """The next response answers a request with this method."""
        self._method = method
        self._offers_upgrade = offers_upgrade
        self._next_response()

    def feed(self, data: bytes) -> None:
        """Take bytes as they came from the network; none means that the server is done."""
        if not data:
            self._eof = True
        elif self._at == len(self._data):
            self._data, self._at, self._searched = data, 0, 0
        else:
            kept = self._data
            if not isinstance(kept, bytearray):
                kept = bytearray(kept)
            del kept[: self._at]
            kept += data
            self._data, self._searched, self._at = kept, max(0, self._searched - self._at), 0

    def take_rest(self, size: int) -> bytes:
        """At most ``size`` bytes of what was received and not taken."""
        rest = bytes(self._data[self._at : self._at + size])
        self._at += len(rest)
        return rest

    @property
    def has_rest(self) -> bool:
        """Whether something was received and not taken."""
        return self._at < len(self._data)

    # The head.

    def take_head(self) -> ResponseHead | None:
        """The final response's head, None while it is not whole; 1xx are skipped, except 101.

        ProtocolViolation when it can never become one.
        """
        while (lines := self._take_lines()) is not None:
            head = _parse_head(lines)
            framing = _framing(head.headers)
            if head.status >= 200 or head.status == 101:
                self._frame(head, *framing)
                return head
            self._informational += 1
            if self._informational > _INFORMATIONAL_MAX:
                raise ProtocolViolation(f"more than {_INFORMATIONAL_MAX} informational responses")
        if self.has_rest and self._data[self._at] < 0x21:
            raise ProtocolViolation("illegal status line")
        self._bound()
        if self._eof:
            raise ProtocolViolation("Server disconnected without sending a response.")
        return None

    def _take_lines(self) -> list[bytes] | None:
        """Everything up to the first empty line, split into lines; None without one."""
        data, at = self._data, self._at
        for empty in (b"\n", b"\r\n"):
            if data.startswith(empty, at):
                self._at += len(empty)
                return []
        end = _HEAD_END.search(data, max(at, self._searched))
        if end is None:
            self._searched = max(at, len(data) - 2)
            return None
        self._at = end.end()
        return bytes(data[at : end.start()]).split(b"\n")

    def _frame(self, head: ResponseHead, length: int | None, chunked: bool, closes: bool) -> None:
        status, method = head.status, self._method
        self.reusable = not closes and head.version >= b"HTTP/1.1"
        if status == 101 and not self._offers_upgrade:
            raise ProtocolViolation("101 Switching Protocols without an offer to upgrade")
        self.switched = status == 101 or (method == b"CONNECT" and status < 300)
        if self.switched:
            self.reusable = False
        elif method == b"HEAD" or status in (204, 304):
            pass
        elif chunked:
            self._chunks = "size"
        else:
            self._left = length
            self.reusable = self.reusable and length is not None

    # The body.

    def take_piece(self) -> bytes | None:
        """The next bytes of the body; None when it is over (``finished``) or more must come.

        ProtocolViolation when the body is malformed or ends too early.
        """
        if self._chunks:
            piece = self._take_of_chunks()
        elif self._left == 0:
            self.finished = True
            return None
        else:
            piece = self._take_some()
        if piece is None and not self.finished:
            self._require_more()
        return piece

    def _take_some(self) -> bytes | None:
        """What was received, at most what is left; None if there is nothing."""
        data, at = self._data, self._at
        there = len(data) - at
        if there == 0:
            return None
        if self._left is not None:
            there = min(there, self._left)
            self._left -= there
        self._at = at + there
        return bytes(data[at : at + there])

    def _take_of_chunks(self) -> bytes | None:
        if self._chunks == "footer" and not self._take_footer():
            return None
        if self._chunks == "size" and not self._take_size():
            return None
        if self._chunks == "trailer":
            self._take_trailer()
            return None
        piece = self._take_some()
        if self._left == 0:
            self._chunks, self._footer = "footer", b"\r\n"
        return piece

    def _take_footer(self) -> bool:
        seen = bytes(self._data[self._at : self._at + len(self._footer)])
        if not self._footer.startswith(seen):
            raise ProtocolViolation(f"malformed chunk footer: {seen!r}")
        self._at += len(seen)
        self._footer = self._footer[len(seen) :]
        if self._footer:
            return False
        self._chunks = "size"
        return True

    def _take_size(self) -> bool:
        end = self._data.find(b"\r\n", max(self._at, self._searched))
        if end < 0:
            self._searched = max(self._at, len(self._data) - 1)
            return False
        line = bytes(self._data[self._at : end + 2])
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise ProtocolViolation(f"illegal chunk header: {line[:100]!r}")
        self._at = end + 2
        self._left = int(size[1], 16)
        self._chunks = "data" if self._left else "trailer"
        return True

    def _take_trailer(self) -> None:
        lines = self._take_lines()
        if lines is not None:
            _framing(_parse_headers(lines))
            self.finished = True

    def _require_more(self) -> None:
        self._bound()
        if not self._eof:
            return
        if self._left is None and not self._chunks:
            self.finished = True
            return
        raise ProtocolViolation("peer closed connection without sending complete message body")

    def _bound(self) -> None:
        if len(self._data) - self._at > INCOMPLETE_MAX:
            raise ProtocolViolation(f"more than {INCOMPLETE_MAX} bytes without an end")


def _parse_head(lines: list[bytes]) -> ResponseHead:
    status_line = _STATUS_LINE.fullmatch(lines[0]) if lines else None
    if status_line is None:
        raise ProtocolViolation(f"illegal status line: {b''.join(lines[:1])[:100]!r}")
    version, status, reason = status_line.groups(b"")
    if status < b"100":
        raise ProtocolViolation(f"illegal status: {status!r}")
    return ResponseHead(
        version=b"HTTP/" + version,
        status=int(status),
        reason=reason,
        headers=_parse_headers(lines[1:]),
    )


def _parse_headers(lines: list[bytes]) -> list[Header]:
    headers: list[Header] = []
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            # Folding is so rare that only a line that is no header makes us look for it.
            return _parse_headers(_unfolded(lines))
        headers.append(header.groups())  # type: ignore[arg-type]  # It has two groups.
    return headers


def _is_folded(line: bytes) -> bool:
    return line.startswith((b" ", b"\t"))


def _unfolded(lines: list[bytes]) -> list[bytes]:
    """Lines with their continuations (RFC 9112, 5.2), each of which counts as one space.

    ProtocolViolation when there are none, or one comes first.
    """
    whole: list[list[bytes]] = []
    for line in lines:
        line = line.removesuffix(b"\r")
        if not _is_folded(line):
            whole.append([line])
        elif whole:
            whole[-1].append(line.lstrip(b" \t"))
        else:
            raise ProtocolViolation("continuation line at start of headers")
    if len(whole) == len(lines):
        wrong = next(line for line in lines if not _HEADER.fullmatch(line))
        raise ProtocolViolation(f"illegal header line: {wrong[:100]!r}")
    return [b" ".join(parts) + b"\r" for parts in whole]


def _framing(headers: list[Header]) -> tuple[int | None, bool, bool]:
    """Body length if told, whether chunked, whether the connection closes."""
    names = lower_names(headers)
    length = agree_on_length(headers, names) if b"content-length" in names else None
    chunked = b"transfer-encoding" in names
    if chunked:
        require_chunked(headers, names)
    closes = b"connection" in names and b"close" in items_of(b"connection", headers, names)
    return length, chunked, closes
