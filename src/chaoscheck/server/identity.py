"""Who is asking: the key of a request and which attempt of that key it is.

Fate is decided by (seed, key, attempt), so these two make a run independent of arrival order.
"""

from __future__ import annotations

import hashlib

from chaoscheck.plan.fault_plan import KEY_LENGTH_MAX
from chaoscheck.wire.request_codec import Request

__all__ = ["AttemptCounts", "key_of"]

_RETRY_DIGITS_MAX = 6  # no client retries a million times; longer is garbage


def key_of(request: Request, path: str) -> str:
    """``Idempotency-Key``, else ``X-Chaos-Key``, else a digest of method, path and body.

    Only the first 200 characters of a header count.
    """
    headers = request.headers
    given = headers.get(b"idempotency-key") or headers.get(b"x-chaos-key")
    if given:
        return given.decode("latin-1")[:KEY_LENGTH_MAX]
    asked = f"{request.method} {path}\n".encode() + request.body
    return hashlib.blake2b(asked, digest_size=16).hexdigest()


class AttemptCounts:
    """Counts the requests of each key; the key unseen for longest is forgotten first."""

    def __init__(self, keys_max: int = 100_000) -> None:
        self._counts: dict[str, int] = {}
        self._keys_max = keys_max

    def attempt_of(self, key: str, request: Request) -> int:
        """1 for the first attempt: ``x-stainless-retry-count`` + 1 if sent, else our own count."""
        counts = self._counts
        count = counts.pop(key, 0) + 1
        counts[key] = count
        if len(counts) > self._keys_max:
            del counts[next(iter(counts))]
        retries = request.headers.get(b"x-stainless-retry-count", b"")
        if retries.isdigit() and len(retries) <= _RETRY_DIGITS_MAX:
            return int(retries) + 1
        return count
