"""Which request this is: its key, its call, its attempt at that call, and whose it is.

Equal requests share a key. A key's calls are counted by ``occurrence``, the requests of one call
by ``attempt``: a call goes on until one of its requests ended well. Fate is decided by (seed, key,
occurrence, attempt), so a run does not depend on the order in which different keys arrive.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from chaoscheck.plan.aimed import Target
from chaoscheck.plan.fault_plan import KEY_LENGTH_MAX
from chaoscheck.server.apis.token_counter import TokenCounter
from chaoscheck.wire.request_codec import Request

__all__ = ["Arrival", "AttemptCounts", "Place", "caller_of", "key_of"]

_RETRY_DIGITS_MAX = 6  # no client retries a million times; longer is garbage
# Of these keys the attempts are remembered; about 5 MB. A client that comes back to a request after
# so many others begins again at attempt 1 of occurrence 1.
KEYS_MAX = 20_000
_API_KEY_HEADERS = (b"authorization", b"x-api-key", b"api-key")


class Arrival(NamedTuple):
    """A request as far as its fate depends on it.

    ``attempt`` counts from 1 per call, ``occurrence`` the calls of ``key``. ``at_s`` is in seconds
    since the server began to serve; ``in_flight`` counts the requests under way, without this one;
    ``caller`` stands for the API key (``caller_of``), and is only looked at where a quota goes by
    it; ``target`` likewise, where the plan has aims. ``tokens`` is what the request counts, where a
    plan limits that.
    """

    key: str
    attempt: int
    at_s: float
    in_flight: int
    caller: str = ""
    occurrence: int = 1
    tokens: TokenCounter | None = None
    target: Target | None = None


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


class _Call:
    """One call of a key: its number, and the number of its newest attempt."""

    __slots__ = ("attempt", "occurrence")

    def __init__(self, occurrence: int) -> None:
        self.occurrence = occurrence
        self.attempt = 0


class _Calls:
    """The calls of one key: the newest, and the failed ones that expect another attempt."""

    __slots__ = ("failed", "newest")

    def __init__(self) -> None:
        self.newest = _Call(1)
        self.failed: list[_Call] | None = None  # oldest first; made when the first call fails


class Place(NamedTuple):
    """Where a request stands among those of its key; both numbers count from 1.

    No two requests of a key share an (occurrence, attempt).
    """

    occurrence: int
    attempt: int
    calls: _Calls
    call: _Call


class AttemptCounts:
    """Says of each request which call of its key it belongs to, and which attempt at it it is.

    Theory of operation. A client's own retry loop sends what a fresh call of an equal prompt
    sends, so the two can only be told apart by what became of the requests before:

    - A request whose key has a failed call is the next attempt at that call (the oldest, if there
      are several). Else it begins a call of its own.
    - Whether a request fails is known as soon as its fate is decided, which is before any byte of
      its answer leaves. ``place`` assumes that it ends well; ``fail`` says at once that it will
      not. So the next equal request is placed the same, whether it comes while this one is still
      under way (a client that gave up on a stall, a concurrent equal prompt) or later: the n-th
      request of a key has the same place in every run with the same fates.
    - A call whose script has more entries goes on as if it had failed, so that each is met.
    - Where the end differs from what was assumed, ``fail`` and ``succeed`` correct it, unless the
      call has gone on meanwhile.
    - ``x-stainless-retry-count`` above 0 says that this is a retry: of the failed call with as many
      attempts, else of any failed call, else of the newest call if it has as many attempts (its
      answer was lost on the way). Else its call is not known and it begins one. In any case it is
      attempt count + 1 or later, so retries of which the server saw nothing count too. The
      count 0 says nothing: SDKs send it on each fresh call, within a retry loop as well.
    - ``Idempotency-Key`` names one call: all its requests are attempts at occurrence 1.

    Of k equal calls, each repeated until it ends well, exactly occurrences 1 to k are met,
    each from attempt 1 to its first good one, however they interleave.

    The key unseen for longest is forgotten first.
    """

    def __init__(self, keys_max: int = KEYS_MAX) -> None:
        # A dict would look for its oldest key behind all that left before: 20 us a request,
        # against 0.6 us.
        self._calls: OrderedDict[str, _Calls] = OrderedDict()
        self._keys_max = keys_max

    def place(self, key: str, headers: Mapping[bytes, bytes]) -> Place:
        """The place of a request with ``headers``, whose end is assumed to be good."""
        known = self._calls
        said = headers.get(b"x-stainless-retry-count")
        retries = _retries_of(said) if said and said != b"0" else 0
        calls = known.pop(key, None)
        if calls is None:
            calls = _Calls()
            call = calls.newest
            if len(known) >= self._keys_max:
                known.popitem(last=False)
        else:
            call = _call_of(calls, retries, one_call=bool(headers.get(b"idempotency-key")))
        known[key] = calls
        attempt = call.attempt = max(call.attempt, retries) + 1 if retries else call.attempt + 1
        return Place(call.occurrence, attempt, calls, call)

    @staticmethod
    def fail(place: Place) -> None:
        """The request ended badly, or will: its call expects another attempt."""
        calls, call = place.calls, place.call
        if call.attempt != place.attempt:
            return  # It has been made already.
        if calls.failed is None:
            calls.failed = []
        if call not in calls.failed:
            calls.failed.append(call)

    @staticmethod
    def succeed(place: Place) -> None:
        """The request ended well after all: its call is over, unless it has gone on."""
        calls, call = place.calls, place.call
        if calls.failed and call.attempt == place.attempt and call in calls.failed:
            calls.failed.remove(call)


def _call_of(calls: _Calls, retries: int, *, one_call: bool) -> _Call:
    """The call that the next request of a known key belongs to; a failed one leaves the others."""
    newest = calls.newest
    if one_call:
        return newest
    failed = calls.failed
    if failed:
        at = next((at for at, call in enumerate(failed) if call.attempt == retries), 0)
        return failed.pop(at)
    if newest.attempt == retries:
        return newest
    calls.newest = _Call(newest.occurrence + 1)
    return calls.newest


def _retries_of(said: bytes) -> int:
    """How many retries a client says it has made; 0 if that is garbage."""
    return int(said) if said.isdigit() and len(said) <= _RETRY_DIGITS_MAX else 0
