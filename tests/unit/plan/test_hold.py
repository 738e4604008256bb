"""Holds: what they say in words, and which of them cannot be."""

from __future__ import annotations

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.hold import Hold, nth


@pytest.mark.parametrize(
    ("at", "ran", "told"),
    [
        (0, 1, "release@2 does not start until acquire@7 has started"),
        (0, 3, "release@2 does not start until acquire@7 has passed its 2nd checkpoint"),
        (1, 1, "release@2 waits at its 1st checkpoint until acquire@7 has started"),
        (
            13,
            22,
            "release@2 waits at its 13th checkpoint until acquire@7 has passed its 21st checkpoint",
        ),
    ],
)
def test_a_hold_is_told_as_who_waits_for_whom(at: int, ran: int, told: str) -> None:
    """I read it without knowing what a stretch is."""
    assert told == str(Hold(task="release@2", at=at, until="acquire@7", ran=ran))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("timer", "get@2's 3rd timer does not fire"),
        ("socket", "the socket for which get@2 waits at its 3rd checkpoint is not ready"),
        ("worker", "the worker thread for which get@2 waits at its 3rd checkpoint does not end"),
    ],
)
def test_what_comes_late_from_outside_is_told_by_its_source(source: str, told: str) -> None:
    """A clock, a network or a thread was slow, no task."""
    hold = Hold(task="get@2", at=3, until="get@7", ran=1, source=source)

    assert f"{told} until get@7 has started" == str(hold)


def test_what_comes_when_its_task_no_longer_waits_is_not_in_time() -> None:
    """A request that was timed out never saw its answer."""
    missed = Hold(task="get@2", at=3, until="get@2", ran=4, source="socket")

    assert "the socket for which get@2 waits at its 3rd checkpoint is not ready in time" == str(
        missed
    )


def test_an_unknown_source_is_refused() -> None:
    """The error names those that there are."""
    with pytest.raises(PlanError, match="source must be one of timer, socket, worker, got 'sun'"):
        Hold(task="a", at=1, until="b", ran=1, source="sun")


def test_ordinals_are_those_of_the_language() -> None:
    """Teens have a rule of their own."""
    told = {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th"}
    told |= {20: "20th", 21: "21st", 101: "101st", 111: "111th", 112: "112th", 122: "122nd"}

    assert told == {number: nth(number) for number in told}


@pytest.mark.parametrize(
    ("task", "at", "until", "ran", "law"),
    [
        ("", 0, "b", 1, "a hold names two tasks"),
        ("a", 0, "", 1, "a hold names two tasks"),
        ("a", -1, "b", 1, "at must be >= 0 and ran >= 1, got -1 and 1"),
        ("a", 0, "b", 0, "at must be >= 0 and ran >= 1, got 0 and 0"),
    ],
)
def test_a_hold_that_cannot_be_is_refused(
    task: str, at: int, until: str, ran: int, law: str
) -> None:
    """The error shows what I wrote and what is legal."""
    with pytest.raises(PlanError, match=law):
        Hold(task=task, at=at, until=until, ran=ran)
