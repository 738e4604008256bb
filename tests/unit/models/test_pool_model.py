"""The pool's judge: a lawful log passes, and each single breach is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from models.aimd import AimdRules
from models.pool import (
    Attempt,
    PoolRules,
    breaches,
    capacity_delays_s,
    lawful_delay_s,
    lawful_end,
)

RULES = PoolRules(pool_size=1, max_seconds=10, max_failures=2)
FIRST = Attempt(
    query="a", number=1, submitted_s=0, started_s=0, ended_s=1, outcome="capacity",
    own_delay_s=0.05, retry_after_s=3.0, delay_s=3.0,
)  # fmt: skip
OTHER = Attempt(query="b", number=1, submitted_s=0, started_s=1, ended_s=5, outcome="ok")
SECOND = Attempt(query="a", number=2, submitted_s=0, started_s=5, ended_s=6, outcome="ok")


def test_a_lawful_log_has_no_breach() -> None:
    """The second query runs while the first backs off, and the first waits for its end."""
    assert breaches([FIRST, OTHER, SECOND], RULES) == []


Tampering = Callable[[], list[Attempt]]
TAMPERED: dict[str, tuple[str, Tampering]] = {
    "two at once": ("2 in flight at 5, over 1", lambda: [FIRST, replace(OTHER, ended_s=9), SECOND]),
    "slot held": ("waited from 0 beside a free slot", lambda: [FIRST, late(OTHER), late(SECOND)]),
    "too early": (
        "before the delay after",
        lambda: [FIRST, replace(SECOND, started_s=3, ended_s=3.5)],
    ),
    "wrong delay": (
        "followed by a delay of 3.0",
        lambda: [replace(FIRST, delay_s=0.05), OTHER, SECOND],
    ),
    "at the deadline": (
        "at or after its deadline",
        lambda: [FIRST, OTHER, replace(SECOND, started_s=10, ended_s=10)],
    ),
    "after the end": (
        "follows the end of its query",
        lambda: [replace(FIRST, outcome="permanent"), OTHER, SECOND],
    ),
    "a gap": ("numbered from 1", lambda: [FIRST, OTHER, replace(SECOND, number=3)]),
}


def late(attempt: Attempt) -> Attempt:
    """The same attempt three seconds later, as if the slot had been held during the backoff."""
    return replace(attempt, started_s=attempt.started_s + 3, ended_s=attempt.ended_s + 3)


@pytest.mark.parametrize(("sentence", "tampered"), TAMPERED.values(), ids=TAMPERED)
def test_each_breach_is_found(sentence: str, tampered: Tampering) -> None:
    """Every law of the pool catches the log that breaks it."""
    assert any(sentence in breach for breach in breaches(tampered(), RULES))


@pytest.mark.parametrize(
    ("last", "end"),
    [
        (replace(FIRST, outcome="ok"), ("ok", 1)),
        (replace(FIRST, outcome="permanent"), ("permanent", 1)),
        (replace(FIRST, delay_s=8.9), None),
        (replace(FIRST, delay_s=9.0), ("retry_timeout", 10)),
        (replace(FIRST, ended_s=12), ("retry_timeout", 12)),
    ],
)
def test_the_last_attempt_tells_how_and_when_a_query_ends(
    last: Attempt, end: tuple[str, float] | None
) -> None:
    """A delay that reaches the deadline ends the query there, a late attempt at its own end."""
    assert end == lawful_end([last], RULES)


def test_transient_failures_end_a_query_when_they_are_used_up() -> None:
    """Capacity errors between them do not count."""
    failure = replace(FIRST, outcome="transient", delay_s=0.5)

    assert lawful_end([failure, FIRST], RULES) is None
    assert lawful_end([failure, FIRST, failure], RULES) == ("attempts_exhausted", 1)


def test_capacity_delays_follow_the_order_in_which_attempts_end() -> None:
    """One throttle for all queries: 50 ms, then 100, one step less after a success, then twice."""
    failure = replace(FIRST, outcome="capacity")
    log = [failure, failure, OTHER, failure, replace(FIRST, outcome="transient")]

    assert capacity_delays_s(log, AimdRules()) == [0.05, 0.1, None, 0.1, None]


@pytest.mark.parametrize(
    ("asked_s", "expected"),
    [(None, 2.0), (1.0, 2.0), (3.0, 3.0), (120.0, 120.0), (121.0, 2.0), (-1.0, 2.0),
     (float("nan"), 2.0), (float("inf"), 2.0)],
)  # fmt: skip
def test_a_sensible_retry_after_is_a_lower_bound(asked_s: float | None, expected: float) -> None:
    """Everything else falls back to the own backoff."""
    assert expected == lawful_delay_s(2.0, asked_s, RULES)
