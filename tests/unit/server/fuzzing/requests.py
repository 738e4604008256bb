"""Requests for a fuzzer: bytes for a connection, as a function of a seed and a number.

Most are well-formed HTTP to a place that exists with a body that is odd; some have an odd head,
some have bytes changed anywhere.
"""

from __future__ import annotations

import gzip

from chaoscheck.server.admin import ADMIN_PREFIX
from chaoscheck.server.apis.routes import PLACES
from chaoscheck.world.choices import Choices, SeededChoices
from tests.unit.server.fuzzing.documents import body_of, odd_body

__all__ = ["TOKEN", "request_bytes"]

TOKEN = "fuzz-token"

_ADMIN = ("plan", "stats", "export", "health", "reset", "faults", "heal", "nowhere")
_METHODS = ("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW", "CONNECT")
_SEGMENTS = ("m", "gpt-4o", "file-1", "a%2Fb", "%ff", "x" * 3_000, "..", "m:generateContent", "%")
_QUERIES = (
    "api-version=2024-10-21",
    "api-version=",
    "alt=sse",
    "limit=0&after=x",
    "limit=9999999999999999999",
    "format=prometheus",
    "tags=true",
    "%=&&;=%00",
)
_HEADERS = (
    "anthropic-version: 2023-06-01",
    "idempotency-key: k",
    "idempotency-key: " + "k" * 9_000,
    "x-chaos-key: \xff\xfe",
    "x-stainless-retry-count: 3",
    "x-stainless-retry-count: 99999999999999999999",
    "x-stainless-retry-count: \xb2",
    "expect: 100-continue",
    "upgrade: websocket\r\nconnection: upgrade",
    "connection: close",
    "content-encoding: gzip",
    "content-encoding: br",
    "content-type: text/plain",
    "origin: http://example.com",
    "authorization: Bearer \xe9",
    "x-api-key: k",
    "accept-encoding: gzip, br",
    "traceparent: 00-0-0-0",
    "bad header",
    ": empty",
    "x-many: " + "v" * 33_000,
)


def request_bytes(seed: int, number: int, *, path: str | None = None) -> bytes:
    """The ``number``-th request of ``seed``; a POST to ``path`` if one is given."""
    choices = SeededChoices(seed).derive("request", number)
    method, target = _target(choices) if path is None else ("POST", path)
    body = odd_body(body_of(target, choices), choices)
    if method in ("GET", "HEAD") and choices.pick("bare", 8):
        body = b""
    written = _head(method, target, body, choices)
    return _changed(written, choices) if choices.pick("change bytes", 10) == 1 else written


def _target(choices: Choices) -> tuple[str, str]:
    if choices.pick("admin", 12) == 1:
        name = _ADMIN[choices.pick("endpoint", len(_ADMIN))]
        method = ("GET", "POST", "PUT")[choices.pick("method", 3)]
        path = ADMIN_PREFIX + name
    else:
        place = PLACES[choices.pick("place", len(PLACES))]
        method, path = place.method, place.path
        while "(" in path:
            begin = path.index("(")
            segment = _SEGMENTS[choices.pick("segment", len(_SEGMENTS))]
            path = path[:begin] + segment + path[path.index(")", begin) + 1 :]
        path = path.replace("\\", "")
    if choices.pick("another method", 16) == 1:
        method = _METHODS[choices.pick("method", len(_METHODS))]
    if choices.pick("another path", 20) == 1:
        path += _SEGMENTS[choices.pick("segment", len(_SEGMENTS))]
    azure = path.startswith("/openai/") and choices.pick("version", 8)
    if azure or choices.pick("query", 6) == 1:
        query = _QUERIES[0 if azure else choices.pick("which query", len(_QUERIES))]
        path = f"{path}?{query}"
    return method, path


def _head(method: str, target: str, body: bytes, choices: Choices) -> bytes:
    lines = [f"{method} {target} HTTP/1.{choices.pick('version', 40) != 1:d}", "host: x"]
    if target.startswith(ADMIN_PREFIX) and choices.pick("token", 10):
        lines.append(f"authorization: Bearer {TOKEN}")
    lines += [
        _HEADERS[choices.pick("header", len(_HEADERS))] for _ in range(choices.pick("headers", 3))
    ]
    if "content-encoding: gzip" in lines and choices.pick("really", 4):
        body = gzip.compress(body, mtime=0)
    framing = choices.pick("framing", 12)
    if framing == 1:
        lines.append("transfer-encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    elif framing == 2:
        lines.append(f"content-length: {len(body) + choices.pick('off by', 5) - 2}")
    elif body or framing > 3:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _changed(data: bytes, choices: Choices) -> bytes:
    changed = bytearray(data)
    for _ in range(1 + choices.pick("changes", 4)):
        at = choices.pick("at", len(changed))
        kind = choices.pick("kind", 3)
        if kind == 0:
            changed[at] = choices.pick("byte", 256)
        elif kind == 1:
            del changed[at : at + 1 + choices.pick("cut", 20)]
        else:
            changed[at:at] = changed[at : at + choices.pick("copy", 60)]
        if not changed:
            return b"\r\n"
    return bytes(changed)
