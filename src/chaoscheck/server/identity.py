"""Who is asking: the key of a request, which attempt of that key it is, and whose it is.

Fate is decided by (seed, key, attempt), so these make a run independent of arrival order.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import NamedTuple

from chaoscheck.plan.fault_plan import KEY_LENGTH_MAX
from chaoscheck.wire.request_codec import Request

__all__ = ["Arrival", "AttemptCounts", "caller_of", "key_of"]

_RETRY_DIGITS_MAX = 6  # no client retries a million times; longer is garbage
# Of these keys the attempts are remembered; about 5 MB. A client that comes back to a request after
# so many others begins again at attempt 1.
KEYS_MAX = 20_000
_API_KEY_HEADERS = (b"authorization", b"x-api-key", b"api-key")


class Arrival(NamedTuple):
    """A request as far as its fate depends on it.

    ``at_s`` is in seconds since the server began to serve; ``in_flight`` counts the requests
    under way, without this one; ``caller`` stands for the API key (``caller_of``), and is only
    looked at where a quota goes by it.
    """

    key: str
    attempt: int
    at_s: float
    in_flight: int
    caller: str = ""


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


def caller_of(request: Request) -> str:
    """A digest of the API key that was sent, empty if none was.

    The key is that of ``Authorization``, else ``x-api-key``, else ``api-key``. It is a secret:
    only its digest is kept.
    """
    headers = request.headers
    for name in _API_KEY_HEADERS:
        given = headers.get(name)
        if given:
            return hashlib.blake2b(given, digest_size=16).hexdigest()
    return ""


class AttemptCounts:
    """Counts the requests of each key; the key unseen for longest is forgotten first."""

    def __init__(self, keys_max: int = KEYS_MAX) -> None:
        # A dict would look for its oldest key behind all that left before: 20 us a request,
        # against 0.6 us.
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._keys_max = keys_max

    def attempt_of(self, key: str, request: Request) -> int:
        """1 for the first attempt: ``x-stainless-retry-count`` + 1 if sent, else our own count."""
        counts = self._counts
        count = counts.pop(key, 0) + 1
        counts[key] = count
        if len(counts) > self._keys_max:
            counts.popitem(last=False)
        retries = request.headers.get(b"x-stainless-retry-count", b"")
        if retries.isdigit() and len(retries) <= _RETRY_DIGITS_MAX:
            return int(retries) + 1
        return count
