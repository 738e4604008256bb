"""Lawful outcomes of a row, against enumeration of every fate of every attempt."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.llm_fates import FATES, STREAM_FATES, Fate, fate_of, status_fate
from models.llm_rows import Outcome, lawful_outcomes, outcome_of_reason


def enumerated(faults: Sequence[str | None], max_failures: int) -> set[Outcome]:
    """Every outcome that some combination of fates leads to, one combination at a time."""
    found = {follow(fates, max_failures) for fates in product(*(FATES[f] for f in faults))}
    return {outcome for outcome in found if outcome is not None}


def follow(fates: Sequence[Fate], max_failures: int) -> Outcome | None:
    """The outcome of a row with these fates; None where it would have ended earlier."""
    failures = 0
    for at, fate in enumerate(fates, start=1):
        last = at == len(fates)
        failures += fate == "transient"
        if fate == "ok" or fate == "permanent":
            return fate if last else None
        if fate == "transient" and failures >= max_failures:
            return "attempts_exhausted" if last else None
    return "retry_timeout"


FAULTS = st.sampled_from(sorted(FATES, key=str))


@given(st.lists(FAULTS, max_size=6), st.integers(1, 3))
def test_folding_equals_enumeration(faults: list[str | None], max_failures: int) -> None:
    """The quick way and the plain way allow the same outcomes."""
    assert enumerated(faults, max_failures) == lawful_outcomes(faults, max_failures)


def test_a_row_without_faults_must_succeed() -> None:
    """Nothing may fail that no fault hit."""
    assert lawful_outcomes([None], 3) == {"ok"}


def test_an_attempt_after_a_permanent_error_is_unlawful() -> None:
    """No outcome excuses the retry of a permanent error."""
    assert lawful_outcomes(["invalid_json", None], 3) == frozenset()


@pytest.mark.parametrize(
    ("status", "fate"),
    [(200, "ok"), (204, "ok"), (302, "permanent"), (400, "permanent"), (404, "permanent"),
     (408, "transient"), (409, "transient"), (425, "transient"), (429, "capacity"),
     (500, "transient"), (503, "capacity"), (529, "capacity"), (599, "transient")],
)  # fmt: skip
def test_the_fate_of_a_status(status: int, fate: Fate) -> None:
    """The provider's statuses as the law sorts them."""
    assert fate == status_fate(status)


@pytest.mark.parametrize(
    ("fault", "plain", "streamed"),
    [
        ("retry_after_zero:500", {"transient"}, {"transient"}),
        ("retry_after_zero:503", {"capacity"}, {"capacity"}),
        ("missing_fields:usage", {"ok"}, {"ok"}),
        ("missing_fields:items", {"permanent"}, {"ok", "permanent"}),
        ("empty_body", {"permanent"}, {"transient"}),
        ("status_402", {"permanent"}, {"permanent"}),
    ],
)
def test_a_fault_may_say_what_it_concerns(
    fault: str, plain: set[Fate], streamed: set[Fate]
) -> None:
    """The same fault means something else for another status, field or kind of reply."""
    assert plain == set(fate_of(fault, FATES))
    assert streamed == set(fate_of(fault, STREAM_FATES))


def test_the_reason_of_an_error_names_the_outcome() -> None:
    """No error is a success; whatever is neither time nor count nor closing is permanent."""
    reasons = [None, "retry_timeout", "attempts_exhausted", "closed", "client_error"]

    assert ["ok", "retry_timeout", "attempts_exhausted", "closed", "permanent"] == [
        outcome_of_reason(reason) for reason in reasons
    ]
