"""Reading HTTP/1.1 requests: whole, in order, within bounds."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.wire.request_codec import Limits, Refusal, Request, RequestCodec

SMALL = Limits(head_bytes=200, body_bytes=50)


def _read(*chunks: bytes, limits: Limits = SMALL) -> list[Request | Refusal]:
    codec = RequestCodec(limits)
    for chunk in chunks:
        codec.feed(chunk)
    found = []
    while (ready := codec.next_request()) is not None:
        found.append(ready)
    return found


def _request(method: str, target: str, **other: object) -> Request:
    fields: dict[str, object] = {
        "headers": {b"host": b"h"},
        "body": b"",
        "keep_alive": True,
    } | other
    return Request(method=method, target=target, **fields)  # type: ignore[arg-type]


PIPELINE = (
    b"POST /a?x=1 HTTP/1.1\r\nhost: h\r\nContent-Length: 3\r\nX-Tag: t\r\n\r\nabc"
    b"POST /b HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
    b"2\r\nde\r\n1;ext\r\nf\r\n0\r\nt: r\r\n\r\n"
    b"\r\nGET /c HTTP/1.0\r\n\r\n"
)
PIPELINED = [
    _request(
        "POST",
        "/a?x=1",
        headers={b"host": b"h", b"content-length": b"3", b"x-tag": b"t"},
        body=b"abc",
    ),
    _request("POST", "/b", headers={b"host": b"h", b"transfer-encoding": b"chunked"}, body=b"def"),
    _request("GET", "/c", headers={}, keep_alive=False, version="1.0"),
]


@given(st.lists(st.integers(0, len(PIPELINE)), max_size=6))
def test_requests_do_not_depend_on_how_the_network_cuts_them(cuts: list[int]) -> None:
    """Pipelined requests come out whole and in order, however their bytes arrive."""
    edges = [0, *sorted(cuts), len(PIPELINE)]
    chunks = [PIPELINE[low:high] for low, high in itertools.pairwise(edges)]

    assert PIPELINED == _read(*chunks)


@pytest.mark.parametrize(
    ("data", "keep_alive"),
    [
        (b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nhost: h\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_the_client_decides_whether_the_connection_stays(data: bytes, keep_alive: bool) -> None:
    """Persistence follows RFC 9112 for both versions."""
    (request,) = _read(data)

    assert isinstance(request, Request)
    assert keep_alive is request.keep_alive


@pytest.mark.parametrize("body", [b"content-length: 3\r\n\r\nabc", b"\r\n"], ids=["body", "none"])
def test_an_offer_to_upgrade_is_ignored(body: bytes) -> None:
    """A client that offers h2c, as Java's does, is answered in HTTP/1.1, body included."""
    offer = b"POST /a HTTP/1.1\r\nhost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    first, second = _read(offer + body + b"GET /b HTTP/1.1\r\nhost: h\r\n\r\n")

    assert isinstance(first, Request)
    assert (b"abc" if b"abc" in body else b"") == first.body
    assert _request("GET", "/b") == second


def test_a_client_that_waits_for_100_continue_is_told_from_others() -> None:
    """Only a client that asked is sent the interim answer, and only before its body."""
    codec = RequestCodec(SMALL)
    codec.feed(b"POST / HTTP/1.1\r\nhost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    asked = codec.wants_continue
    codec.feed(b"abc")

    assert (True, False) == (asked, codec.wants_continue)


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        ([b"GET / HTTP/1.1\r\nhost: h\r\nx: " + b"a" * 300 + b"\r\n\r\n"], 431),
        ([b"GET / HTTP/1.1\r\nhost: h\r\nx: "] + [b"a" * 50] * 6, 431),
        ([b"GET /" + b"a" * 300 + b" HTTP/1.1\r\nhost: h\r\n\r\n"], 431),
        ([b"GET / HTTP/1.1\r\nhost: h\r\n" + b"x: y\r\n" * 50 + b"\r\n"], 431),
        (
            [b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\nt: "]
            + [b"a" * 90] * 4,
            431,
        ),
        ([b"POST / HTTP/1.1\r\nhost: h\r\nContent-Length: 51\r\n\r\n"], 413),
        (
            [b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"]
            + [b"1\r\na\r\n"] * 51,
            413,
        ),
        ([b"\x16\x03\x01\x02\x00"], 400),
        ([b"GET / HTTP/9.9\r\n\r\n"], 400),
        ([b"GET / HTTP/1.1\r\nhost: h\r\nno colon\r\n\r\n"], 400),
        ([b"POST / HTTP/1.1\r\nhost: h\r\nContent-Length: -3\r\n\r\n"], 400),
        (
            [b"GET / HTTP/1.1\r\nhost:\r\ncontent-length:3\r\ntransfer-encoding: chunked\r\n\r\n"],
            400,
        ),
        ([b"POST / HTTP/1.1\r\nhost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"], 400),
        ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], 400),
    ],
)
def test_what_cannot_be_taken_is_refused_once(chunks: list[bytes], status: int) -> None:
    """Too large or malformed: one refusal, and nothing after it is believed."""
    (refusal,) = _read(*chunks, b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")

    assert isinstance(refusal, Refusal)
    assert status == refusal.status


def test_requests_before_a_malformed_one_are_answered() -> None:
    """One bad request does not take back the good one before it."""
    good, bad = _read(b"GET /a HTTP/1.1\r\nhost: h\r\n\r\nGARBAGE\r\n\r\n")

    assert _request("GET", "/a") == good
    assert isinstance(bad, Refusal)


def test_a_refusal_tells_what_was_read() -> None:
    """The ledger names the request that was too large."""
    head = b"POST /big HTTP/1.1\r\nhost: h\r\nX-Attempt-Id: a1\r\nContent-Length: 51\r\n\r\n"
    (refusal,) = _read(head)

    assert isinstance(refusal, Refusal)
    assert ("POST", "/big") == (refusal.method, refusal.target)
    assert b"a1" == refusal.headers[b"x-attempt-id"]


def test_a_body_in_many_pieces_is_one_body() -> None:
    """How often the network cuts a body does not show in it."""
    head = b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 40\r\n\r\n"
    pieces = [b"%d" % (number % 10) for number in range(40)]

    assert [b"0123456789" * 4] == [
        ready.body for ready in _read(head, *pieces) if isinstance(ready, Request)
    ]


def test_many_small_requests_in_one_read_are_not_one_large_head() -> None:
    """The bound is per request: a busy pipeline is no attack."""
    many = b"GET / HTTP/1.1\r\nhost: h\r\nx: y\r\n\r\n" * 30

    assert 31 == len(_read(many + b"GET /last HT", b"TP/1.1\r\n", b"host: h\r\n\r\n"))


@given(st.binary(max_size=300))
def test_no_bytes_break_the_codec(data: bytes) -> None:
    """Whatever a client sends becomes requests, one refusal, or nothing yet."""
    assert all(isinstance(found, Request | Refusal) for found in _read(data))


@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_limits_are_positive_integers(value: int) -> None:
    """A limit that admits nothing is a mistake in the plan."""
    with pytest.raises(PlanError):
        Limits(body_bytes=value)
