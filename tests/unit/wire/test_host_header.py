"""Host: one, and a legal one, as RFC 9112 (3.2) wants it of HTTP/1.1."""

from __future__ import annotations

import pytest

from chaoscheck.wire.host_header import host_mistake
from chaoscheck.wire.request_codec import Limits, Refusal, Request, RequestCodec

LEGAL = [
    b"",
    b"localhost",
    b"127.0.0.1:8080",
    b"api.example.com",
    b"API.example.com:",
    b"a_b~c",
    b"caf%C3%A9",
    b"[::1]",
    b"[::1]:443",
    b"[v1.fe:x]",
    b"x:0",
    b"x:65535",
]
ILLEGAL = [
    b"a b",
    b"a/b",
    b"user@host",
    b"http://host",
    b"host:port",
    b"host:65536",
    b"host:-1",
    b"host:80:80",
    b"::1",
    b"[::1",
    b"[::1%25eth0]",
    b"[::g]",
    b"[::1]x",
    b"h%zz",
    b"caf\xc3\xa9",
    b"a,b\\c",
    b"host:" + b"9" * 5_000,
]


@pytest.mark.parametrize("value", LEGAL)
def test_a_legal_host_is_taken(value: bytes) -> None:
    """Names, both kinds of addresses, with and without a port, and no authority at all."""
    assert host_mistake(value, "1.1", repeated=False) is None


@pytest.mark.parametrize("value", ILLEGAL, ids=repr)
def test_what_is_no_host_is_named(value: bytes) -> None:
    """What no URI can have as its authority is a client's mistake, shown in part."""
    mistake = host_mistake(value, "1.0", repeated=False)

    assert mistake is not None
    assert len(mistake) < 200


def _read(head: str) -> Request | Refusal | None:
    codec = RequestCodec(Limits())
    codec.feed(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    return codec.next_request()


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\nhost: a\nHost: a",
        "GET / HTTP/1.0\nhost: a\nhost: b",
        "GET / HTTP/1.1\nhost: a\nconnection: upgrade\nupgrade: h2c\nhost: b",
        "GET / HTTP/1.1\nhost: a b",
        "GET http://a/ HTTP/1.1",
    ],
)
def test_a_request_with_a_bad_host_is_refused(head: str) -> None:
    """Missing, double or invalid: two servers in a row could mean different hosts by it."""
    found = _read(head)

    assert isinstance(found, Refusal)
    assert (400, "GET") == (found.status, found.method)


@pytest.mark.parametrize(
    "head",
    ["GET / HTTP/1.0", "GET http://a:1/x HTTP/1.1\nhost: another", "OPTIONS * HTTP/1.1\nhost:"],
)
def test_a_request_that_needs_no_other_host_is_taken(head: str) -> None:
    """HTTP/1.0 knows no Host, and an absolute target has its own."""
    assert isinstance(_read(head), Request)


def test_each_request_of_a_connection_is_looked_at() -> None:
    """A good host before does not excuse the next request, nor a bad one in trailers accuse."""
    codec = RequestCodec(Limits())
    codec.feed(
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nhost: b\r\n\r\n"
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n"
    )
    found = [codec.next_request() for _ in range(3)]

    assert [Request, Request, Refusal] == [type(each) for each in found]
