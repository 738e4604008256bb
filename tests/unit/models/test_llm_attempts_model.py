"""What an attempt may come to, by hand for each kind of record, and against a brute force."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from models.llm_attempts import Disturbance, Request, attempt_breaches, lawful_fates, witnessed
from models.pool import Attempt

MAX_S = 20.0


def attempt(number: int, started_s: float, ended_s: float, outcome: str = "ok") -> Attempt:
    """An attempt of a row that was submitted at 0."""
    return Attempt(
        query="row 1",
        number=number,
        submitted_s=0.0,
        started_s=started_s,
        ended_s=ended_s,
        outcome=outcome,  # type: ignore[arg-type]  # tests name them by text
    )


def fates(
    outcome_s: tuple[float, float], *faults: str | None, disturbed: bool = False
) -> frozenset[str]:
    """What one attempt between two instants may come to, whose requests met these faults."""
    disturbances = [Disturbance(name="cut", from_s=1.0, until_s=2.0)] if disturbed else []
    requests = [Request(received_s=outcome_s[0], fault=fault) for fault in faults]
    [one] = witnessed([attempt(1, *outcome_s)], requests, disturbances)
    return lawful_fates(one, MAX_S)


def test_an_attempt_comes_to_what_its_own_request_met() -> None:
    """Good without a fault; with one, what the table of fates says."""
    assert fates((1.0, 1.5), None) == {"ok"}
    assert fates((1.0, 1.5), "status_500") == {"transient"}
    assert fates((1.0, 1.5), "status_429") == {"capacity"}


def test_a_disturbed_attempt_may_also_be_transient_and_nothing_else() -> None:
    """The link loses replies; it does not refuse good requests, nor make a 500 permanent."""
    assert fates((1.0, 1.5), None, disturbed=True) == {"ok", "transient"}
    assert fates((1.0, 1.5), "status_400", disturbed=True) == {"permanent", "transient"}
    assert fates((1.0, 1.5), disturbed=True) == {"transient"}
    assert fates((3.0, 3.5), None, disturbed=True) == {"ok"}


def test_an_unseen_attempt_may_only_end_at_the_deadline() -> None:
    """It waited for a connection until then; before that nothing explains it."""
    assert fates((1.0, 1.5)) == frozenset()
    assert fates((1.0, MAX_S)) == {"transient"}


def test_a_request_belongs_to_the_newest_attempt_that_had_started() -> None:
    """Also where it is read a moment after its attempt was given up."""
    first, second = attempt(1, 0.0, 1.0), attempt(2, 2.0, 3.0)
    requests = [Request(received_s=1.05, fault="status_500"), Request(received_s=2.0, fault=None)]

    found = witnessed([first, second], requests, [])

    assert [("status_500",), (None,)] == [each.faults for each in found]


def test_breaches_name_the_attempt_and_what_it_met() -> None:
    """A transient failure that no record explains is told; an abandoned attempt is not judged."""
    row = witnessed(
        [attempt(1, 0.0, 1.0, "transient"), attempt(2, 2.0, 3.0, "abandoned")],
        [Request(received_s=0.5, fault=None)],
        [],
    )

    [sentence] = attempt_breaches(row, MAX_S)

    assert "attempt 1 of row 1 is transient; it met [None] and []" in sentence


INSTANTS = st.integers(0, 40).map(lambda halves: halves / 2)


@given(st.lists(INSTANTS, max_size=6), st.lists(INSTANTS, max_size=4, unique=True))
def test_no_request_is_lost_or_counted_twice(received: list[float], starts: list[float]) -> None:
    """Every request that came after the first start stands with exactly one attempt."""
    attempts = [attempt(n, at_s, at_s) for n, at_s in enumerate(sorted(starts), start=1)]
    requests = [
        Request(received_s=at_s, fault=f"status_{400 + n}") for n, at_s in enumerate(received)
    ]

    found = witnessed(attempts, requests, [])

    expected = [each.fault for each in requests if starts and each.received_s >= min(starts)]
    assert sorted(map(str, expected)) == sorted(str(f) for each in found for f in each.faults)
    for each, following in pairwise(found):
        for request in requests:
            if request.fault in each.faults:
                assert each.attempt.started_s <= request.received_s < following.attempt.started_s
