"""Keys and attempts: who asks, and for the how-manieth time."""

from __future__ import annotations

import pytest

from chaoscheck.server.identity import KEYS_MAX, AttemptCounts, caller_of, key_of
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


@pytest.mark.parametrize(
    ("sent", "attempt"), [("0", 1), ("2", 3), ("-1", 1), ("x", 1), ("", 1), ("9" * 20, 1)]
)
def test_an_sdk_that_counts_its_retries_is_believed(sent: str, attempt: int) -> None:
    """x-stainless-retry-count counts retries from 0; garbage in it is ignored."""
    request = _request(x_stainless_retry_count=sent)

    assert attempt == AttemptCounts().attempt_of("k", request)


def test_attempts_are_counted_per_key() -> None:
    """The second request of a key is its second attempt, whatever others do."""
    counts = AttemptCounts()

    assert [1, 1, 2, 3] == [counts.attempt_of(key, _request()) for key in ("a", "b", "a", "a")]


def test_the_key_unseen_for_longest_is_forgotten_first() -> None:
    """A server that runs for weeks does not remember every key."""
    counts = AttemptCounts(keys_max=2)

    assert [1, 1, 2, 1, 3, 1] == [
        counts.attempt_of(key, _request()) for key in ("a", "b", "a", "c", "a", "b")
    ]


def test_the_memory_of_attempts_is_full_before_the_benchmark_begins_to_watch() -> None:
    """However many distinct requests a server meets, it remembers a fixed number of them."""
    counts = AttemptCounts()
    for number in range(KEYS_MAX + 2):
        counts.attempt_of(str(number), _request())

    assert KEYS_MAX < 50_000
    assert [2, 1] == [counts.attempt_of(key, _request()) for key in ("2", "0")]
