"""What OpenAI's chat completions say to ``hello there`` when nothing goes wrong, byte by byte.

Written by hand, as is what each fault makes of it: a table that asked the server what to expect
would agree with it, whatever it says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = [
    "DONE",
    "FINISH",
    "GOOD",
    "HELLO",
    "LAST_CHUNK",
    "ROLE",
    "STREAM",
    "TEXT",
    "THERE",
    "USAGE",
    "chunk",
    "edited",
    "framed",
    "in_virtual_time",
]

TEXT = b"hello there"

_CREATED = b'"created":1767225600'  # where every world's calendar begins: 2026-01-01
_TOKENS = b'"usage":{"prompt_tokens":2,"completion_tokens":2,"total_tokens":4}'

GOOD = (
    b'{"id":"chatcmpl-000001","object":"chat.completion",%b,"model":"m","choices":'
    b'[{"index":0,"message":{"role":"assistant","content":"hello there","refusal":null},'
    b'"logprobs":null,"finish_reason":"stop"}],%b}' % (_CREATED, _TOKENS)
)


def _event(choices: bytes, usage: bytes = b'"usage":null') -> bytes:
    return (
        b'data: {"id":"chatcmpl-000001","object":"chat.completion.chunk",%b,"model":"m",'
        b'"choices":[%b],%b}\n\n' % (_CREATED, choices, usage)
    )


def _choice(delta: bytes, finish: bytes = b"null") -> bytes:
    return b'{"index":0,"delta":{%b},"logprobs":null,"finish_reason":%b}' % (delta, finish)


ROLE = _event(_choice(b'"role":"assistant","content":"","refusal":null'))
HELLO = _event(_choice(b'"content":"hello "'))
THERE = _event(_choice(b'"content":"there"'))
FINISH = _event(_choice(b"", b'"stop"'))
USAGE = _event(b"", _TOKENS)
DONE = b"data: [DONE]\n\n"
STREAM = (ROLE, HELLO, THERE, FINISH, USAGE, DONE)

LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """``data`` as one chunk (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def framed(events: Sequence[bytes]) -> bytes:
    """A whole stream: each event in a chunk of its own, and the last chunk."""
    return b"".join([*map(chunk, events), LAST_CHUNK])


def edited(said: bytes, before: bytes, after: bytes) -> bytes:
    """``said`` with ``after`` in place of ``before``, which must stand in it exactly once."""
    if said.count(before) != 1:
        raise ValueError(f"{before!r} must stand once in {said!r}")
    return said.replace(before, after)


def in_virtual_time(said: bytes) -> bytes:
    """What was said on the real clock, as if the calendar had been a world's."""
    return re.sub(rb'"created":\d{10}', _CREATED, said)
