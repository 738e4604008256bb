"""Bodies in a content coding: decoded to their end, within a size, while others run."""

from __future__ import annotations

import contextlib
import gzip
import zlib

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.wire.content_coding import CodingError, coding_of, decoded

TEXT = b'{"model": "m"}' * 40
LIMIT = 10 * 2**20


def _decoded(body: bytes, coding: str, limit_bytes: int = LIMIT, room_bytes: int = LIMIT) -> bytes:
    held = 0

    def hold(size: int) -> bool:
        nonlocal held
        held += size
        return held <= room_bytes

    async def main() -> bytes:
        return await decoded(body, coding, limit_bytes, hold)

    return trio.run(main)


def _refused(body: bytes, coding: str, limit_bytes: int = LIMIT, room_bytes: int = LIMIT) -> int:
    with pytest.raises(CodingError) as raised:
        _decoded(body, coding, limit_bytes, room_bytes)
    return raised.value.status


def _raw(text: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(text) + deflater.flush()


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(TEXT, mtime=0), "gzip"),
        (gzip.compress(TEXT[:9], mtime=0) + gzip.compress(TEXT[9:], mtime=0), "gzip"),
        (zlib.compress(TEXT), "deflate"),
        (_raw(TEXT), "deflate"),
    ],
    ids=["gzip", "two members", "zlib", "raw deflate"],
)
def test_a_coded_body_is_the_text_that_was_coded(body: bytes, coding: str) -> None:
    """Whichever of its forms a client uses."""
    assert TEXT == _decoded(body, coding)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_empty_body_has_no_coding(coding: str) -> None:
    """A client that sets the header on every request may send none."""
    assert b"" == _decoded(b"", coding)


@pytest.mark.parametrize(("level", "size"), [(0, 300_000), (9, 300_000), (9, 5_000_000)])
def test_large_bodies_are_decoded_whole(level: int, size: int) -> None:
    """Neither the steps of the input nor those of the output show."""
    text = bytes(range(251)) * (size // 251)

    assert text == _decoded(gzip.compress(text, level, mtime=0), "gzip")


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(TEXT, mtime=0)[:-1], "gzip"),
        (gzip.compress(TEXT, mtime=0)[:15], "gzip"),
        (gzip.compress(TEXT, mtime=0) + b"garbage", "gzip"),
        (gzip.compress(TEXT, mtime=0) + b"\x1f\x8b", "gzip"),
        (gzip.compress(TEXT, mtime=0)[:-8] + b"\x00" * 8, "gzip"),
        (gzip.compress(b"", mtime=0) * 101, "gzip"),
        (TEXT, "gzip"),
        (TEXT, "deflate"),
        (zlib.compress(TEXT) + b"garbage", "deflate"),
        (zlib.compress(TEXT)[:-4] + b"abcd", "deflate"),
        (zlib.compress(TEXT)[:-1], "deflate"),
    ],
)
def test_what_is_not_in_its_coding_to_the_end_is_refused(body: bytes, coding: str) -> None:
    """Cut, corrupt, or with something behind its end: 400."""
    assert 400 == _refused(body, coding)


def test_a_bomb_is_never_inflated() -> None:
    """A body of 100 kB that stands for 100 MB is refused once it exceeds the limit."""
    bomb = gzip.compress(bytes(100 * 2**20), mtime=0)

    assert 413 == _refused(bomb, "gzip", limit_bytes=2**20)


def test_a_body_that_has_no_room_is_refused_for_now() -> None:
    """What all bodies together may take counts when decoded."""
    assert 503 == _refused(gzip.compress(bytes(2**20), mtime=0), "gzip", room_bytes=2**19)


def test_others_run_while_a_body_is_decoded() -> None:
    """A large body holds nobody up: 16 MB are decoded in hundreds of steps."""
    body = gzip.compress(bytes(16 * 2**20), mtime=0)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            await decoded(body, "gzip", 16 * 2**20, lambda _: True)
            nursery.cancel_scope.cancel()

    trio.run(main)

    assert turns >= 200


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_any_bytes_are_decoded_or_refused(body: bytes, coding: str) -> None:
    """Nothing that a client sends as a coded body gets further than that."""
    with contextlib.suppress(CodingError):
        assert isinstance(_decoded(body, coding), bytes)


@pytest.mark.parametrize(
    ("value", "coding"),
    [
        (b"gzip", "gzip"),
        (b"GZIP ", "gzip"),
        (b"x-gzip", "gzip"),
        (b"deflate", "deflate"),
        (b"identity", None),
        (b"", None),
        (b"identity, gzip", "gzip"),
    ],
)
def test_the_codings_that_are_known(value: bytes, coding: str | None) -> None:
    """Names do not depend on case, and identity is no coding."""
    assert coding == coding_of(value)


@pytest.mark.parametrize("value", [b"br", b"zstd", b"gzip, gzip", b"gzip;q=1", b"\xff" * 900])
def test_other_codings_are_named(value: bytes) -> None:
    """What cannot be decoded is 415, never taken for text."""
    with pytest.raises(CodingError) as raised:
        coding_of(value)

    assert 415 == raised.value.status
    assert len(str(raised.value)) < 500
