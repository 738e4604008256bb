"""Heads of requests are written, or refused, as h11 writes and refuses them."""

from __future__ import annotations

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chaoscheck.wire.client_headers import ProtocolViolation
from chaoscheck.wire.client_request import chunk_of, encode_head

names = st.sampled_from(
    [
        b"accept", b"X-Key", b"Content-Length", b"content-length", b"Transfer-Encoding", b"HOST",
        b"connection", b"", b"a b", b"a:", b"x\n", b"\xe4",
    ]
)  # fmt: skip
values = st.sampled_from(
    [
        b"", b"x", b"a  b", b" a", b"a\t", b"5", b"5, 5", b"6", b"chunked", b"Chunked", b"gzip",
        b"\xff", b"a\r\nb: c", b"a\nb", b"\x00", b"\x0c", b"close", b"-1", b"9" * 21,
    ]
)  # fmt: skip
some_headers = st.lists(st.tuples(names, values), max_size=4)


def head_by_h11(method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """The bytes that h11 writes, None for a head that it refuses."""
    try:
        request = h11.Request(method=method, target=target, headers=headers)
        return h11.Connection(h11.CLIENT).send(request)
    except h11.LocalProtocolError:
        return None


@given(
    st.sampled_from([b"GET", b"get", b"M-SEARCH", b"GET ", b""]),
    st.sampled_from([b"/", b"*", b"/a?b=%20", b"/a b", b"/\n", b"", b"/\xe4"]),
    st.booleans(),
    some_headers,
)
@example(b"GET", b"/", False, [(b"a", b"b"), (b"Host", b"x")])
@example(b"GET", b"/", True, [(b"x\r\ny", b"a")])
def test_a_head_is_written_as_h11_writes_it(
    method: bytes, target: bytes, with_host: bool, headers: list[tuple[bytes, bytes]]
) -> None:
    """My server receives the same bytes from either transport, and never an injected header."""
    headers = [(b"Host", b"x"), *headers] if with_host else headers
    try:
        written: bytes | None = encode_head(method, target, headers).data
    except ProtocolViolation:
        written = None

    assert head_by_h11(method, target, headers) == written


@pytest.mark.parametrize(
    ("headers", "length", "closes", "offers_upgrade"),
    [
        ([], 0, False, False),
        ([(b"Content-Length", b"7, 7")], 7, False, False),
        ([(b"Content-Length", b"7"), (b"Transfer-Encoding", b"chunked")], None, False, False),
        ([(b"Connection", b"a, Close"), (b"Upgrade", b"x")], 0, True, True),
        ([(b"Upgrade", b" ,".strip())], 0, False, False),
    ],
)
def test_a_head_tells_how_its_body_goes_out(
    headers: list[tuple[bytes, bytes]], length: int | None, closes: bool, offers_upgrade: bool
) -> None:
    """Length, chunks, closing and upgrading follow from my headers alone."""
    head = encode_head(b"POST", b"/", [(b"host", b"x"), *headers])

    assert (length, closes, offers_upgrade) == (head.length, head.closes, head.offers_upgrade)


def test_a_chunk_is_framed() -> None:
    """A piece of a body of unknown length travels with its size."""
    assert b"b\r\nhello world\r\n" == chunk_of(b"hello world")
