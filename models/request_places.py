"""Which call of its key a request belongs to, and which attempt at it it is.

A key's calls are numbered from 1 in the order in which they began, and so are the attempts of a
call. A call goes on until an attempt at it ended well. A pure step function over one key; each
request is assumed to end well until ``failed`` says otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["NOTHING_YET", "Calls", "Standing", "failed", "placed", "succeeded"]


class Standing(NamedTuple):
    """One request: its call, and its attempt at that call."""

    occurrence: int
    attempt: int


class Calls(NamedTuple):
    """A key: the attempts of each of its calls, and the failed calls, oldest failure first."""

    attempts: tuple[int, ...]
    failed: tuple[int, ...]


NOTHING_YET = Calls((), ())


def placed(calls: Calls, retries: int, *, one_call: bool = False) -> tuple[Calls, Standing]:
    """The key after one more request, and where that one stands.

    ``retries`` is how many the client says it has made, 0 if it does not say; ``one_call`` says
    that all requests of the key are attempts at one call.
    """
    attempts = list(calls.attempts)
    occurrence = _call_of(calls, retries, one_call=one_call)
    if occurrence > len(attempts):
        attempts.append(0)
    attempt = max(attempts[occurrence - 1], retries) + 1
    attempts[occurrence - 1] = attempt
    left = calls.failed if one_call else _without(calls.failed, occurrence)
    return Calls(tuple(attempts), left), Standing(occurrence, attempt)


def _call_of(calls: Calls, retries: int, *, one_call: bool) -> int:
    count = len(calls.attempts)
    if one_call:
        return max(count, 1)
    as_many = [call for call in calls.failed if calls.attempts[call - 1] == retries]
    if calls.failed:
        return (as_many or calls.failed)[0]
    # A retry of the newest call, whose answer was lost on its way; else a call of its own.
    return count if retries and calls.attempts and calls.attempts[-1] == retries else count + 1


def failed(calls: Calls, standing: Standing) -> Calls:
    """The key after a request that ended badly: its call is open, unless it has gone on."""
    gone_on = calls.attempts[standing.occurrence - 1] != standing.attempt
    if gone_on or standing.occurrence in calls.failed:
        return calls
    return calls._replace(failed=(*calls.failed, standing.occurrence))


def succeeded(calls: Calls, standing: Standing) -> Calls:
    """The key after a request that ended well after all; a call that has gone on is not over."""
    gone_on = calls.attempts[standing.occurrence - 1] != standing.attempt
    if gone_on:
        return calls
    return calls._replace(failed=_without(calls.failed, standing.occurrence))


def _without(calls: tuple[int, ...], call: int) -> tuple[int, ...]:
    return tuple(each for each in calls if each != call)
