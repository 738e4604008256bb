"""Keys, calls and attempts: which request this is, and of which caller."""

from __future__ import annotations

import pytest

from chaoscheck.server.identity import KEYS_MAX, AttemptCounts, Place, caller_of, key_of
from chaoscheck.wire.request_codec import Request


def _request(body: bytes = b"", **headers: str) -> Request:
    raw = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Request(method="POST", target="/p", headers=raw, body=body, keep_alive=True)


@pytest.mark.parametrize(
    ("request_", "key"),
    [
        (_request(idempotency_key="i", x_chaos_key="c"), "i"),
        (_request(x_chaos_key="c"), "c"),
        (_request(x_chaos_key="c" * 300), "c" * 200),
    ],
)
def test_a_named_key_is_the_key(request_: Request, key: str) -> None:
    """Idempotency-Key comes first, then X-Chaos-Key; 200 characters count."""
    assert key == key_of(request_, "/p")


def test_without_a_name_equal_requests_share_a_key() -> None:
    """A retry is known by its method, path and body."""
    keys = [
        key_of(_request(b"a"), "/p"),
        key_of(_request(b"a", user_agent="x"), "/p"),
        key_of(_request(b"b"), "/p"),
        key_of(_request(b"a"), "/q"),
    ]

    assert keys[0] == keys[1]
    assert 3 == len(set(keys))


def test_a_caller_is_known_by_its_api_key_wherever_it_is_sent() -> None:
    """Authorization comes before x-api-key before api-key; other headers do not matter."""
    same = [
        _request(authorization="Bearer a", x_api_key="b"),
        _request(b"body", authorization="Bearer a", api_key="c", user_agent="x"),
    ]
    others = [_request(authorization="Bearer b"), _request(x_api_key="a"), _request(api_key="b")]

    assert 1 == len({caller_of(request) for request in same})
    assert 4 == len({caller_of(request) for request in same + others})
    assert "" == caller_of(_request())


def test_an_api_key_is_not_kept() -> None:
    """A secret that I send is nowhere in what the server remembers of me."""
    assert "sk-secret" not in caller_of(_request(authorization="Bearer sk-secret"))


def _placed(counts: AttemptCounts, key: str = "k", retries: str | None = None) -> Place:
    headers = {} if retries is None else {b"x-stainless-retry-count": retries.encode("latin-1")}
    return counts.place(key, headers)


def _which(place: Place) -> tuple[int, int]:
    return place.occurrence, place.attempt


def _met(counts: AttemptCounts, *, failing: int, retries: str | None = None) -> tuple[int, int]:
    """Where one request stands, of a call whose first ``failing`` attempts fail."""
    place = _placed(counts, retries=retries)
    if place.attempt <= failing:
        counts.fail(place)
    return _which(place)


@pytest.mark.parametrize(
    ("sent", "attempt"),
    [("0", 1), ("2", 3), ("-1", 1), ("x", 1), ("", 1), ("\xb2", 1), ("9" * 20, 1)],
)
def test_an_sdk_that_has_counted_retries_is_believed(sent: str, attempt: int) -> None:
    """x-stainless-retry-count counts retries, also those that never came; garbage is ignored."""
    assert attempt == _placed(AttemptCounts(), retries=sent).attempt


@pytest.mark.parametrize("retries", [None, "0"])
def test_a_call_goes_on_until_it_ended_well(retries: str | None) -> None:
    """A retry loop of my own gets on, also around an SDK that begins at 0 each time."""
    counts = AttemptCounts()
    met = [_met(counts, failing=2, retries=retries) for _ in range(7)]

    assert [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1)] == met


def test_a_loop_around_an_sdks_own_retries_counts_on() -> None:
    """Three calls of an SDK that retries once each are six attempts at one call."""
    counts = AttemptCounts()
    met = [_met(counts, failing=9, retries=retries) for retries in ("0", "1") * 3]

    assert [(1, attempt) for attempt in range(1, 7)] == met


def test_an_equal_prompt_beside_one_that_goes_well_is_a_call_of_its_own() -> None:
    """Two in flight at once do not share a fate."""
    counts = AttemptCounts()

    assert [(1, 1), (2, 1)] == [_which(_placed(counts)) for _ in range(2)]


def test_a_counted_retry_goes_to_the_call_that_has_as_many_attempts() -> None:
    """Of two failed calls the one that was tried twice gets the second retry."""
    counts = AttemptCounts()
    one, two = _placed(counts), _placed(counts)
    counts.fail(one)
    counts.fail(two)
    counts.fail(_placed(counts, retries="1"))

    assert [(1, 3), (2, 2)] == [_which(_placed(counts, retries=sent)) for sent in ("2", "1")]


def test_a_counted_retry_of_what_ended_well_is_a_retry_all_the_same() -> None:
    """An answer was lost on its way to me: my SDK's retry is not taken for another call."""
    counts = AttemptCounts()
    _placed(counts)

    assert [(1, 2), (2, 1)] == [_which(_placed(counts, retries=sent)) for sent in ("1", "0")]


def test_a_counted_retry_of_an_unknown_call_is_no_first_attempt() -> None:
    """Another client took my call's next attempt: ``fail the first 2`` ends for me as well."""
    counts = AttemptCounts()
    counts.fail(_placed(counts))
    _placed(counts)

    assert (2, 2) == _which(_placed(counts, retries="1"))


def test_an_end_that_differs_from_its_fate_is_corrected() -> None:
    """I left before a good answer was whole: I come back to the same call. A healed stall ends."""
    counts = AttemptCounts()
    left = _placed(counts)
    counts.fail(left)
    healed = _placed(counts)
    counts.fail(healed)
    counts.succeed(healed)

    assert [(1, 2), (2, 1)] == [_which(healed), _which(_placed(counts))]


def test_the_end_of_an_attempt_that_was_given_up_changes_nothing() -> None:
    """A stalled request that ends after its retry neither fails nor ends the call."""
    counts = AttemptCounts()
    stalled = _placed(counts)
    counts.fail(stalled)
    retry = _placed(counts)
    counts.fail(stalled)
    fresh = _placed(counts)
    counts.fail(retry)
    counts.succeed(stalled)

    assert [(1, 2), (2, 1)] == [_which(retry), _which(fresh)]
    assert (1, 3) == _which(_placed(counts))


def test_an_idempotency_key_names_one_call() -> None:
    """Whatever comes with it is an attempt at that call, also after it ended well."""
    counts = AttemptCounts()
    headers = {b"idempotency-key": b"k"}

    assert [(1, 1), (1, 2), (1, 3)] == [_which(counts.place("k", headers)) for _ in range(3)]


def test_calls_are_counted_per_key() -> None:
    """The second call of a key is its second, whatever others do."""
    counts = AttemptCounts()
    calls = [_placed(counts, key).occurrence for key in ("a", "b", "a", "a")]

    assert [1, 1, 2, 3] == calls


def test_the_key_unseen_for_longest_is_forgotten_first() -> None:
    """A server that runs for weeks does not remember every key."""
    counts = AttemptCounts(keys_max=2)

    assert [1, 1, 2, 1, 3, 1] == [
        _placed(counts, key).occurrence for key in ("a", "b", "a", "c", "a", "b")
    ]


def test_the_memory_of_attempts_is_full_before_the_benchmark_begins_to_watch() -> None:
    """However many distinct requests a server meets, it remembers a fixed number of them."""
    counts = AttemptCounts()
    for number in range(KEYS_MAX + 2):
        _placed(counts, str(number))

    assert KEYS_MAX < 50_000
    assert [2, 1] == [_placed(counts, key).occurrence for key in ("2", "0")]
