"""Request bodies in a content coding (RFC 9110, 8.4): decoded in steps, within a size.

What a few bytes would inflate to is never made: the size is looked at after each step, and other
tasks run between two steps.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import trio

__all__ = ["CODINGS", "CodingError", "coding_of", "decoded"]

#: What is decoded, as ``Accept-Encoding`` says it.
CODINGS = "gzip, deflate"

_STEP_BYTES = 64 * 1024  # takes about 0.2 ms
_MEMBERS_MAX = 100  # of a gzip body (RFC 1952, 2.2); a client writes one
_GZIP = zlib.MAX_WBITS | 16
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


class CodingError(Exception):
    """A body cannot be decoded: the status to answer with, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def coding_of(value: bytes) -> str | None:
    """The coding that ``Content-Encoding`` names: gzip, deflate or None for none at all.

    CodingError (415) for any other, and for more than one.
    """
    named = [each.strip().lower() for each in value.decode("latin-1").split(",")]
    real = [each for each in named if each not in ("", "identity")]
    if not real:
        return None
    if len(real) == 1 and real[0] in ("gzip", "x-gzip", "deflate"):
        return real[0].removeprefix("x-")
    shown = value[:100].decode("latin-1")
    raise CodingError(415, f"Content-Encoding must be gzip, deflate or identity, got {shown!r}")


async def decoded(body: bytes, coding: str, limit_bytes: int, hold: Callable[[int], bool]) -> bytes:
    """What ``body`` stands for in ``coding``; none for an empty one.

    ``hold`` is told of the bytes of each step, and says whether there is room for them.
    CodingError: 400 for a body that is not in that coding to its end, 413 beyond ``limit_bytes``,
    503 without room.
    """
    if not body:
        return body
    bits = _GZIP if coding == "gzip" else _deflate_bits(body)
    inflater = zlib.decompressobj(bits)
    pieces: list[bytes] = []
    size, members, at, rest = 0, 1, 0, b""
    while True:
        if not rest and not inflater.eof:
            rest, at = body[at : at + _STEP_BYTES], at + _STEP_BYTES
        try:
            piece = inflater.decompress(rest, _STEP_BYTES)
        except zlib.error:
            raise CodingError(400, f"the body is not {coding}, as Content-Encoding says") from None
        if piece:
            size += len(piece)
            if size > limit_bytes:
                raise CodingError(413, f"decoded request body exceeds {limit_bytes} bytes")
            if not hold(len(piece)):
                raise CodingError(503, "request bodies under way take all room: try again later")
            pieces.append(piece)
        rest = inflater.unconsumed_tail or inflater.unused_data
        if inflater.eof:
            if not rest and at >= len(body):
                return b"".join(pieces)
            if coding != "gzip" or members >= _MEMBERS_MAX:
                raise CodingError(400, f"the body goes on behind the end of its {coding} data")
            inflater = zlib.decompressobj(bits)
            members += 1
        elif not rest and not piece and at >= len(body):
            raise CodingError(400, f"the body ends before its {coding} data does")
        await trio.lowlevel.checkpoint()


def _deflate_bits(body: bytes) -> int:
    # RFC 9110 means zlib's format by it; some clients send the data without that frame.
    framed = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _ZLIB if framed else _RAW
