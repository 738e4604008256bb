"""Context windows as they are written: the first pattern that fits counts."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.context_window import WINDOWS_MAX, window_of
from chaoscheck.plan.fault_plan import FaultPlan
from chaoscheck.server.decision import Decisions


@pytest.mark.parametrize(
    ("model", "tokens"),
    [("gpt-4o", 8192), ("gpt-5", 400_000), ("GPT-4o", 100), ("claude", 100), ("gpt-4" * 99, 8192)],
)
def test_the_first_pattern_that_fits_counts(model: str, tokens: int) -> None:
    """Names are told apart by case, and a long one is no other name."""
    plan = FaultPlan.of(context_window={"gpt-4*": 8192, "gpt-?": 400_000, "*": 100})

    assert tokens == window_of(plan.context_window, model)


def test_a_model_that_no_pattern_fits_has_no_bound() -> None:
    """I bound the models that I name, and no others."""
    assert window_of(FaultPlan.of(context_window={"gpt-4*": 8192}).context_window, "m") is None
    assert window_of(FaultPlan().context_window, "m") is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (0, "context_window of '*': must be an integer in [1, 1000000000] tokens, got 0"),
        ({"m": 10**10}, "context_window of 'm': must be an integer in [1, 1000000000]"),
        ({"m": 1.5}, "got 1.5"),
        ({"m": True}, "got True"),
        ({"": 1}, "a pattern must have 1 to 200 characters, got ''"),
        ({"m" * 201: 1}, "a pattern must have 1 to 200 characters"),
        ({str(at): 1 for at in range(WINDOWS_MAX + 1)}, "at most 100 pairs"),
    ],
)
def test_a_window_written_wrong_is_refused(wrong: Any, says: str) -> None:
    """The message shows the value that I gave and the legal range."""
    with pytest.raises(PlanError) as refusal:
        FaultPlan.of(context_window=wrong)

    assert says in str(refusal.value)


def test_a_heal_leaves_windows_alone() -> None:
    """How much a model takes is no fault."""
    decisions = Decisions(FaultPlan.of({"status_500": 0.5}, context_window=9), None)
    decisions.heal()

    assert FaultPlan.of(context_window=9) == decisions.plan
