"""The reader of responses takes and refuses what h11 takes and refuses, however bytes arrive."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chaoscheck.wire.client_headers import ProtocolViolation
from chaoscheck.wire.client_response import INCOMPLETE_MAX, ResponseReader

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader made of one connection's bytes."""

    status: int | None = None
    reason: bytes = b""
    version: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    end: str = "refused"  # or: whole, and if whole: reusable


def read_with_h11(pieces: list[bytes], method: str, *, offers_upgrade: bool) -> Reading:
    """As httpx's own pool reads, EOF behind the pieces."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=INCOMPLETE_MAX)
    offer = [("upgrade", "x")] if offers_upgrade else []
    connection.send(h11.Request(method=method, target="/", headers=[("host", "x"), *offer]))
    connection.send(h11.EndOfMessage())
    left = iter([*pieces, b""])
    head: h11.Response | h11.InformationalResponse | None = None
    body, end = b"", "refused"
    try:
        while end == "refused":
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(next(left))
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.InformationalResponse):
                head = event if event.status_code == 101 else None
            elif event is h11.PAUSED or isinstance(event, h11.EndOfMessage):
                kept = (connection.our_state, connection.their_state) == (h11.DONE, h11.DONE)
                rest, _ = connection.trailing_data
                end = "reusable" if kept and not rest and not _at_eof(left) else "whole"
            elif isinstance(event, h11.ConnectionClosed):
                break
    except h11.RemoteProtocolError:
        pass
    if head is None:
        return Reading()
    headers = tuple(head.headers.raw_items())
    return Reading(
        status=head.status_code, reason=bytes(head.reason), version=b"HTTP/" + head.http_version,
        headers=headers, body=body, end=end,
    )  # fmt: skip


def _at_eof(left: Iterator[bytes]) -> bool:
    return next(left, None) is None


def read_with_ours(pieces: list[bytes], method: str, *, offers_upgrade: bool) -> Reading:
    """As our transport reads."""
    reader = ResponseReader()
    reader.begin(method.encode(), offers_upgrade=offers_upgrade)
    left = iter([*pieces, b""])
    body, end, head = b"", "refused", None
    try:
        while (head := reader.take_head()) is None:
            reader.feed(next(left))
        while not reader.finished:
            piece = reader.take_piece()
            if piece is not None:
                body += piece
            elif not reader.finished:
                reader.feed(next(left))
        kept = reader.reusable and not reader.has_rest
        end = "reusable" if kept and not _at_eof(left) else "whole"
    except ProtocolViolation:
        pass
    if head is None:
        return Reading()
    return Reading(
        status=head.status, reason=head.reason, version=head.version,
        headers=tuple(head.headers), body=body, end=end,
    )  # fmt: skip


status_lines = st.sampled_from(
    [
        b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 204 None", b"HTTP/1.0 200 OK",
        b"HTTP/1.1 404 Not  Found ", b"HTTP/1.1 101 Switch", b"HTTP/1.1 099 x", b"HTTP/2 200",
        b"HTTP/1.1 2000 OK", b"HTTP/1.1\t200 OK", b"http/1.1 200 OK", b"HTTP/1.1 200 \x00", b"",
    ]
)  # fmt: skip
header_lines = st.sampled_from(
    [
        b"content-length: 5", b"Content-Length: 5, 5", b"content-length: 6", b"content-length: x",
        b"content-length: -1", b"content-length: " + b"1" * 21, b"content-length:", b"a: \x0b",
        b"transfer-encoding: chunked", b"Transfer-Encoding: CHUNKED", b"transfer-encoding: gzip",
        b"connection: close", b"Connection: keep-alive, CLOSE", b"connection: keep-alive", b"a:",
        b"x: y", b"x:y\t", b"X: \t a  b \xff", b" folded", b"\tfolded", b"no colon", b": none",
        b"x : y", b"x: \x01", b"x: a\rb", b"\r", b"x: y\r",
    ]
)  # fmt: skip
bodies = st.sampled_from(
    [
        b"", b"hello", b"hello world", b"5\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"g\r\n",
        b"5;a=b\r\nhello\r\n00\r\nt: u\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\nmore", b"\r\n",
        b"5\r\nhello\r\n0\r\n", b"5\r\nhelloX", b"1\r\na\r\n2\r\nbc\r\n0\r\nbad\r\n\r\n",
        b"0\r\ncontent-length: x\r\n\r\n",
    ]
)  # fmt: skip
newlines = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"])
informational = st.sampled_from([b"", b"HTTP/1.1 100 Go on\r\n\r\n", b"HTTP/1.1 103\r\na: b\n\n"])


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """A head as a server might send it, well or badly."""
    lines = [draw(status_lines), *draw(st.lists(header_lines, max_size=4))]
    return b"".join(line + draw(newlines) for line in lines) + draw(newlines)


@st.composite
def pieces(draw: st.DrawFn) -> list[bytes]:
    """A response, cut where the network happened to cut it."""
    whole = draw(informational) + draw(heads()) + draw(bodies)
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(whole) - 1)), max_size=5)))
    edges = [0, *cuts, len(whole)]
    cut = [whole[start:end] for start, end in itertools.pairwise(edges)]
    return [piece for piece in cut if piece]


@given(pieces(), st.sampled_from(["GET", "HEAD", "CONNECT", "POST"]), st.booleans())
@example([b"HTTP/1.1 200 OK\r\n\r\n", b"until the end"], "GET", False)
@example([b"\x16\x03"], "GET", False)
@example([b"\r"], "GET", False)
@example([b"HTTP/1.1 200 OK\r\nx: ", *[b"y" * 50_000] * 3, b"\r\n\r\n"], "GET", False)
@example([CHUNKED, *[b"0" * 60_000] * 2], "GET", False)
@example([b"HTTP/1.1 200 OK\r\na: b\r\n folded\r\nx: y\r\r\n\r\n"], "GET", False)
def test_every_response_is_read_as_h11_reads_it(
    received: list[bytes], method: str, offers_upgrade: bool
) -> None:
    """My client sees the same status, headers, bytes and end, or is refused the same things."""
    expected = read_with_h11(received, method, offers_upgrade=offers_upgrade)

    assert expected == read_with_ours(received, method, offers_upgrade=offers_upgrade)


def test_a_server_cannot_hold_a_client_with_endless_informational_responses() -> None:
    """A server that only ever says 103 is given up on."""
    reader = ResponseReader()
    reader.begin(b"GET", offers_upgrade=False)
    reader.feed(b"HTTP/1.1 103 Early\r\n\r\n" * 2000)

    with pytest.raises(ProtocolViolation, match="more than 1000 informational"):
        reader.take_head()


def test_one_reader_reads_response_after_response() -> None:
    """A kept connection carries any number of responses, framed in any way."""
    reader = ResponseReader()
    counted = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
    for response in (counted, CHUNKED + b"2\r\nhi\r\n0\r\n\r\n", counted):
        reader.begin(b"GET", offers_upgrade=False)
        reader.feed(response)
        assert reader.take_head() is not None
        assert (b"hi", None) == (reader.take_piece(), reader.take_piece())
        assert (True, True, False) == (reader.finished, reader.reusable, reader.has_rest)
