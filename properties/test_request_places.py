"""Calls and attempts: equal requests are told apart, and every retry loop gets on.

The server's ``AttemptCounts`` is held to its model over any sequence of requests and ends, and to
three promises that say nothing of how it counts: no two requests share a place; clients that
repeat equal calls until they end well meet the same places however they interleave; and what
other keys do changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.server.identity import AttemptCounts, Place
from models.request_places import NOTHING_YET, Calls, Standing, failed, placed, succeeded

Make = Callable[[], AttemptCounts]


class Step(NamedTuple):
    """A request of ``key``, or the end of one that came before (``of`` counts back from it)."""

    does: Literal["request", "fail", "succeed"]
    key: str
    retries: int = 0
    one_call: bool = False
    of: int = 0


KEYS = ("a", "b")
_KEY = st.sampled_from(KEYS)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("request"), _KEY),
        st.tuples(st.just("request"), _KEY, st.integers(0, 4), st.sampled_from((False, True))),
        st.tuples(
            st.sampled_from(("fail", "fail", "succeed")),
            _KEY,
            st.just(0),
            st.just(False),
            st.integers(0, 3),
        ),
    ).map(lambda fields: Step(*fields)),
    max_size=40,
)


def headers_of(step: Step) -> Mapping[bytes, bytes]:
    """What a client sends that says as much as ``step``."""
    headers = {b"x-stainless-retry-count": str(step.retries).encode()}
    return headers | ({b"idempotency-key": step.key.encode()} if step.one_call else {})


def check_against_model(make: Make, steps: list[Step]) -> None:
    """Each request stands where the model says, and at a place of its own."""
    counts = make()
    calls: dict[str, Calls] = dict.fromkeys(KEYS, NOTHING_YET)
    met: dict[str, list[tuple[Place, Standing]]] = {key: [] for key in KEYS}
    for step in steps:
        known, of_key = calls[step.key], met[step.key]
        if step.does == "request":
            place = counts.place(step.key, headers_of(step))
            calls[step.key], expected = placed(known, step.retries, one_call=step.one_call)
            of_key.append((place, expected))
            assert expected == Standing(*place[:2])
            assert len(of_key) == len({each[:2] for each, _ in of_key})
        elif step.of < len(of_key):
            place, standing = of_key[-1 - step.of]
            if step.does == "fail":
                counts.fail(place)
                calls[step.key] = failed(known, standing)
            else:
                counts.succeed(place)
                calls[step.key] = succeeded(known, standing)


@settings(max_examples=300)
@given(_STEPS)
def test_each_request_stands_where_the_model_says(steps: list[Step]) -> None:
    """Requests, counted retries, idempotency keys and late ends, of two keys, in any order."""
    check_against_model(AttemptCounts, steps)


def places_of_loops(make: Make, fails: set[tuple[int, int]], turns: list[int]) -> list[Standing]:
    """What equal calls meet of which each is repeated until it ends well.

    ``turns`` says which client's turn it is, each time; who is left goes on in order.
    """
    counts = make()
    left = sorted(set(turns))
    met: list[Standing] = []
    queue = list(turns)
    while left:
        client = queue.pop(0) if queue else left[0]
        if client not in left:
            continue
        place = counts.place("k", {b"x-stainless-retry-count": b"0"})
        met.append(Standing(*place[:2]))
        assert len(met) <= 1000, "a retry loop never ends"
        if (place.occurrence, place.attempt) in fails:
            counts.fail(place)
        else:
            left.remove(client)
    return met


def check_loops(make: Make, fails: set[tuple[int, int]], turns: list[int]) -> None:
    """Of k equal calls exactly occurrences 1 to k are met, from 1 to the first good attempt."""
    expected = []
    for occurrence in range(1, len(set(turns)) + 1):
        attempt = 1
        while (occurrence, attempt) in fails:
            expected.append((occurrence, attempt))
            attempt += 1
        expected.append((occurrence, attempt))
    met = places_of_loops(make, fails, turns)

    assert expected == [(each.occurrence, each.attempt) for each in met]


_FAILS = st.sets(st.tuples(st.integers(1, 4), st.integers(1, 3)), max_size=12)
_TURNS = st.lists(st.integers(1, 4), min_size=1, max_size=20)


@given(_FAILS, _TURNS)
def test_equal_calls_meet_the_same_places_however_they_interleave(
    fails: set[tuple[int, int]], turns: list[int]
) -> None:
    """Clients with a loop of their own all get through, each call with fates of its own."""
    check_loops(AttemptCounts, fails, turns)


def check_other_keys(make: Make, keys: list[str], fails: set[tuple[int, int]]) -> None:
    """The places of each key are those that it has where it comes alone."""

    def places(arrivals: list[str]) -> dict[str, list[Standing]]:
        counts = make()
        met: dict[str, list[Standing]] = {key: [] for key in KEYS}
        for key in arrivals:
            place = counts.place(key, {})
            met[key].append(Standing(*place[:2]))
            if (place.occurrence, place.attempt) in fails:
                counts.fail(place)
        return met

    together = places(keys)
    assert together == {key: places([each for each in keys if each == key])[key] for key in KEYS}


@given(st.lists(st.sampled_from(KEYS), max_size=20), _FAILS)
def test_what_other_keys_do_changes_nothing(keys: list[str], fails: set[tuple[int, int]]) -> None:
    """The order in which different keys arrive is no part of a fate."""
    check_other_keys(AttemptCounts, keys, fails)


class ZeroBegins(AttemptCounts):
    """A broken twin: a retry count of 0 says that this is the first attempt."""

    def place(self, key: str, headers: Mapping[bytes, bytes]) -> Place:
        place = super().place(key, headers)
        zero = headers.get(b"x-stainless-retry-count") == b"0"
        return place._replace(attempt=1) if zero else place


class NeverEnds(AttemptCounts):
    """A broken twin: attempts are counted on also after one ended well."""

    def place(self, key: str, headers: Mapping[bytes, bytes]) -> Place:
        return super().place(key, {**headers, b"idempotency-key": b"k"})


class AlwaysFresh(AttemptCounts):
    """A broken twin: a failed call is never gone on with."""

    @staticmethod
    def fail(place: Place) -> None:
        """Forgets."""


class LateEndsCount(AttemptCounts):
    """A broken twin: the end of an attempt that was given up opens its call once more."""

    @staticmethod
    def fail(place: Place) -> None:
        """Takes every attempt for the newest."""
        AttemptCounts.fail(place._replace(attempt=place.call.attempt))


class OneBook(AttemptCounts):
    """A broken twin: all keys share their calls."""

    def place(self, key: str, headers: Mapping[bytes, bytes]) -> Place:
        return super().place("k", headers)


class NewestFirst(AttemptCounts):
    """A broken twin: a retry count says nothing about which failed call is meant."""

    def place(self, key: str, headers: Mapping[bytes, bytes]) -> Place:
        told = {name: value for name, value in headers.items() if name == b"idempotency-key"}
        return super().place(key, told)


class NoCorrection(AttemptCounts):
    """A broken twin: what ends well after all stays failed."""

    @staticmethod
    def succeed(place: Place) -> None:
        """Forgets."""


def _requests(*retries: int, one_call: bool = False) -> list[Step]:
    return [Step("request", "a", count, one_call) for count in retries]


_FAIL = Step("fail", "a")


@pytest.mark.parametrize(
    ("twin", "check"),
    [
        (ZeroBegins, lambda make: check_loops(make, {(1, 1)}, [1])),
        (NeverEnds, lambda make: check_loops(make, set(), [1, 2])),
        (AlwaysFresh, lambda make: check_loops(make, {(1, 1)}, [1])),
        (OneBook, lambda make: check_other_keys(make, ["a", "b"], set())),
        (
            LateEndsCount,
            lambda make: check_against_model(
                make, [*_requests(0), _FAIL, *_requests(0), _FAIL._replace(of=1), *_requests(0)]
            ),
        ),
        (NewestFirst, lambda make: check_against_model(make, _requests(0, 1))),
        (
            NoCorrection,
            lambda make: check_against_model(
                make, [*_requests(0), _FAIL, Step("succeed", "a"), *_requests(0)]
            ),
        ),
    ],
)
def test_the_laws_catch_each_broken_twin(twin: Make, check: Callable[[Make], None]) -> None:
    """Each planted bug breaks its law, and what is not broken keeps it."""
    check(AttemptCounts)
    with pytest.raises(AssertionError):
        check(twin)
