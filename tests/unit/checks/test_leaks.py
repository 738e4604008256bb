"""Leaks: what is held afterwards was held before."""

from __future__ import annotations

import pytest

from chaoscheck.checks.leaks import Resources, leaks
from chaoscheck.errors import PlanError

BEFORE = Resources.of(tasks=["main", "serve"], sockets={"listener": 1}, descriptors=7)


def test_what_went_away_is_no_leak() -> None:
    """Holding the same, or less, is fine."""
    assert leaks(BEFORE, BEFORE).ok
    assert leaks(BEFORE, Resources.of()).ok
    assert leaks(Resources.of(), Resources.of()).ok


@pytest.mark.parametrize(
    ("after", "law", "what"),
    [
        (
            Resources.of(tasks=["main", "serve", "pump", "pump"]),
            "tasks_leak",
            "2 tasks more than before: pump x2",
        ),
        # As many as before, but not the same ones.
        (Resources.of(sockets=["api:443"]), "sockets_leak", "1 sockets more than before: api:443"),
        (Resources.of(descriptors=8), "descriptors_leak", "1 descriptors more than before"),
    ],
)
def test_what_was_left_behind_is_named(after: Resources, law: str, what: str) -> None:
    """A task, socket or descriptor that nobody closed is a broken twin of a clean end."""
    (breach,) = leaks(BEFORE, after).witness

    assert (law, what) == (breach.law, breach.what)


def test_snapshots_must_be_alike() -> None:
    """Names cannot be compared with a bare count, and no count is negative."""
    with pytest.raises(PlanError, match="descriptors must be counted in one way"):
        leaks(BEFORE, Resources.of(descriptors=["log"]))
    with pytest.raises(PlanError, match="tasks must be held at least 0 times"):
        Resources.of(tasks=-1)
