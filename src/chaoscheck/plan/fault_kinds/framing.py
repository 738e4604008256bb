"""Heads that tell a lie about their body: how long it is, or that it comes in chunks.

Such an answer says ``connection: close`` and the server keeps its word: no later request on the
same connection pays for bytes that belong to this one.
"""

from __future__ import annotations

import re

__all__ = ["promised_chunked", "promised_length"]

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)(?=\r\n)", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding:[^\r]*(?=\r\n)", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection:[^\r]*(?=\r\n)", re.IGNORECASE)


def promised_length(head: bytes, by_bytes: int) -> bytes:
    """``head`` whose content-length is ``by_bytes`` off, at least 0; as it is without one."""
    length = _LENGTH.search(head)
    if length is None:
        return head
    promised = max(int(length[1]) + by_bytes, 0)
    return _closing(head[: length.start(1)] + b"%d" % promised + head[length.end(1) :])


def promised_chunked(head: bytes) -> bytes:
    """``head`` of a body in chunks, whatever framed it before."""
    bare = _CODING.sub(b"", _LENGTH.sub(b"", head))
    return _closing(_with_line(bare, b"transfer-encoding: chunked"))


def _closing(head: bytes) -> bytes:
    return _with_line(_CONNECTION.sub(b"", head), b"connection: close")


def _with_line(head: bytes, line: bytes) -> bytes:
    return head[:-2] + line + b"\r\n\r\n"
