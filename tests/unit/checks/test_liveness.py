"""Bounded liveness: everything ends in time, counted from the heal."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.checks.liveness import liveness
from chaoscheck.checks.verdict import Finding
from chaoscheck.errors import PlanError
from chaoscheck.history.operations import OperationRecord


def request(asked_s: float, ended_s: float | None) -> OperationRecord:
    """One request, which ended with a failure or is in flight."""
    return OperationRecord(
        number=1,
        client="ann",
        name="get",
        invoked=0,
        invoked_at_s=asked_s,
        completed=None if ended_s is None else 1,
        completed_at_s=ended_s,
        status="in flight" if ended_s is None else "failed",
    )


@pytest.mark.parametrize(
    ("asked_s", "ended_s", "finding"),
    [
        (0.0, 1.0, Finding.OK),  # before the heal
        (0.0, 13.0, Finding.OK),  # due 3 s after the heal, although it waited for 13 s
        (0.0, 13.1, Finding.VIOLATED),
        (11.0, 14.0, Finding.OK),
        (11.0, 14.1, Finding.VIOLATED),
        (11.0, None, Finding.VIOLATED),
        (18.0, None, Finding.UNKNOWN),
    ],
)
def test_the_bound_runs_from_the_later_of_request_and_heal(
    asked_s: float, ended_s: float | None, finding: Finding
) -> None:
    """A subject that loses a request, or wakes up late, is caught; one still due is UNKNOWN."""
    verdict = liveness([request(asked_s, ended_s)], bound_s=3.0, healed_at_s=10.0, until_s=20.0)

    assert finding is verdict.finding


def test_a_late_end_is_shown_with_its_times() -> None:
    """I see who asked what, when, and when it was due."""
    (breach,) = liveness([request(1.0, 9.0)], bound_s=3.0, until_s=20.0).witness

    assert "get() of ann, asked at 1 s, ended at 9 s, due at 4 s" == breach.what


def test_the_sum_of_two_times_may_round() -> None:
    """0.1 + 0.2 is in time for 0.3."""
    assert liveness([request(0.1, 0.1 + 0.2)], bound_s=0.2, until_s=1.0).ok


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"bound_s": -1.0}, "bound_s must be finite and at least 0, got -1"),
        ({"until_s": float("nan")}, "until_s must be finite"),
        ({"healed_at_s": float("inf")}, "healed_at_s must be finite, got inf"),
        ({"until_s": 5.0}, "until_s must not be before the end of operation 1 at 9 s, got 5"),
    ],
)
def test_times_that_cannot_be_are_refused(options: dict[str, Any], what: str) -> None:
    """A bound that means nothing is named."""
    with pytest.raises(PlanError, match=what):
        liveness([request(1.0, 9.0)], **{"bound_s": 3.0, "until_s": 20.0} | options)
